/* SPDX-License-Identifier: Apache-2.0
 *
 * Within libjit/search: the state of a search, and the three sources of what is asked next.
 */
#pragma once

#include "search/finals.h"

#define SAMPLES_MAX    64 /* kept of one candidate, the newest ones */
#define SCREEN_SAMPLES 3

struct entry {
	enum { UNTRIED, TIMED, REJECTED } state;
	bool asked;     /* in the batch under way and not told yet */
	bool preferred; /* screened before those in predicted order */
	bool expanded;  /* its neighbours were asked for */
	bool finalist;
	uint32_t asks, samples, oldest;
	double predicted; /* 0: unknown */
	double median, mad, least;
	double sample[SAMPLES_MAX];
	bool final; /* its times are those of the finals */
};

struct search {
	uint32_t count, baseline, batch_samples;
	uint32_t trials;    /* candidates measured at most */
	uint32_t since;     /* newcomers in predicted order since a leader was expanded */
	uint32_t round;     /* of telling the leaders apart; then come the finals */
	uint32_t reference; /* of the batch under way, or UINT32_MAX */
	double scale;       /* what its samples are kept times */
	double floor;
	uint32_t final_asks;
	bool hurried, refining, done;
	struct finals finals;
	struct entry *entries;
};

/* ---- search.c */
/* What the last batch still owes. */
uint32_t search_untold(const struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX]);
/* The fastest of those timed within `most` that were not taken yet, or count. */
uint32_t search_fastest(
        const struct search *search, double most, bool (*taken)(const struct entry *));
/* Everything is measured side by side with the best so far, which comes first. */
uint32_t search_beside_best(uint32_t batch[static SEARCH_BATCH_MAX], uint32_t count, uint32_t best);

/* Each fills the batch and sets batch_samples; 0: it has nothing more to ask. */
/* ---- screen.c */
uint32_t search_screen(struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX]);
/* ---- refine.c */
uint32_t search_refine(struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX]);
uint32_t search_finals(struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX]);
