/* SPDX-License-Identifier: Apache-2.0
 *
 * A candidate on trial: generated, compiled, run on a poisoned output, verified, and timed beside
 * the others. Of a dynamic operator it is run at every point of the workload.
 */
#pragma once

#include "daemon/gpu/timing.h"
#include "daemon/gpu/validate.h"
#include "daemon/gpu/workload.h"
#include "nnjit.h"

/* A right candidate, ready to be timed. */
struct trial {
	VkPipeline pipeline;
	uint32_t legs; /* the points at which it is timed; its time is the mean of theirs */
	struct leg {
		struct launch launch;
		struct run run;  /* of about one sample */
		double pilot_ns; /* one dispatch, warm */
	} leg[POINTS_MAX];
	double pilot_ns;  /* the mean */
	double target_ns; /* what the runs are sized for */
	/* The same built once more, or NULL: a sample is then the better of both. A processor's
	 * code may happen to lie so that it takes 1.1 to 2 times as long. */
	struct trial *twin;
};

struct verdict {
	bool right;
	char why[160]; /* "" if right */
	double generate_ns, validate_ns;
	double create_ns, pipeline_ns;        /* create_ns: the pipeline without its empty launch */
	double verify_ns, first_ns, pilot_ns; /* verify_ns: of all points; first_ns: one launch */
	size_t code_bytes;
	double max_rel_err;
	uint32_t checked;
};

struct bench { /* what every trial of an operator shares; all borrowed */
	struct device *device;
	struct workload *workload;
	struct nnjit *nnjit;
	struct validator *validator;
};

/* A candidate whose pipeline is made and which was never launched. */
struct attempt;
/* Generates, validates, compiles. On any thread, if nobody else uses the bench's nnjit and
 * validator meanwhile: it submits nothing. ANSWER_DRIVER: the driver refused it. */
int trial_make(const struct bench *bench, uint32_t candidate, const struct schedule *schedule,
        struct attempt **ret_attempt, struct error *err);
/* The same for code that somebody else made, `kernel` saying what nnjit_generate would;
 * bench->nnjit is not used. */
int trial_make_kernel(const struct bench *bench, const struct kernel *kernel,
        struct attempt **ret_attempt, struct error *err);
/* Launches, verifies and sizes it, and takes it over. *ret_trial is NULL for a candidate that is
 * not right; ret_verdict is filled whenever 0 is returned. */
int trial_try(struct attempt *attempt, struct trial **ret_trial, struct verdict *ret_verdict,
        struct error *err);
void attempt_free(struct attempt *attempt);                  /* NULL is fine */
void trial_free(struct device *device, struct trial *trial); /* NULL is fine */

/* Times the trials in interleaved rounds, so that a drifting clock hits all alike. ret_ns has
 * `samples` rows of `count`. *ret_rounds: how many were done; fewer than asked for when the trials
 * are so slow that more would take over about 20 s. */
int trial_time(struct device *device, struct trial *const trials[], uint32_t count,
        uint32_t samples, double *ret_ns, uint32_t *ret_rounds, struct error *err);
