/* SPDX-License-Identifier: Apache-2.0
 *
 * Probe kernels, written in the same IR and emitted by the same emitter as those to be tuned, so
 * that what they reach can be reached. Must not know a device.
 */
#include "daemon/gpu/probe_kernels.h"

static const ir_type vec4 = IR_TYPE(IR_F32, 4);

static struct ir_builder *begin(struct probe_writer *writer, uint32_t invocations)
{
	const uint32_t size[3] = {invocations, 1, 1};
	struct ir_builder *b = writer->builder;

	ir_begin(b, size);
	ir_binding(b, "source", vec4, false, writer->length);
	ir_binding(b, "target", vec4, true, writer->length);
	return b;
}

static int end(struct probe_writer *writer)
{
	const struct ir_module *module;
	int failure = ir_finish(writer->builder, &module);

	buffer_clear(&writer->code);
	return failure ? failure : writer->emit(module, &writer->code);
}

/* The first element of this workgroup's, plus this invocation's. */
static ir_id element(struct ir_builder *b, uint32_t per_workgroup)
{
	ir_id start = ir_mul(b, ir_builtin(b, IR_WORKGROUP_ID_X), ir_u32(b, per_workgroup));

	return ir_add(b, start, ir_builtin(b, IR_LOCAL_ID_X));
}

/* ---- Arithmetic. */

/* What chains begin with, and two values that no compiler knows, for their steps. */
struct chains {
	ir_id first[PROBE_CHAINS_MAX], scale, offset;
};

/* One step of a chain: of `x`. */
typedef ir_id step_of(
        struct ir_builder *b, const struct fma_shape *shape, const struct chains *chains, ir_id x);

static ir_id step_fma(
        struct ir_builder *b, const struct fma_shape *shape, const struct chains *chains, ir_id x)
{
	if (shape->fused)
		return ir_compute(b, IR_FMA, x, chains->scale, chains->offset);
	return ir_add(b, ir_mul(b, x, chains->scale), chains->offset);
}

static ir_id step_dot4(
        struct ir_builder *b, const struct fma_shape *shape, const struct chains *chains, ir_id x)
{
	ir_id word = ir_bitcast(b, x, IR_TYPE(IR_U32, 1));

	(void)shape;
	return ir_add(b, x, ir_dot4i8(b, word, chains->scale));
}

/* Returns the sum of all. */
static ir_id run_chains(struct ir_builder *b, const struct fma_shape *shape, step_of *step,
        const struct chains *chains)
{
	ir_id values[PROBE_CHAINS_MAX];

	for (uint32_t i = 0; i < shape->chains; i++)
		values[i] = ir_var(b, chains->first[i]);
	ir_loop(b, ir_u32(b, 0), ir_u32(b, shape->turns), 1);
	for (uint32_t i = 0; i < shape->chains; i++) {
		ir_id x = ir_get(b, values[i]);
		for (uint32_t j = 0; j < shape->unroll; j++)
			x = step(b, shape, chains, x);
		ir_set(b, values[i], x);
	}
	ir_end(b);
	ir_id sum = ir_get(b, values[0]);
	for (uint32_t i = 1; i < shape->chains; i++)
		sum = ir_add(b, sum, ir_get(b, values[i]));
	return sum;
}

static ir_id converted(struct ir_builder *b, ir_id value, enum ir_scalar to)
{
	return ir_scalar_of(ir_type_of(b, value)) == to ? value : ir_convert(b, value, to);
}

static int fma_kernel(
        struct probe_writer *writer, const struct fma_shape *shape, enum ir_scalar scalar)
{
	struct ir_builder *b = begin(writer, shape->invocations);
	struct chains chains;

	ir_id at = element(b, shape->invocations);
	chains.scale = converted(b, ir_load(b, 0, ir_u32(b, 0)), scalar);
	chains.offset = converted(b, ir_load(b, 0, ir_u32(b, 1)), scalar);
	ir_id seed = ir_splat(b, ir_convert(b, ir_builtin(b, IR_LOCAL_ID_X), scalar), 4);
	for (uint32_t i = 0; i < shape->chains; i++)
		chains.first[i] = ir_add(
		        b, seed, ir_splat(b, ir_float(b, scalar, (float)(i + 1)), 4));
	ir_id sum = run_chains(b, shape, step_fma, &chains);
	ir_store(b, 1, at, converted(b, sum, IR_F32));
	return end(writer);
}

int probe_fma_kernel(struct probe_writer *writer, const struct fma_shape *shape)
{
	return fma_kernel(writer, shape, IR_F32);
}

int probe_half_kernel(struct probe_writer *writer, const struct fma_shape *shape)
{
	return fma_kernel(writer, shape, IR_F16);
}

int probe_dot4_kernel(struct probe_writer *writer, const struct fma_shape *shape)
{
	struct ir_builder *b = begin(writer, shape->invocations);
	struct chains chains;

	ir_id at = element(b, shape->invocations);
	ir_id loaded = ir_extract(b, ir_load(b, 0, ir_u32(b, 0)), 0);
	chains.scale = ir_bitcast(b, loaded, IR_TYPE(IR_U32, 1));
	ir_id seed = ir_convert(b, ir_builtin(b, IR_LOCAL_ID_X), IR_I32);
	for (uint32_t i = 0; i < shape->chains; i++)
		chains.first[i] = ir_add(b, seed, ir_i32(b, (int32_t)i + 1));
	ir_id sum = run_chains(b, shape, step_dot4, &chains);
	ir_store(b, 1, at, ir_splat(b, ir_convert(b, sum, IR_F32), 4));
	return end(writer);
}

