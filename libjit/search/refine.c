/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling the leaders apart once the screening is over: halving rounds beside the best, then the
 * finals. Spreads err towards too long, so who is dropped is decided by the least sample.
 */
#include "search/state.h"

#include <math.h>

#define BASELINE_SAMPLES 12   /* speedups are stated against it: it must be known well */
#define STEP_SAMPLES     8    /* at most so many between two looks at who still leads */
#define CONTEND_SAMPLES  12   /* before spreads are trusted to tell two apart */
#define ASKS_MAX         32   /* of one candidate after screening, whatever the tells bring */
#define TIE              1.02 /* as close to the best as this, more samples are always worth it */
#define FINAL_WITHIN     1.08 /* of the best: who is runs in the finals, the best of them */

/* Who is within `factor` of the best is measured until `samples`. */
static const struct round {
	double factor;
	uint32_t samples;
} rounds[] = {{1.5, 6}, {1.2, 12}, {1.08, 20}};
#define ROUNDS (sizeof rounds / sizeof rounds[0])

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
	return search_beside_best(batch, count, best);
}

uint32_t search_refine(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t count = 0;

	while (!count && search->round < ROUNDS)
		if (!(count = refine(search, batch)))
			search->round++;
	return count;
}

/* ---- The finals. */

static bool is_finalist(const struct entry *entry)
{
	return entry->finalist;
}

static void choose_finalists(struct search *search)
{
	uint32_t best = search_best(search), next;
	double most = best < search->count ? FINAL_WITHIN * search->entries[best].median : 0;
	double sum_ns = 0;

	while (search->finals.count < SEARCH_BATCH_MAX &&
	        (next = search_fastest(search, most, is_finalist)) < search->count) {
		search->entries[next].finalist = true;
		finals_enter(&search->finals, next);
		sum_ns += search->entries[next].median;
	}
	finals_begin(&search->finals, sum_ns);
}

/* What did not run in the finals is told as it would have been then. */
static void conclude(struct search *search)
{
	const struct finals *finals = &search->finals;
	double scale = 1;

	for (uint32_t f = 0; f < finals->count; f++) {
		struct search_timing timing = finals_timing(finals, f);
		struct entry *entry = &search->entries[finals->candidate[f]];
		if (!timing.samples)
			return;
		if (!f)
			scale = timing.median_ns / entry->median;
		entry->median = timing.median_ns;
		entry->mad = timing.mad_ns;
		entry->final = true;
	}
	for (uint32_t i = 0; i < search->count; i++) {
		struct entry *entry = &search->entries[i];
		entry->median *= entry->final ? 1 : scale;
		entry->mad *= entry->final ? 1 : scale;
	}
}

uint32_t search_finals(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t count = 0;

	if (search->done)
		return 0;
	if (!search->finals.count)
		choose_finalists(search);
	if (search->final_asks++ < FINALS_ROUNDS_MAX)
		count = finals_ask(&search->finals, batch, &search->batch_samples);
	if (!count) {
		conclude(search);
		search->done = true;
	}
	return count;
}
