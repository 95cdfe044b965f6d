/* SPDX-License-Identifier: Apache-2.0
 *
 * From IR to what a target takes: one linear walk each. Output is byte-identical from run to run
 * and machine to machine. Each emitter appends to `out`; failure is out's sticky one (-ENOMEM).
 * All emit one entry point "main", storage bindings in group (set) 0 at their index.
 */
#pragma once

#include "ir/ir.h"

struct buffer;

/* WGSL text, as Dawn accepts it without a warning. Single-use pure values stand inline. */
int emit_wgsl(const struct ir_module *module, struct buffer *out);
/* SPIR-V 1.3 words for Vulkan 1.1, little-endian. */
int emit_spirv(const struct ir_module *module, struct buffer *out);
/* The same as Tint makes it of the WGSL: indices of workgroup memory it cannot prove in bounds are
 * clamped, workgroup memory is zeroed, divisors, shifts and NaNs are minded. `clamps_storage`:
 * those of storage too, as Dawn has it where the driver lacks robustBufferAccess2. */
int emit_spirv_web(const struct ir_module *module, bool clamps_storage, struct buffer *out);
/* GLSL 4.50 for shaderc: the conventional path, to compare with. -ENOTSUP for cooperative matrices,
 * which the shaderc of Debian 12 does not know. */
int emit_glsl(const struct ir_module *module, struct buffer *out);

/* Runs the module in plain C, all invocations of a workgroup in lockstep: the oracle that needs
 * no GPU. `buffers[i]` is binding i (length from the module). Out-of-bounds accesses are counted,
 * read as 0 and not written. -ENOMEM. */
struct emit_eval {
	uint32_t workgroups[3];
	uint32_t subgroup_size; /* > 0 where the module uses subgroups: lanes are consecutive */
	uint32_t uniforms[4];   /* the uniform block */
	void *buffers[IR_BINDINGS_MAX]; /* f16 elements are 16 bits wide */
	/* Of each buffer, in elements of the binding's type; 0: as the module says. */
	uint32_t lengths[IR_BINDINGS_MAX];
	uint64_t out_of_bounds; /* counted here */
};
int emit_eval(const struct ir_module *module, struct emit_eval *run);
