/* SPDX-License-Identifier: Apache-2.0
 *
 * A candidate on trial: run on a poisoned output, verified, and sized to be timed beside others. Of
 * a dynamic operator it is run at every point of the workload.
 */
#pragma once

#include "daemon/gpu/timing.h"
#include "daemon/gpu/workload.h"

/* A candidate's kernel on the device; a right one is ready to be timed. */
struct trial {
	struct device *device; /* borrowed */
	struct gpu_pipeline *pipeline;
	uint32_t legs; /* the points at which it is timed; its time is the mean of theirs */
	struct leg {
		struct gpu_launch launch;
		struct run run;  /* of about one sample */
		double pilot_ns; /* one dispatch, warm */
	} leg[POINTS_MAX];
	double pilot_ns;  /* the mean */
	double target_ns; /* what the runs are sized for */
};
void trial_free(struct trial *trial); /* NULL is fine */

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

/* Launches what builder.h built, verifies and sizes it, and takes it over. *ret_trial is NULL for a
 * candidate that is not right; ret_verdict is filled whenever 0 is returned. */
struct built;
int trial_try(struct built *built, struct trial **ret_trial, struct verdict *ret_verdict,
        struct error *err);

/* Launches and verifies it, and frees it: nothing is timed. */
int trial_verify(struct built *built, struct verdict *ret_verdict, struct error *err);

/* One sample: the mean over the points. */
int trial_time(const struct trial *trial, double *ret_ns, struct error *err);
/* Sizes the runs anew where the clock that they were sized for has turned out to be of no use. */
int trial_size_again(struct trial *trial, struct error *err);
