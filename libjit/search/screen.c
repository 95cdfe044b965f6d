/* SPDX-License-Identifier: Apache-2.0
 *
 * Screening: each newcomer once, in predicted order but for the neighbours of whoever leads, until
 * the trials are used up, time is short, the best is at the floor or nothing left could win.
 */
#include "search/state.h"

#include <math.h>

#define EXPAND_AFTER  6    /* newcomers in predicted order between two leaders' neighbours */
#define EXPAND_WITHIN 1.1  /* of the best: whose neighbours are looked at in the end */
#define TRUST_AFTER   12   /* timed ones before predictions may end the screening */
#define TRUST         0.8  /* of the best ratio of measured to predicted seen: what may come */
#define FLOOR_ABOVE   1.05 /* as close to the floor as this, nothing is left to gain */
#define FLOOR_BELOW   0.9  /* faster than this, the floor is none */

static bool untried(const struct search *search, uint32_t candidate)
{
	return candidate < search->count && search->entries[candidate].state == UNTRIED;
}

/* A floor that was passed by far was none: what stays in a cache beats the bound of memory. */
static bool at_floor(const struct search *search)
{
	uint32_t best = search_best(search);
	double least = best < search->count ? search->entries[best].median : 0;

	return search->floor > 0 && least >= FLOOR_BELOW * search->floor &&
	       least <= FLOOR_ABOVE * search->floor;
}

/* The least that a prediction has been off by, too much being below 1; 0 while little is known. */
static double optimism(const struct search *search)
{
	double least = INFINITY;
	uint32_t known = 0;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		if (entry->state != TIMED || !entry->predicted)
			continue;
		known++;
		least = fmin(least, entry->least / entry->predicted);
	}
	return known < TRUST_AFTER ? 0 : least;
}

/* Even if it beat its prediction by as much as any did, and a bit more. */
static bool hopeless(const struct search *search, uint32_t candidate)
{
	uint32_t best = search_best(search);
	double predicted = search->entries[candidate].predicted;

	return best < search->count &&
	       predicted * TRUST * optimism(search) > search->entries[best].median;
}

/* Candidates measured, and those out to be. */
static uint32_t tried(const struct search *search)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < search->count; i++)
		count += search->entries[i].state != UNTRIED || search->entries[i].asked;
	return count;
}

/* Never while there is nothing to serve yet. */
static bool screening_over(const struct search *search)
{
	return search_best(search) < search->count &&
	       (search->hurried || at_floor(search) || tried(search) >= search->trials);
}

static bool is_new(const struct search *search, uint32_t candidate, bool preferred)
{
	return untried(search, candidate) && !search->entries[candidate].asked &&
	       search->entries[candidate].preferred == preferred;
}

/* The next ones never measured, as many at most: neighbours of a leader first, then in predicted
 * order. The last eighth of the trials is for neighbours. None that is not worth it. */
uint32_t search_coming(const struct search *search, uint32_t most, uint32_t ret_candidates[])
{
	uint32_t kept = search->trials == UINT32_MAX ? 0 : search->trials / 8, count = 0;

	if (screening_over(search))
		return 0;
	for (uint32_t i = 0; i < search->count && count < most; i++)
		if (is_new(search, i, true))
			ret_candidates[count++] = i;
	for (uint32_t i = 0; i < search->count && count < most; i++) {
		if (!is_new(search, i, false) || i == search->baseline)
			continue;
		bool enough = search_best(search) < search->count &&
		              tried(search) + kept + count >= search->trials;
		if (enough || hopeless(search, i))
			break;
		ret_candidates[count++] = i;
	}
	return count;
}

/* The first of them; count: none is worth it. */
static uint32_t newcomer(const struct search *search)
{
	uint32_t next;

	return search_coming(search, 1, &next) ? next : search->count;
}

uint32_t search_next(const struct search *search)
{
	return newcomer(search);
}

static bool is_expanded(const struct entry *entry)
{
	return entry->expanded;
}

uint32_t search_expand(struct search *search)
{
	uint32_t best = search_best(search), next = newcomer(search), none = search->count;

	if (best == none || screening_over(search) || search->refining ||
	        search_untold(search, (uint32_t[SEARCH_BATCH_MAX]){0}))
		return none;
	if (next < none && (search->entries[next].preferred || search->since < EXPAND_AFTER ||
	                           search->entries[best].expanded))
		return none;
	uint32_t leader = search_fastest(
	        search, EXPAND_WITHIN * search->entries[best].median, is_expanded);
	if (leader == none)
		return none;
	search->entries[leader].expanded = true;
	search->since = 0;
	return leader;
}

/* The next newcomer, side by side with the best so far: it costs a build, which is far dearer than
 * a few samples more, and so what is known of it is known as soon as it is built. The baseline
 * comes with the first. */
uint32_t search_screen(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t best = search_best(search), next = newcomer(search), count = 0;

	if (search->hurried && best < search->count)
		return 0;
	if (next < search->count) {
		batch[count++] = next;
		search->since += !search->entries[next].preferred;
	}
	if (untried(search, search->baseline))
		batch[count++] = search->baseline;
	search->batch_samples = SCREEN_SAMPLES;
	return count && best < search->count ? search_beside_best(batch, count, best) : count;
}
