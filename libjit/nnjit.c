/* SPDX-License-Identifier: Apache-2.0
 *
 * Behind the door: lower, then emit, in memory that is kept from one kernel to the next.
 */
#include "nnjit.h"

#include "emit/emit.h"
#include "lower/lower.h"
#include "reference/reference.h"

#include <errno.h>
#include <string.h>

const uint32_t nnjit_generation = 4;

struct nnjit {
	struct ir_builder *builder;
	struct buffer code;
};

int nnjit_create(struct nnjit **ret_nnjit)
{
	AUTO(free_pointer) struct nnjit *nnjit = calloc(1, sizeof *nnjit);

	if (!nnjit)
		return -ENOMEM;
	int r = ir_builder_create(&nnjit->builder);
	if (!r)
		*ret_nnjit = TAKE(nnjit);
	return r;
}

void nnjit_destroy(struct nnjit *nnjit)
{
	if (!nnjit)
		return;
	ir_builder_destroy(nnjit->builder);
	buffer_free(&nnjit->code);
	free(nnjit);
}

static int lower(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        const struct ir_module **ret_module)
{
	if (lower_kernel(nnjit->builder, op, schedule))
		return -EINVAL;
	return ir_finish(nnjit->builder, ret_module);
}

static void describe_dimensions(const struct op *op, struct kernel *kernel)
{
	kernel->dimension_count = op->dynamic_count;
	for (uint32_t i = 0; i < op->dynamic_count; i++) {
		struct kernel_dimension *d = &kernel->dimensions[i];
		op_dynamic_name(op, i, d->name);
		op_range(op, i, &d->low, &d->high);
		d->hint = op->value[op->dynamic[i].value];
	}
}

static void describe(const struct op *op, const struct schedule *schedule,
        const struct ir_module *module, struct kernel *kernel)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0};
	struct geometry g;

	space_geometry(op, schedule, &g, NULL);
	describe_dimensions(op, kernel);
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = kernel->dimensions[i].hint;
	for (uint32_t i = 0; i < 3; i++) {
		kernel->workgroup_size[i] = g.workgroup_size[i];
		kernel->grid[i] = g.grid[i];
		kernel->workgroups[i] = (uint32_t)extent_at(&g.grid[i], dims);
	}
	for (uint32_t i = 0; i < module->shared_count; i++)
		kernel->workgroup_bytes += module->shared[i].length *
		                           ir_bytes_of(module->shared[i].type);
	kernel->features = (module->uses_subgroups ? FEATURE_SUBGROUPS : 0u) |
	                   (module->uses_f16 ? FEATURE_F16 : 0u) |
	                   (module->uses_dot4 ? FEATURE_DOT4 : 0u) |
	                   (module->matrices.m ? FEATURE_MATRIX : 0u);
	kernel->tensor_count = op_tensors(op, kernel->tensors);
}

static int emit_web(const struct ir_module *module, struct buffer *out)
{
	return emit_spirv_web(module, false, out);
}

static int emit_web_clamped(const struct ir_module *module, struct buffer *out)
{
	return emit_spirv_web(module, true, out);
}

int nnjit_generate(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        enum nnjit_target target, struct kernel *ret_kernel)
{
	static int (*const emit[])(const struct ir_module *, struct buffer *) = {
	        [NNJIT_WGSL] = emit_wgsl,
	        [NNJIT_SPIRV] = emit_spirv,
	        [NNJIT_GLSL] = emit_glsl,
	        [NNJIT_SPIRV_WEB] = emit_web,
	        [NNJIT_SPIRV_WEB_CLAMPED] = emit_web_clamped};
	const struct ir_module *module;
	int r = lower(nnjit, op, schedule, &module);

	if (r)
		return r;
	buffer_clear(&nnjit->code);
	r = emit[target](module, &nnjit->code);
	if (r)
		return r;
	struct kernel kernel = {
	        .code = nnjit->code.data, .code_bytes = nnjit->code.length, .entry_point = "main"};
	describe(op, schedule, module, &kernel);
	*ret_kernel = kernel;
	return 0;
}

/* The interpreter's run of a kernel with these dimensions. */
static struct emit_eval make_run(const struct op *op, const struct schedule *schedule,
        const struct ir_module *module, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct tensor tensors[OP_TENSORS_MAX];
	struct emit_eval run = {0};
	struct geometry g;
	struct op at = op_at(op, dims);

	space_geometry(op, schedule, &g, NULL);
	op_tensors(&at, tensors);
	for (uint32_t i = 0; i < 3; i++)
		run.workgroups[i] = (uint32_t)extent_at(&g.grid[i], dims);
	for (uint32_t i = 0; i < module->binding_count; i++)
		run.lengths[i] = (uint32_t)(tensor_bytes(&tensors[i]) /
		                            ir_bytes_of(module->bindings[i].type));
	memcpy(run.uniforms, dims, sizeof run.uniforms);
	return run;
}

int nnjit_eval(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        uint32_t subgroup_size, const uint32_t dims[OP_DYNAMIC_MAX], void *const buffers[])
{
	uint32_t tuned_as[OP_DYNAMIC_MAX] = {0};
	const struct ir_module *module;
	int r = lower(nnjit, op, schedule, &module);

	if (r)
		return r;
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		tuned_as[i] = op->value[op->dynamic[i].value];
	struct emit_eval run = make_run(op, schedule, module, dims ? dims : tuned_as);
	run.subgroup_size = subgroup_size;
	memcpy(run.buffers, buffers, module->binding_count * sizeof *buffers);
	r = emit_eval(module, &run);
	if (r)
		return r;
	return run.out_of_bounds ? -EFAULT : 0;
}
