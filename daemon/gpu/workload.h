/* SPDX-License-Identifier: Apache-2.0
 *
 * One operator's tensors on the device, filled with random inputs, and what its output must be at
 * sampled elements. Every candidate of the operator runs on the same ones. A dynamic operator is
 * tried at several points: its buffers are as large as the greatest takes, and of each point a set
 * of bindings shows as much of them as its tensors have.
 */
#pragma once

#include "daemon/gpu/device.h"
#include "daemon/gpu/points.h"
#include "daemon/gpu/samples.h"

#define WORKLOAD_WHOLE_MAX (4u << 20) /* elements up to which the whole output is looked at */

struct point {
	struct op op; /* static */
	uint32_t dims[OP_DYNAMIC_MAX];
	struct tensor tensors[OP_TENSORS_MAX];
	struct samples samples;
	bool whole;                   /* all of the output can be seen */
	struct gpu_commands *collect; /* fetches it: all, or the words of the sampled elements in
	                               * order; NULL where the host sees the output itself */
};

struct workload {
	struct device *device; /* borrowed */
	struct op op;
	double share;  /* of the operator that was asked for: 1, or less where memory is short */
	uint64_t seed; /* of the inputs */
	uint32_t tensor_count, output;     /* output: the index of it */
	uint32_t point_count, timed_count; /* the first are timed */
	struct point points[POINTS_MAX];
	struct gpu_buffer *buffers[OP_TENSORS_MAX];
	struct gpu_buffer *uniforms;   /* a block a point; NULL for a static operator */
	struct gpu_bindings *bindings; /* set n is point n's */
	struct gpu_buffer *results;    /* the host's view of the output, where that is not mapped */
	uint8_t *first;                /* elements as the first of two rounds left them */
	enum reference_special inputs;
	struct workload *special; /* the first point over inputs that are no ordinary numbers; NULL:
	                           * there are none, or too many elements */
};

/* Where the device lacks the memory for the operator, a part of it (op_split), the greatest there
 * is room for. */
int workload_load(struct device *device, const struct op *op, uint64_t seed,
        struct workload **ret_workload, struct error *err);
/* The same dynamic operator, at these dimensions alone. */
int workload_load_beside(const struct workload *near, const uint32_t dims[OP_DYNAMIC_MAX],
        struct workload **ret_workload, struct error *err);
/* A static operator over inputs that are no ordinary numbers, and nothing else. */
int workload_load_special(struct device *device, const struct op *op,
        struct workload **ret_workload, struct error *err);
void workload_free(struct workload *workload); /* NULL is fine */

/* How often a kernel must run at each point so that what it did not write is seen: once where some
 * value is no number that an output holds, else twice over different ones. */
uint32_t workload_rounds(const struct workload *workload);
/* Overwrites the output, so that an element nobody wrote cannot pass for a right one. */
int workload_poison(struct workload *workload, uint32_t round, struct error *err);
/* For tests of the verification: changes one element that it looks at. */
int workload_spoil(struct workload *workload, uint32_t point, struct error *err);

/* Of the reference, for the whole output at a point: what a first guess of a launch's time has. */
double workload_steps(const struct workload *workload, uint32_t point);

struct comparison {
	double max_rel_err;
	uint32_t checked;    /* elements compared with the reference */
	uint64_t unwritten;  /* elements still poisoned; known after the last round */
	uint64_t trespassed; /* elements between rows that no longer are */
	uint64_t worst;      /* the element with the largest error */
	double worst_value, worst_reference;
};
int workload_compare(struct workload *workload, uint32_t point, uint32_t round,
        struct comparison *ret_comparison, struct error *err);
