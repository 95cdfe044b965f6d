/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels that the probe runs, as the device's API wants them. All have the same bindings: 0 is
 * read and 1 is written, `length` vec4<f32> each (a power of two), and 2 is a uniform block, whose
 * first word the host may change from run to run.
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "emit/emit.h"
#include "ir/ir.h"

/* What a kernel is written with, and the code of the last one. */
struct probe_writer {
	struct ir_builder *builder;
	nnjit_emitter *emit;
	uint32_t length;
	struct buffer code;
};

/* Each function below writes one kernel. 0 or -ENOMEM. */

/* Independent chains of multiply-adds of four lanes: `turns` turns of `unroll` on each of `chains`.
 * Writes a vec4 an invocation. */
struct fma_shape {
	uint32_t invocations, chains, unroll, turns;
	bool fused; /* fma(), else a product and a sum */
};
#define PROBE_CHAINS_MAX 64
typedef int probe_chain_kernel(struct probe_writer *writer, const struct fma_shape *shape);
probe_chain_kernel probe_fma_kernel;

/* The same in f16; and of packed dot products, one lane a chain, accumulated, where `fused` means
 * nothing. */
probe_chain_kernel probe_half_kernel, probe_dot4_kernel;

/* Copies binding 0 to binding 1: `each` vec4s an invocation, adjacent invocations adjacent vec4s.
 */
struct copy_shape {
	uint32_t invocations, each;
};
int probe_copy_kernel(struct probe_writer *writer, const struct copy_shape *shape);

/* Reads `turns` times `each` vec4s an invocation, adjacent invocations adjacent vec4s, from the
 * window at the start of binding 0 that is the uniform word and one vec4s long, a power of two.
 * Workgroups start one behind the other. `shared`: from as large an array of workgroup memory as
 * there are invocations, a power of two. */
struct read_shape {
	uint32_t invocations, each, turns;
};
int probe_read_kernel(struct probe_writer *writer, const struct read_shape *shape, bool shared);

/* `turns` barriers, and nothing between them. */
int probe_barrier_kernel(struct probe_writer *writer, uint32_t invocations, uint32_t turns);

/* As many turns as the uniform word says, `within` of them in an inner loop unless that is 1; each
 * adds the first lane of an element of binding 0. Invocation 0 writes the sum to the first element.
 */
int probe_turns_kernel(struct probe_writer *writer, uint32_t within);

/* Writes `vectors` elements of workgroup memory, a multiple of `invocations`, each with its own
 * number. Then the first element of the target is how many of them hold it still. */
int probe_memory_kernel(struct probe_writer *writer, uint32_t invocations, uint32_t vectors);

/* Does nothing. */
int probe_empty_kernel(struct probe_writer *writer);
