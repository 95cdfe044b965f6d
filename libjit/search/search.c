/* SPDX-License-Identifier: Apache-2.0
 *
 * Successive halving (Jamieson and Talwalkar, AISTATS 2016) with the screening order given by the
 * caller. Nothing is random: what is asked next follows from what was told. Leaders are found
 * anew at every ask from the medians of that moment, so that a candidate whose rivals slowed down
 * comes back into play by itself. Invariant: a rejected candidate is never asked for again.
 */
#include "search/search.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX      64 /* kept of one candidate, the newest ones */
#define SCREEN_SAMPLES   3
#define SCREEN_KEPT      6    /* while screening: the best is measured with every newcomer */
#define BASELINE_SAMPLES 12   /* speedups are stated against it: it must be known well */
#define STEP_SAMPLES     8    /* at most so many between two looks at who still leads */
#define CONTEND_SAMPLES  12   /* before spreads are trusted to tell two apart */
#define ASKS_MAX         32   /* of one candidate after screening, whatever the tells bring */
#define TIE              1.02 /* as close to the best as this, more samples are always worth it */

/* After the screening: who is within `factor` of the best is measured until `samples`. */
static const struct round {
	double factor;
	uint32_t samples;
} rounds[] = {{1.5, 6}, {1.2, 12}, {1.08, 24}, {1.04, 48}};
#define ROUNDS (sizeof rounds / sizeof rounds[0])

struct entry {
	enum { UNTRIED, TIMED, REJECTED } state;
	bool asked; /* in the batch under way and not told yet */
	uint32_t asks, samples, oldest;
	double median, mad, least;
	double sample[SAMPLES_MAX];
};

struct search {
	uint32_t count, baseline, batch_samples;
	uint32_t round; /* index into rounds; ROUNDS: done */
	bool hurried, refining;
	struct entry entries[];
};

int search_create(uint32_t count, uint32_t baseline, struct search **ret_search)
{
	struct search *search = calloc(1, sizeof *search + count * sizeof search->entries[0]);

	if (!search)
		return -ENOMEM;
	search->count = count;
	search->baseline = baseline;
	*ret_search = search;
	return 0;
}

void search_destroy(struct search *search)
{
	free(search);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof *values, ascending);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void summarise(struct entry *entry)
{
	double values[SAMPLES_MAX];

	memcpy(values, entry->sample, entry->samples * sizeof *values);
	entry->median = median(values, entry->samples);
	entry->least = values[0]; /* median sorts */
	for (uint32_t i = 0; i < entry->samples; i++)
		values[i] = fabs(entry->sample[i] - entry->median);
	entry->mad = median(values, entry->samples);
}

static void keep(struct entry *entry, double sample_ns, uint32_t limit)
{
	if (!isfinite(sample_ns) || sample_ns < 0)
		return;
	if (entry->samples < limit) {
		entry->sample[entry->samples++] = sample_ns;
		return;
	}
	entry->sample[entry->oldest] = sample_ns;
	entry->oldest = (entry->oldest + 1) % limit;
}

void search_tell(struct search *search, uint32_t candidate, enum search_outcome outcome,
        const double *samples_ns, uint32_t samples)
{
	if (candidate >= search->count)
		return;
	struct entry *entry = &search->entries[candidate];
	entry->asked = false;
	if (outcome == SEARCH_REJECTED)
		entry->state = REJECTED;
	if (entry->state == REJECTED)
		return;
	for (uint32_t i = 0; i < samples; i++)
		keep(entry, samples_ns[i], search->refining ? SAMPLES_MAX : SCREEN_KEPT);
	entry->state = entry->samples ? TIMED : REJECTED;
	if (entry->samples)
		summarise(entry);
}

struct search_timing search_timing(const struct search *search, uint32_t candidate)
{
	if (candidate >= search->count || search->entries[candidate].state != TIMED)
		return (struct search_timing){0};
	const struct entry *entry = &search->entries[candidate];
	return (struct search_timing){entry->median, entry->mad, entry->samples};
}

uint32_t search_best(const struct search *search)
{
	uint32_t best = search->count;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		if (entry->state != TIMED)
			continue;
		if (best == search->count || entry->median < search->entries[best].median)
			best = i;
	}
	return best;
}

uint32_t search_measured(const struct search *search)
{
	uint32_t measured = 0;

	for (uint32_t i = 0; i < search->count; i++)
		measured += search->entries[i].state != UNTRIED;
	return measured;
}

