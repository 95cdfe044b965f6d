/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels that the probe runs, as SPIR-V. Each is appended to `out`.
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "ir/ir.h"

/* Independent chains of vec4 multiply-adds: `turns` turns of `unroll` on each of `chains`. Reads
 * binding 0 (two vec4), writes binding 1 (a vec4 an invocation), length vec4s each. */
struct fma_shape {
	uint32_t invocations, chains, unroll, turns;
	bool fused; /* fma(), else a product and a sum */
};
int probe_fma_kernel(struct ir_builder *builder, const struct fma_shape *shape, uint32_t length,
        struct buffer *out);

/* Copies binding 0 to binding 1: `each` vec4s an invocation, adjacent invocations adjacent vec4s.
 */
struct copy_shape {
	uint32_t invocations, each;
};
int probe_copy_kernel(struct ir_builder *builder, const struct copy_shape *shape, uint32_t length,
        struct buffer *out);

/* Does nothing. */
int probe_empty_kernel(struct ir_builder *builder, uint32_t length, struct buffer *out);
