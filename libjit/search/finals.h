/* SPDX-License-Identifier: Apache-2.0
 *
 * The last rounds of a search: the leaders side by side, from scratch. A device's speed changes for
 * seconds at a time, by half on a shared machine, so they are compared by what each took of its
 * round (a paired comparison), not by times of different moments.
 */
#pragma once

#include "search/search.h"

#define FINALS_ROUNDS_MAX 32

struct finals {
	uint32_t count, rounds;
	uint32_t candidate[SEARCH_BATCH_MAX], samples[SEARCH_BATCH_MAX];
	double ns[SEARCH_BATCH_MAX][FINALS_ROUNDS_MAX]; /* by round */
};

void finals_enter(struct finals *finals, uint32_t candidate);
/* Once all have entered: how many rounds there are, of which one takes so long. */
void finals_begin(struct finals *finals, double round_ns);
void finals_leave(struct finals *finals, uint32_t candidate); /* rejected; others are ignored */
void finals_tell(struct finals *finals, uint32_t candidate, const double *ns, uint32_t samples);
/* Those that lack rounds; 0: all are run. */
uint32_t finals_ask(const struct finals *finals, uint32_t ret_batch[static SEARCH_BATCH_MAX],
        uint32_t *ret_samples);
/* Of finalist `at`: the median of its share of each round, times the rounds' median. */
struct search_timing finals_timing(const struct finals *finals, uint32_t at);
