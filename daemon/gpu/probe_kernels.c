/* SPDX-License-Identifier: Apache-2.0
 *
 * Probe kernels, written in the same IR and emitted by the same emitter as those to be tuned, so
 * that what they reach can be reached. Must not know a device.
 */
#include "daemon/gpu/probe_kernels.h"
#include "emit/emit.h"

#define CHAINS_MAX 16

static const ir_type vec4 = IR_TYPE(IR_F32, 4);

static void begin(struct ir_builder *b, uint32_t invocations, uint32_t length)
{
	const uint32_t size[3] = {invocations, 1, 1};

	ir_begin(b, size);
	ir_binding(b, "source", vec4, false, length);
	ir_binding(b, "target", vec4, true, length);
}

static int end(struct ir_builder *b, struct buffer *out)
{
	const struct ir_module *module;
	int failure = ir_finish(b, &module);

	return failure ? failure : emit_spirv(module, out);
}

/* The first element of this workgroup's, plus this invocation's. */
static ir_id element(struct ir_builder *b, uint32_t per_workgroup)
{
	ir_id start = ir_mul(b, ir_builtin(b, IR_WORKGROUP_ID_X), ir_u32(b, per_workgroup));

	return ir_add(b, start, ir_builtin(b, IR_LOCAL_ID_X));
}

static ir_id step(struct ir_builder *b, bool fused, ir_id x, ir_id scale, ir_id offset)
{
	if (fused)
		return ir_compute(b, IR_FMA, x, scale, offset);
	return ir_add(b, ir_mul(b, x, scale), offset);
}

int probe_fma_kernel(
        struct ir_builder *b, const struct fma_shape *shape, uint32_t length, struct buffer *out)
{
	ir_id chains[CHAINS_MAX];

	begin(b, shape->invocations, length);
	ir_id at = element(b, shape->invocations);
	ir_id scale = ir_load(b, 0, ir_u32(b, 0)), offset = ir_load(b, 0, ir_u32(b, 1));
	ir_id seed = ir_splat(b, ir_convert(b, ir_builtin(b, IR_LOCAL_ID_X), IR_F32), 4);
	for (uint32_t i = 0; i < shape->chains; i++)
		chains[i] = ir_var(b, ir_add(b, seed, ir_splat(b, ir_f32(b, (float)(i + 1)), 4)));
	ir_loop(b, ir_u32(b, 0), ir_u32(b, shape->turns), 1);
	for (uint32_t i = 0; i < shape->chains; i++) {
		ir_id x = ir_get(b, chains[i]);
		for (uint32_t j = 0; j < shape->unroll; j++)
			x = step(b, shape->fused, x, scale, offset);
		ir_set(b, chains[i], x);
	}
	ir_end(b);
	ir_id sum = ir_get(b, chains[0]);
	for (uint32_t i = 1; i < shape->chains; i++)
		sum = ir_add(b, sum, ir_get(b, chains[i]));
	ir_store(b, 1, at, sum);
	return end(b, out);
}

int probe_copy_kernel(
        struct ir_builder *b, const struct copy_shape *shape, uint32_t length, struct buffer *out)
{
	begin(b, shape->invocations, length);
	ir_id at = element(b, shape->invocations * shape->each);
	for (uint32_t i = 0; i < shape->each; i++) {
		ir_id here = ir_add(b, at, ir_u32(b, i * shape->invocations));
		ir_store(b, 1, here, ir_load(b, 0, here));
	}
	return end(b, out);
}

int probe_empty_kernel(struct ir_builder *b, uint32_t length, struct buffer *out)
{
	begin(b, 1, length);
	return end(b, out);
}
