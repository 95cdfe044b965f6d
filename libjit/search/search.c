/* SPDX-License-Identifier: Apache-2.0
 *
 * Successive halving (Jamieson and Talwalkar, AISTATS 2016) with the screening order given by the
 * caller and a local search on top: whoever leads may bring its neighbours. Nothing is random: what
 * is asked next follows from what was told. Leaders are found anew at every ask from the medians of
 * that moment, so that a candidate whose rivals slowed down comes back into play by itself.
 * Invariant: a rejected candidate is never asked for again.
 */
#include "base/statistics.h"
#include "search/state.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SCREEN_KEPT 6    /* of one candidate while screening: the best runs with every newcomer */
#define OTHER_SPEED 1.15 /* no noise makes all samples of a batch so much longer or shorter */

/* ---- The candidates. */

int search_create(uint32_t count, uint32_t baseline, struct search **ret_search)
{
	struct search *search = calloc(1, sizeof *search);

	if (search)
		search->entries = calloc(count ? count : 1, sizeof *search->entries);
	if (!search || !search->entries) {
		free(search);
		return -ENOMEM;
	}
	search->count = count;
	search->baseline = baseline == count ? UINT32_MAX : baseline;
	search->trials = search->reference = UINT32_MAX;
	search->scale = 1;
	*ret_search = search;
	return 0;
}

void search_destroy(struct search *search)
{
	if (search)
		free(search->entries);
	free(search);
}

void search_expect(struct search *search, uint32_t candidate, double predicted_ns)
{
	if (candidate < search->count && isfinite(predicted_ns) && predicted_ns > 0)
		search->entries[candidate].predicted = predicted_ns;
}

void search_bound(struct search *search, uint32_t trials, double floor_ns)
{
	search->trials = trials ? trials : UINT32_MAX;
	search->floor = isfinite(floor_ns) && floor_ns > 0 ? floor_ns : 0;
}

int search_add(struct search *search, double predicted_ns)
{
	struct entry *entries = realloc(
	        search->entries, (search->count + 1) * sizeof *search->entries);

	if (!entries)
		return -ENOMEM;
	search->entries = entries;
	entries[search->count] = (struct entry){.preferred = true};
	search_expect(search, search->count++, predicted_ns);
	return 0;
}

void search_prefer(struct search *search, uint32_t candidate)
{
	if (candidate < search->count)
		search->entries[candidate].preferred = true;
}

/* ---- What is told. */

static void summarise(struct entry *entry)
{
	double values[SAMPLES_MAX];

	memcpy(values, entry->sample, entry->samples * sizeof *values);
	entry->median = statistics_median(values, entry->samples);
	entry->least = values[0]; /* the median sorts */
	entry->mad = statistics_mad(values, entry->samples, entry->median);
}

static void rescale(struct search *search, double factor)
{
	for (uint32_t i = 0; i < search->count; i++) {
		struct entry *entry = &search->entries[i];
		for (uint32_t n = 0; n < entry->samples; n++)
			entry->sample[n] *= factor;
		entry->median *= factor;
		entry->mad *= factor;
		entry->least *= factor;
	}
}

/* The reference is the best before; where all its samples of a batch are far from what it took, the
 * device's speed has changed. Times are kept as at the highest speed seen: slow ones are scaled as
 * they come, and when it turns out to be faster, what is there. */
static void note_speed(struct search *search, const double *samples_ns, uint32_t samples)
{
	double usual_ns = search->entries[search->reference].median, least = INFINITY, most = 0;

	for (uint32_t i = 0; i < samples; i++) {
		least = fmin(least, samples_ns[i]);
		most = fmax(most, samples_ns[i]);
	}
	if (samples < SCREEN_SAMPLES || !(least > 0) || !(usual_ns > 0))
		return;
	if (most * OTHER_SPEED < usual_ns)
		rescale(search, most / usual_ns);
	else if (least > OTHER_SPEED * usual_ns)
		search->scale = usual_ns / least;
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
	if (outcome == SEARCH_REJECTED) {
		entry->state = REJECTED;
		finals_leave(&search->finals, candidate);
	}
	if (entry->state == REJECTED)
		return;
	finals_tell(&search->finals, candidate, samples_ns, samples);
	if (candidate == search->reference)
		note_speed(search, samples_ns, samples);
	for (uint32_t i = 0; i < samples; i++)
		keep(entry, samples_ns[i] * search->scale,
		        search->refining ? SAMPLES_MAX : SCREEN_KEPT);
	entry->state = entry->samples ? TIMED : REJECTED;
	if (entry->samples)
		summarise(entry);
}

struct search_timing search_timing(const struct search *search, uint32_t candidate)
{
	if (candidate >= search->count || search->entries[candidate].state != TIMED)
		return (struct search_timing){0};
	const struct entry *entry = &search->entries[candidate];
	return (struct search_timing){entry->median, entry->mad, entry->samples, entry->final};
}

/* Finalists before all others: only their times are of the same moments. */
static bool better(const struct entry *a, const struct entry *b)
{
	return a->final != b->final ? a->final : a->median < b->median;
}

uint32_t search_best(const struct search *search)
{
	uint32_t best = search->count;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		if (entry->state != TIMED)
			continue;
		if (best == search->count || better(entry, &search->entries[best]))
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

uint32_t search_goal(const struct search *search)
{
	return search->count < search->trials ? search->count : search->trials;
}

void search_hurry(struct search *search)
{
	search->hurried = true;
	for (uint32_t i = 0; search_best(search) < search->count && i < search->count; i++)
		if (search->entries[i].state == UNTRIED)
			search->entries[i].asked = false;
}

bool search_in_finals(const struct search *search)
{
	return search->final_asks && !search->done;
}

bool search_done(const struct search *search)
{
	return search->done;
}

/* ---- What is asked. */

uint32_t search_untold(const struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < search->count && count < SEARCH_BATCH_MAX; i++)
		if (search->entries[i].asked)
			batch[count++] = i;
	return count;
}

uint32_t search_beside_best(uint32_t batch[static SEARCH_BATCH_MAX], uint32_t count, uint32_t best)
{
	uint32_t at = 0;

	while (at < count && batch[at] != best)
		at++;
	if (at == count && count < SEARCH_BATCH_MAX)
		count++;
	for (at = at < count ? at : count - 1; at; at--)
		batch[at] = batch[at - 1];
	batch[0] = best;
	return count;
}

uint32_t search_fastest(
        const struct search *search, double most, bool (*taken)(const struct entry *))
{
	uint32_t fastest = search->count;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		if (entry->state == TIMED && !taken(entry) && entry->median <= most &&
		        (fastest == search->count ||
		                entry->median < search->entries[fastest].median))
			fastest = i;
	}
	return fastest;
}

static void refer(
        struct search *search, const uint32_t batch[static SEARCH_BATCH_MAX], uint32_t count)
{
	uint32_t best = search_best(search);

	search->reference = UINT32_MAX;
	search->scale = 1;
	if (count && batch[0] == best)
		search->reference = best;
}

uint32_t search_ask(
        struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX], uint32_t *ret_samples)
{
	uint32_t count = search_untold(search, ret_batch);

	if (!count)
		count = search_screen(search, ret_batch);
	if (!count)
		count = search_refine(search, ret_batch);
	if (!count)
		count = search_finals(search, ret_batch);
	refer(search, ret_batch, count);
	for (uint32_t i = 0; i < count; i++)
		search->entries[ret_batch[i]].asked = true;
	if (count)
		*ret_samples = search->batch_samples;
	return count;
}