/* ---- Memory. */

int probe_copy_kernel(struct probe_writer *writer, const struct copy_shape *shape)
{
	struct ir_builder *b = begin(writer, shape->invocations);

	ir_id at = element(b, shape->invocations * shape->each);
	for (uint32_t i = 0; i < shape->each; i++) {
		ir_id here = ir_add(b, at, ir_u32(b, i * shape->invocations));
		ir_store(b, 1, here, ir_load(b, 0, here));
	}
	return end(writer);
}

static void fill_shared(struct ir_builder *b)
{
	ir_id local = ir_builtin(b, IR_LOCAL_ID_X), value = ir_load(b, 0, local);

	ir_shared_store(b, 0, local, value);
	ir_barrier(b);
}

#define READ_CHAINS 4

int probe_read_kernel(struct probe_writer *writer, const struct read_shape *shape, bool shared)
{
	struct ir_builder *b = begin(writer, shape->invocations);
	uint32_t turn = shape->invocations * shape->each;
	ir_id sums[READ_CHAINS], here, value;

	if (shared) {
		ir_shared(b, vec4, shape->invocations);
		fill_shared(b);
	}
	ir_id mask = shared ? ir_u32(b, shape->invocations - 1) : ir_uniform(b, 0);
	ir_id start = element(b, turn * shape->turns);
	for (uint32_t i = 0; i < READ_CHAINS; i++)
		sums[i] = ir_var(b, ir_splat(b, ir_f32(b, 0), 4));
	ir_id i = ir_loop(b, ir_u32(b, 0), ir_u32(b, turn * shape->turns), turn);
	ir_id at = ir_add(b, start, i);
	for (uint32_t j = 0; j < shape->each; j++) {
		/* Of workgroup memory the neighbour's: else each would read its own again. */
		here = ir_add(b, at, ir_u32(b, j * (shape->invocations + (shared ? 1 : 0))));
		here = ir_compute(b, IR_AND, here, mask, 0);
		value = shared ? ir_shared_load(b, 0, here) : ir_load(b, 0, here);
		ir_set(b, sums[j % READ_CHAINS],
		        ir_add(b, ir_get(b, sums[j % READ_CHAINS]), value));
	}
	ir_end(b);
	ir_id sum = ir_get(b, sums[0]);
	for (uint32_t j = 1; j < READ_CHAINS; j++)
		sum = ir_add(b, sum, ir_get(b, sums[j]));
	ir_store(b, 1, element(b, shape->invocations), sum);
	return end(writer);
}

/* ---- Overheads. */

int probe_barrier_kernel(struct probe_writer *writer, uint32_t invocations, uint32_t turns)
{
	struct ir_builder *b = begin(writer, invocations);

	ir_shared(b, vec4, invocations);
	fill_shared(b); /* memory that the barriers are about */
	ir_loop(b, ir_u32(b, 0), ir_u32(b, turns), 1);
	ir_barrier(b);
	ir_end(b);
	ir_id local = ir_builtin(b, IR_LOCAL_ID_X);
	ir_store(b, 1, local, ir_shared_load(b, 0, local));
	return end(writer);
}

/* ---- What drivers end or lack. */

/* No compiler knows the sum: what it would be of is in memory. */
int probe_turns_kernel(struct probe_writer *writer, uint32_t within)
{
	struct ir_builder *b = begin(writer, 1);
	ir_id zero = ir_u32(b, 0), sum = ir_var(b, ir_f32(b, 0)), turn;

	turn = ir_loop(b, zero, ir_uniform(b, 0), within);
	if (within > 1)
		turn = ir_loop(b, zero, ir_u32(b, within), 1);
	ir_id one = ir_load(b, 0, ir_compute(b, IR_AND, turn, ir_u32(b, 15), 0));
	ir_set(b, sum, ir_add(b, ir_get(b, sum), ir_extract(b, one, 0)));
	if (within > 1)
		ir_end(b);
	ir_end(b);
	ir_store(b, 1, zero, ir_splat(b, ir_get(b, sum), 4));
	return end(writer);
}

static ir_id number_of(struct ir_builder *b, ir_id at)
{
	return ir_splat(b, ir_convert(b, ir_add(b, at, ir_u32(b, 1)), IR_F32), 4);
}

/* All invocations write, then each looks at all: so few turns that any driver takes them. */
int probe_memory_kernel(struct probe_writer *writer, uint32_t invocations, uint32_t vectors)
{
	struct ir_builder *b = begin(writer, invocations);
	ir_id local = ir_builtin(b, IR_LOCAL_ID_X), kept = ir_var(b, ir_f32(b, 0)), at;

	ir_shared(b, vec4, vectors);
	at = ir_loop(b, local, ir_u32(b, vectors), invocations);
	ir_shared_store(b, 0, at, number_of(b, at));
	ir_end(b);
	ir_barrier(b);
	at = ir_loop(b, ir_u32(b, 0), ir_u32(b, vectors), 1);
	ir_id value = ir_extract(b, ir_shared_load(b, 0, at), 3);
	ir_id same = ir_compute(b, IR_EQ, value, ir_extract(b, number_of(b, at), 3), 0);
	ir_id more = ir_select(b, same, ir_f32(b, 1), ir_f32(b, 0));
	ir_set(b, kept, ir_add(b, ir_get(b, kept), more));
	ir_end(b);
	ir_store(b, 1, local, ir_splat(b, ir_get(b, kept), 4));
	return end(writer);
}

int probe_empty_kernel(struct probe_writer *writer)
{
	begin(writer, 1);
	return end(writer);
}
