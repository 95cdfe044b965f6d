/* SPDX-License-Identifier: Apache-2.0
 *
 * One operator's tensors on the device, filled with random inputs, and what its output must be at
 * sampled elements. Every candidate of the operator runs on the same ones.
 */
#pragma once

#include "daemon/gpu/pipeline.h"
#include "daemon/gpu/samples.h"

#define WORKLOAD_POISON    0x7fc00001u /* a NaN that no arithmetic produces */
#define WORKLOAD_WHOLE_MAX (4u << 20)  /* elements up to which the whole output is looked at */

struct workload {
	struct op op;
	uint32_t tensor_count, output; /* output: the index of it */
	struct tensor tensors[OP_TENSORS_MAX];
	struct gpu_buffer buffers[OP_TENSORS_MAX];
	struct bindings bindings;
	struct samples samples;
	struct gpu_buffer results; /* the host's view of the output, where that is not mapped */
	VkCommandBuffer collect;   /* fetches it: all of it, or the sampled elements in order */
	bool whole;                /* all of it can be seen */
};

int workload_load(struct device *device, const struct op *op, uint64_t seed,
        struct workload **ret_workload, struct error *err);
void workload_free(struct device *device, struct workload *workload); /* NULL is fine */

/* Overwrites the output, so that an element nobody wrote cannot pass for a right one. */
int workload_poison(struct device *device, struct workload *workload, struct error *err);
/* For tests of the verification: changes one element that it looks at. */
int workload_spoil(struct device *device, struct workload *workload, struct error *err);

struct comparison {
	double max_rel_err;
	uint32_t checked;   /* elements compared with the reference */
	uint64_t unwritten; /* elements still poisoned */
	uint64_t worst;     /* the element with the largest error */
	double worst_value, worst_reference;
};
int workload_compare(struct device *device, struct workload *workload,
        struct comparison *ret_comparison, struct error *err);
