/* SPDX-License-Identifier: Apache-2.0
 *
 * Ask/tell search over a space by successive halving: every candidate is screened once in
 * predicted order, those that cannot win are dropped, the leaders are measured again in
 * interleaved rounds until they separate. Knows no GPU and no clock: daemon and page drive it
 * alike, and the same tells give the same asks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SEARCH_BATCH_MAX 8

struct search; /* the state of one search over `count` candidates */

enum search_outcome {
	SEARCH_TIMED,
	SEARCH_REJECTED, /* wrong, crashed, refused, poisoned */
};

int search_create(uint32_t count, uint32_t baseline, struct search **ret_search); /* -ENOMEM */
void search_destroy(struct search *search);

/* The next candidates to measure side by side, `*ret_samples` samples each; 0 candidates: done.
 * The batch must be told, each member once, before the next ask; members not told are asked for
 * again. */
uint32_t search_ask(
        struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX], uint32_t *ret_samples);
/* samples_ns may be any number; they are added to what the candidate has. May also be called
 * before the first ask with trials remembered from an earlier run. */
void search_tell(struct search *search, uint32_t candidate, enum search_outcome outcome,
        const double *samples_ns, uint32_t samples);

/* Time is short: no further candidate is screened, not even what was asked for and not told; the
 * leaders found so far are told apart. Does nothing while none was timed. */
void search_hurry(struct search *search);

struct search_timing {
	double median_ns, mad_ns; /* median absolute deviation */
	uint32_t samples;         /* 0: not measured */
};
struct search_timing search_timing(const struct search *search, uint32_t candidate);
/* The candidate with the least median so far, or `count` while none was timed. */
uint32_t search_best(const struct search *search);
uint32_t search_measured(const struct search *search); /* candidates told, timed or rejected */
bool search_done(const struct search *search);
