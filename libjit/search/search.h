/* SPDX-License-Identifier: Apache-2.0
 *
 * Ask/tell search over a space by successive halving: candidates are screened once each in
 * predicted order, neighbours of the leader are added, those that cannot win are dropped, the
 * leaders are measured again in interleaved rounds until they separate, and the last few of them
 * once more from scratch. Knows no GPU and no clock:
 * daemon and page drive it alike, and the same tells give the same asks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SEARCH_BATCH_MAX 8
#define SEARCH_CANDIDATES_MAX \
	128 /* what whoever drives a search holds: the space, and what is added */
#define SEARCH_NEIGHBOURS_MAX 6 /* newcomers that a leader brings, the best predicted of them */

struct search; /* the state of one search over `count` candidates */

enum search_outcome {
	SEARCH_TIMED,
	SEARCH_REJECTED, /* wrong, crashed, refused, poisoned */
};

int search_create(uint32_t count, uint32_t baseline, struct search **ret_search); /* -ENOMEM */
void search_destroy(struct search *search);

/* What a candidate is predicted to take: once enough were measured, those that could not win even
 * if they beat their prediction by more than any did are left out. */
void search_expect(struct search *search, uint32_t candidate, double predicted_ns);
/* At most `trials` candidates are measured (0: all), and none further once the best is at
 * `floor_ns`, below which no candidate can be (0: unknown). */
void search_bound(struct search *search, uint32_t trials, double floor_ns);

/* Growing. A candidate that leads and whose neighbours should be looked at, or the count of
 * candidates; each is named once. The best every few newcomers; when none is left, the others near
 * it, as long as there are trials. The caller answers with any number of search_add, for those that
 * the search does not have, and search_prefer, for those it has: they are screened next. */
uint32_t search_expand(struct search *search);
int search_add(struct search *search, double predicted_ns); /* takes the next number; -ENOMEM */
void search_prefer(struct search *search, uint32_t candidate);
/* The newcomer that will be asked for next if nothing changes, or the count of candidates. */
uint32_t search_next(const struct search *search);
/* That and those behind it, `most` at most. Returns how many. */
uint32_t search_coming(const struct search *search, uint32_t most, uint32_t ret_candidates[]);

/* The next candidates to measure side by side, `*ret_samples` samples each; 0 candidates: done.
 * The batch must be told, each member once, before the next ask; members not told are asked for
 * again. Told in the order of the batch: the first is what the speed of the device is known by. */
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
	bool final; /* of the last rounds, in which the leaders ran side by side: see finals.h */
};
struct search_timing search_timing(const struct search *search, uint32_t candidate);
/* The candidate with the least median so far, in the end of the finalists; `count` while none was
 * timed. */
uint32_t search_best(const struct search *search);
uint32_t search_measured(const struct search *search); /* candidates told, timed or rejected */
uint32_t search_goal(const struct search *search);     /* as many as will be told at most */
bool search_in_finals(const struct search *search);    /* what was asked for last is for them */
bool search_done(const struct search *search);
