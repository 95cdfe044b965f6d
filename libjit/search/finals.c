/* SPDX-License-Identifier: Apache-2.0
 *
 * Round r is the r-th sample of each finalist, as they are timed in turns. Invariant: finalists are
 * asked for together, so their rounds are the same moments; one that lags behind after its device
 * died is compared by its own order of rounds.
 */
#include "search/finals.h"
#include "base/statistics.h"

#include <math.h>
#include <string.h>

#define STEP_SAMPLES 8   /* between two looks at the clock by whoever drives the search */
#define ROUNDS_LEAST 8   /* also where a kernel takes a second, or has won already */
#define ALL_NS       2e9 /* for all rounds, else */

void finals_enter(struct finals *finals, uint32_t candidate)
{
	if (finals->count == SEARCH_BATCH_MAX)
		return;
	finals->samples[finals->count] = 0;
	finals->candidate[finals->count++] = candidate;
}

void finals_begin(struct finals *finals, double round_ns)
{
	double rounds = finals->count > 1 ? ALL_NS / round_ns : ROUNDS_LEAST;

	finals->rounds = (uint32_t)fmin(fmax(rounds, ROUNDS_LEAST), FINALS_ROUNDS_MAX);
}

void finals_leave(struct finals *finals, uint32_t candidate)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < finals->count; i++) {
		if (finals->candidate[i] == candidate)
			continue;
		finals->candidate[kept] = finals->candidate[i];
		finals->samples[kept] = finals->samples[i];
		memmove(finals->ns[kept++], finals->ns[i], sizeof finals->ns[i]);
	}
	finals->count = kept;
}

void finals_tell(struct finals *finals, uint32_t candidate, const double *ns, uint32_t samples)
{
	for (uint32_t i = 0; i < finals->count; i++)
		for (uint32_t n = 0; finals->candidate[i] == candidate && n < samples; n++)
			if (isfinite(ns[n]) && ns[n] > 0 && finals->samples[i] < finals->rounds)
				finals->ns[i][finals->samples[i]++] = ns[n];
}

static uint32_t fewest(const struct finals *finals)
{
	uint32_t rounds = finals->rounds;

	for (uint32_t i = 0; i < finals->count; i++)
		rounds = finals->samples[i] < rounds ? finals->samples[i] : rounds;
	return rounds;
}

uint32_t finals_ask(const struct finals *finals, uint32_t ret_batch[static SEARCH_BATCH_MAX],
        uint32_t *ret_samples)
{
	uint32_t lack = finals->rounds - fewest(finals), count = 0;

	for (uint32_t i = 0; i < finals->count; i++)
		if (finals->samples[i] < finals->rounds)
			ret_batch[count++] = finals->candidate[i];
	*ret_samples = lack < STEP_SAMPLES ? lack : STEP_SAMPLES;
	return count;
}

/* The geometric mean of round r. */
static double round_ns(const struct finals *finals, uint32_t r)
{
	double logs = 0;

	for (uint32_t i = 0; i < finals->count; i++)
		logs += log(finals->ns[i][r]);
	return exp(logs / finals->count);
}

struct search_timing finals_timing(const struct finals *finals, uint32_t at)
{
	double share[FINALS_ROUNDS_MAX], whole[FINALS_ROUNDS_MAX];
	uint32_t rounds = fewest(finals);

	if (!finals->count || !rounds)
		return (struct search_timing){0};
	for (uint32_t r = 0; r < rounds; r++) {
		whole[r] = round_ns(finals, r);
		share[r] = finals->ns[at][r] / whole[r];
	}
	double typical_ns = statistics_median(whole, rounds),
	       middle = statistics_median(share, rounds);
	return (struct search_timing){
	        .median_ns = middle * typical_ns,
	        .mad_ns = statistics_mad(share, rounds, middle) * typical_ns,
	        .samples = rounds,
	        .final = true,
	};
}
