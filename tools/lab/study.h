/* SPDX-License-Identifier: Apache-2.0
 *
 * A study of one operator's space (`nnjit-lab space`): every schedule that was tried, each
 * measured beside the one that the search picked, and what they come to.
 */
#pragma once

#include "tools/lab/full.h"
#include "tools/lab/lab.h"

#include "space/space.h"

struct plan {                  /* what is asked for */
	uint64_t sample, seed; /* of the full space; UINT64_MAX: all of it */
	uint32_t climb;        /* kernels that a climb from the best may take */
	uint32_t trials;       /* candidates that the search may measure */
	double budget_s;       /* for one operator */
};

enum from { FROM_LITE = 1, FROM_SAMPLE = 2, FROM_CLIMB = 4, FROM_SEARCH = 8 /* a neighbour */ };

struct tried {
	struct schedule schedule;
	uint32_t from; /* bits: where it comes from */
	bool measured, failed;
	double ratio;    /* to the pick, side by side; rough where it is far above 1 */
	double final_ns; /* the last comparison; 0: was not in it */
	char why[80];    /* it failed */
};

struct study {
	const struct plan *plan;
	struct lab *lab;
	const char *asked; /* the operator's text as it was given */
	struct full *full;
	struct space space;
	struct tried *tried; /* the lite space first, in its order */
	uint32_t count, room;
	uint32_t trials; /* candidates that the search measured */
	uint32_t pick;   /* of tried; count: nothing could be measured */
	double pick_ns;  /* as last timed */
	double begun_s, deadline_s;
	bool exhausted, cut; /* the sample is all there is; time was over before it was done */
};

/* Runs it; failures are printed; an exit code. */
int study_run(struct study *study);
void study_free(struct study *study);
double study_now_s(void);
/* The best of those that come from `from`, by the last comparison; count: none. */
uint32_t study_best(const struct study *study, uint32_t from);
/* Prints it as text or JSON (study_print.c). */
void study_print(const struct study *study, bool json);
