/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a launch takes: recorded once, submitted as often as wanted, read from the device's
 * own clock. Repeats within a submission are kept apart by barriers, so they never overlap.
 */
#pragma once

#include "daemon/gpu/device.h"

#define RUN_SLICES_MAX 64

/* Recorded submissions: either one that repeats the launch, or several that together are one
 * launch, each a slice of its workgroups. */
struct run {
	uint32_t repeats, slices; /* one of them is 1 */
	struct gpu_commands *commands[RUN_SLICES_MAX];
};

/* How long a launch takes as far as is known, and how long a submission shall last: the launch is
 * repeated if it is shorter, and sliced if it is longer than TIMING_SUBMISSION_NS and can be. */
struct run_size {
	double launch_ns, target_ns;
};
#define TIMING_SUBMISSION_NS 40e6
#define TIMING_SAMPLE_NS     3e6
#define TIMING_WALL_NS       20e6 /* for a sample where only the host's clock can be used */
int run_record(const struct gpu_launch *launch, const struct run_size *size, struct run *ret_run,
        struct error *err);
void run_free(struct device *device, struct run *run); /* zeroed is fine */
/* Submits it all; *ret_ns is the time of one launch. */
int run_time(struct device *device, const struct run *run, double *ret_ns, struct error *err);

/* There are timestamps, and they have been plausible so far. */
bool timing_has_timestamps(const struct device *device);
/* What a sample should last with the clock there is. */
double timing_target_ns(const struct device *device);
