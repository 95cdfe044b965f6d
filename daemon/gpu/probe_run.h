/* SPDX-License-Identifier: Apache-2.0
 *
 * What every measure of the probe needs: buffers, a budget, and the least time of a kernel.
 */
#pragma once

#include "daemon/gpu/probe_kernels.h"
#include "daemon/gpu/timing.h"

#include <stdio.h>

#define PROBE_SAMPLE_NS 8e6 /* long enough for a GPU to raise its clock, short on a processor */

struct probe {
	struct device *device;
	struct probe_writer writer; /* its length: of each of the first two buffers */
	struct gpu_buffer *source, *target, *word;
	struct gpu_bindings *bindings;
	struct fma_shape fastest; /* so far; zero: none */
	double deadline_ns;       /* no measure goes on behind it */
	FILE *trace;              /* told of each kernel's rate; or NULL */
};

int probe_prepare(struct probe *probe, struct device *device, struct error *err);
void probe_tell(const struct probe *probe, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void probe_finish(struct probe *probe); /* not after ANSWER_DEVICE_LOST */
bool probe_is_cpu(const struct probe *probe);
bool probe_has_time(const struct probe *probe);
uint32_t probe_at_most(double value, uint32_t most); /* 1 at least */

/* A kernel as it is run: over `workgroups`; where more are allowed, over as many as fill a sample.
 */
struct probe_kernel {
	struct gpu_pipeline *pipeline;
	uint32_t workgroups, workgroups_max;
};
/* Compiles what a function of probe_kernels.h wrote; `failed` is what that returned. */
int probe_make(struct probe *probe, int failed, struct probe_kernel *kernel, struct error *err);
void probe_drop(struct probe *probe, int answer, struct probe_kernel *kernel);
/* Runs it once; and what the first lane of the target's first element is. */
int probe_run(struct probe *probe, const struct probe_kernel *kernel, struct error *err);
int probe_read(struct probe *probe, float *ret_value, struct error *err);
/* Nanoseconds of one dispatch, the least of several; `kernel` keeps the workgroups it took. */
int probe_time(struct probe *probe, struct probe_kernel *kernel, double *ret_ns, struct error *err);
/* The same of `repeats` at least dispatches in one submission. */
int probe_time_repeated(struct probe *probe, const struct probe_kernel *kernel, uint32_t repeats,
        double *ret_ns, struct error *err);
