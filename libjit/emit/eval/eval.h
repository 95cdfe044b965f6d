/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter: runs a module in plain C, all invocations of a workgroup in lockstep. It is the
 * oracle that needs no GPU.
 */
#pragma once

#include "ir/ir.h"

struct emit_eval {
	uint32_t workgroups[3];
	uint32_t subgroup_size; /* > 0 where the module uses subgroups: lanes are consecutive */
	uint32_t uniforms[4];   /* the uniform block */
	/* Of binding i: elements of its type; f16 elements are 16 bits wide. */
	void *buffers[IR_BINDINGS_MAX];
	/* Of each buffer, in elements of the binding's type; 0: as the module says. */
	uint32_t lengths[IR_BINDINGS_MAX];
	/* Accesses out of bounds, counted here: they read 0 and do not write. */
	uint64_t out_of_bounds;
	/* How often loops were tested, whatever invocation was in them: the most of any workgroup.
	 */
	uint64_t turns;
};
int emit_eval(const struct ir_module *module, struct emit_eval *run); /* -ENOMEM */