void search_hurry(struct search *search)
{
	search->hurried = true;
	for (uint32_t i = 0; search_best(search) < search->count && i < search->count; i++)
		if (search->entries[i].state == UNTRIED)
			search->entries[i].asked = false;
}

bool search_done(const struct search *search)
{
	return search->round == ROUNDS;
}

/* What the last batch still owes. */
static uint32_t untold(const struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < search->count && count < SEARCH_BATCH_MAX; i++)
		if (search->entries[i].asked)
			batch[count++] = i;
	return count;
}

static bool untried(const struct search *search, uint32_t candidate)
{
	return candidate < search->count && search->entries[candidate].state == UNTRIED;
}

/* The next candidate never measured, in predicted order, side by side with the best so far: a
 * newcomer costs a build, which is far dearer than a few samples more, and so what is known of it
 * is known as soon as it is built. The baseline comes with the first. */
static uint32_t screen(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t best = search_best(search), count = 0;

	if (search->hurried && best < search->count)
		return 0;
	for (uint32_t i = 0; i < search->count && !count; i++)
		if (untried(search, i) && i != search->baseline)
			batch[count++] = i;
	if (untried(search, search->baseline))
		batch[count++] = search->baseline;
	else if (count && best < search->count)
		batch[count++] = best;
	search->batch_samples = SCREEN_SAMPLES;
	return count;
}

/* Whether `entry` could still turn out to be the best: they tie or their spreads overlap. */
static bool contends(const struct entry *entry, const struct entry *best)
{
	if (entry->samples < CONTEND_SAMPLES || best->samples < CONTEND_SAMPLES)
		return true;
	return entry->median <= TIE * best->median ||
	       entry->median - entry->mad <= best->median + best->mad;
}

static bool leads(const struct search *search, uint32_t candidate, uint32_t best)
{
	const struct entry *entry = &search->entries[candidate], *first = &search->entries[best];

	return entry->state == TIMED && contends(entry, first) &&
	       entry->least <= rounds[search->round].factor * first->median;
}

/* Once nobody contends with the best any more, further samples of it tell nothing. */
static uint32_t wanted_samples(
        const struct search *search, uint32_t candidate, uint32_t best, uint32_t leaders)
{
	uint32_t samples = rounds[search->round].samples;

	if (leads(search, candidate, best))
		return leaders > 1 ? samples : rounds[0].samples;
	if (candidate == search->baseline && search->entries[candidate].state == TIMED)
		return samples < BASELINE_SAMPLES ? samples : BASELINE_SAMPLES;
	return 0;
}

static bool wanted(const struct search *search, uint32_t candidate, uint32_t best, uint32_t leaders)
{
	const struct entry *entry = &search->entries[candidate];

	return entry->asks < ASKS_MAX &&
	       entry->samples < wanted_samples(search, candidate, best, leaders);
}

/* Everything is measured side by side with the best, so that drift hits both alike. */
static uint32_t with_best(uint32_t batch[static SEARCH_BATCH_MAX], uint32_t count, uint32_t best)
{
	for (uint32_t i = 0; i < count; i++)
		if (batch[i] == best)
			return count;
	if (count < SEARCH_BATCH_MAX)
		batch[count++] = best;
	return count;
}

/* The leaders that lack samples, those with the fewest first. */
static uint32_t refine(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t best = search_best(search), leaders = 0, count = 0;

	for (uint32_t i = 0; best < search->count && i < search->count; i++)
		leaders += leads(search, i, best);
	for (uint32_t have = 0; leaders && have < SAMPLES_MAX; have++)
		for (uint32_t i = 0; i < search->count && count < SEARCH_BATCH_MAX - 1; i++)
			if (search->entries[i].samples == have && wanted(search, i, best, leaders))
				batch[count++] = i;
	if (!count)
		return 0;
	search->refining = true;
	uint32_t lack = wanted_samples(search, batch[0], best, leaders) -
	                search->entries[batch[0]].samples;
	search->batch_samples = lack < STEP_SAMPLES ? lack : STEP_SAMPLES;
	for (uint32_t i = 0; i < count; i++)
		search->entries[batch[i]].asks++;
	return with_best(batch, count, best);
}

uint32_t search_ask(
        struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX], uint32_t *ret_samples)
{
	uint32_t count = untold(search, ret_batch);

	if (!count)
		count = screen(search, ret_batch);
	while (!count && search->round < ROUNDS)
		if (!(count = refine(search, ret_batch)))
			search->round++;
	for (uint32_t i = 0; i < count; i++)
		search->entries[ret_batch[i]].asked = true;
	if (count)
		*ret_samples = search->batch_samples;
	return count;
}
