/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to the generator for everybody outside libjit: from an operator and a schedule to
 * code. Pure: no file, clock, thread, socket or log; the same arguments give the same bytes on
 * every machine.
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "op/op.h"
#include "reference/reference.h"
#include "search/search.h"
#include "cost/calibrate.h"
#include "cost/roofline.h"
#include "space/full.h"
#include "schedule/geometry.h"
#include "space/space.h"

enum nnjit_target {
	NNJIT_WGSL,
	NNJIT_SPIRV, /* as a native program would have it */
	NNJIT_GLSL,
	NNJIT_SPIRV_WEB, /* as a browser makes it of the WGSL, on a driver with robustBufferAccess2
	                  */
	NNJIT_SPIRV_WEB_CLAMPED, /* and on one without */
};

/* Memory reused from one kernel to the next; one a thread. */
struct nnjit;
int nnjit_create(struct nnjit **ret_nnjit); /* -ENOMEM */
void nnjit_destroy(struct nnjit *nnjit);

struct kernel {
	const char *code;  /* text, NUL-terminated, or SPIR-V words; owned by the nnjit, valid until
	                    * its next call */
	size_t code_bytes; /* NUL not counted */
	const char *entry_point;
	uint32_t workgroup_size[3];
	uint32_t workgroups[3];   /* with the dimensions it is tuned as */
	struct extent grid[3];    /* with any: extent_at */
	uint32_t dimension_count; /* dynamic ones: the uniform block's u32, in order; it is a
	                           * vec4<u32> bound after the tensors */
	struct kernel_dimension {
		char name[24];
		uint32_t low, high, hint; /* what it may be, and is tuned as */
	} dimensions[OP_DYNAMIC_MAX];
	uint32_t tensor_count;
	struct tensor tensors[OP_TENSORS_MAX]; /* tensor n is binding n of group 0 */
	uint32_t features;                     /* enum feature bits the code needs */
	uint32_t workgroup_bytes;              /* workgroup memory it uses */
};

/* Generates the kernel. The schedule must pass space_check (-EINVAL if it is malformed).
 * -ENOMEM. */
int nnjit_generate(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        enum nnjit_target target, struct kernel *ret_kernel);

/* Runs the kernel in the interpreter on `buffers` (one a tensor, as dtype.def lays them out, of
 * op_at(op, dims)); dims NULL: as it is tuned. Returns 0, -ENOMEM, -EINVAL, or -EFAULT if it read
 * or wrote out of bounds. */
int nnjit_eval(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        uint32_t subgroup_size, const uint32_t dims[OP_DYNAMIC_MAX], void *const buffers[]);

/* A number that changes whenever the same schedule may give other code: part of stored keys. */
extern const uint32_t nnjit_generation;
