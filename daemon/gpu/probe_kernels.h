/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels that the probe runs, as SPIR-V. Each is appended to `out`. All have the same
 * bindings: 0 is read and 1 is written, `length` vec4<f32> each (a power of two), and 2 is a
 * uniform block, whose first word the host may change from run to run.
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "ir/ir.h"

/* Independent chains of multiply-adds of four lanes: `turns` turns of `unroll` on each of `chains`.
 * Writes a vec4 an invocation. */
struct fma_shape {
	uint32_t invocations, chains, unroll, turns;
	bool fused; /* fma(), else a product and a sum */
};
#define PROBE_CHAINS_MAX 64
int probe_fma_kernel(struct ir_builder *builder, const struct fma_shape *shape, uint32_t length,
        struct buffer *out);

/* The same in f16; and of packed dot products, one lane a chain, accumulated, where `fused` means
 * nothing. */
int probe_half_kernel(struct ir_builder *builder, const struct fma_shape *shape, uint32_t length,
        struct buffer *out);
int probe_dot4_kernel(struct ir_builder *builder, const struct fma_shape *shape, uint32_t length,
        struct buffer *out);

/* Copies binding 0 to binding 1: `each` vec4s an invocation, adjacent invocations adjacent vec4s.
 */
struct copy_shape {
	uint32_t invocations, each;
};
int probe_copy_kernel(struct ir_builder *builder, const struct copy_shape *shape, uint32_t length,
        struct buffer *out);

/* Reads `turns` times `each` vec4s an invocation, adjacent invocations adjacent vec4s, from the
 * window at the start of binding 0 that is the uniform word and one vec4s long, a power of two.
 * Workgroups start one behind the other. `shared`: from as large an array of workgroup memory as
 * there are invocations, a power of two. */
struct read_shape {
	uint32_t invocations, each, turns;
};
int probe_read_kernel(struct ir_builder *builder, const struct read_shape *shape, bool shared,
        uint32_t length, struct buffer *out);

/* `turns` barriers, and nothing between them. */
int probe_barrier_kernel(struct ir_builder *builder, uint32_t invocations, uint32_t turns,
        uint32_t length, struct buffer *out);

/* Does nothing. */
int probe_empty_kernel(struct ir_builder *builder, uint32_t length, struct buffer *out);
