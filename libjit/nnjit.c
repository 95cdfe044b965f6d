/* SPDX-License-Identifier: Apache-2.0
 *
 * Behind the door: lower, then emit, in memory that is kept from one kernel to the next.
 */
#include "nnjit.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "lower/lower.h"
#include "schedule/family.h"

#include <errno.h>

const uint32_t nnjit_generation = 5;

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

int nnjit_lower(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        const struct ir_module **ret_module)
{
	if (lower_kernel(nnjit->builder, op, schedule))
		return -EINVAL;
	return ir_finish(nnjit->builder, ret_module);
}

void nnjit_dimensions(const struct op *op, struct kernel *kernel)
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
	union family_shape shape;
	struct geometry g;

	family_of(op)->derive(op, schedule, &g, &shape, NULL);
	nnjit_dimensions(op, kernel);
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

int nnjit_generate(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        nnjit_emitter *emit, struct kernel *ret_kernel)
{
	const struct ir_module *module;
	int r = nnjit_lower(nnjit, op, schedule, &module);

	if (r)
		return r;
	buffer_clear(&nnjit->code);
	r = emit(module, &nnjit->code);
	if (r)
		return r;
	struct kernel kernel = {
	        .code = nnjit->code.data, .code_bytes = nnjit->code.length, .entry_point = "main"};
	describe(op, schedule, module, &kernel);
	*ret_kernel = kernel;
	return 0;
}
