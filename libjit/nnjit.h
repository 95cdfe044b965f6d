/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to the generator for everybody outside libjit: from an operator and a schedule to
 * code. Pure: no file, clock, thread, socket or log; the same arguments give the same bytes on
 * every machine. A program links the emitters that it names, and nothing of the search, the
 * reference or the interpreter unless it includes their headers.
 */
#pragma once

#include "emit/emit.h"
#include "op/op.h"
#include "schedule/geometry.h"
#include "schedule/schedule.h"

#include <stddef.h>

/* Memory reused from one kernel to the next; one a thread. */
struct nnjit;
int nnjit_create(struct nnjit **ret_nnjit); /* -ENOMEM */
void nnjit_destroy(struct nnjit *nnjit);    /* NULL is fine */

struct kernel {
	const char *code;  /* text, NUL-terminated, or words in little-endian order; owned by the
	                    * nnjit, valid until its next call */
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

/* Generates the kernel with one of the emitters (emit/text/wgsl.h, emit/spirv/spirv.h). The
 * schedule must pass space_check (-EINVAL if it is malformed). -ENOMEM; -ENOTSUP from the emitter.
 */
int nnjit_generate(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        nnjit_emitter *emit, struct kernel *ret_kernel);

/* Fills in the dimensions alone. */
void nnjit_dimensions(const struct op *op, struct kernel *kernel);

/* Its first half: the kernel as a module of the IR, owned by the nnjit, valid until its next call.
 * -EINVAL if the schedule is malformed. -ENOMEM. */
int nnjit_lower(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        const struct ir_module **ret_module);

/* A number that changes whenever the same schedule may give other code: part of stored keys. */
extern const uint32_t nnjit_generation;
