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

const uint32_t nnjit_generation = 1;

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
	if (space_check(op, schedule, NULL, NULL))
		return -EINVAL;
	lower_contraction(nnjit->builder, op, schedule);
	return ir_finish(nnjit->builder, ret_module);
}

int nnjit_generate(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        enum nnjit_target target, struct kernel *ret_kernel)
{
	static int (*const emit[])(const struct ir_module *, struct buffer *) = {
	        [NNJIT_WGSL] = emit_wgsl, [NNJIT_SPIRV] = emit_spirv, [NNJIT_GLSL] = emit_glsl};
	const struct ir_module *module;
	int r = lower(nnjit, op, schedule, &module);

	if (r)
		return r;
	buffer_clear(&nnjit->code);
	r = emit[target](module, &nnjit->code);
	if (r)
		return r;
	struct kernel kernel = {.code = nnjit->code.data,
	        .code_bytes = nnjit->code.length,
	        .entry_point = "main",
	        .features = module->uses_subgroups ? FEATURE_SUBGROUPS : 0};
	for (uint32_t i = 0; i < module->shared_count; i++)
		kernel.workgroup_bytes += module->shared[i].length *
		                          ir_bytes_of(module->shared[i].type);
	space_workgroups(op, schedule, kernel.workgroup_size, kernel.workgroups);
	kernel.tensor_count = op_tensors(op, kernel.tensors);
	*ret_kernel = kernel;
	return 0;
}

int nnjit_eval(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        uint32_t subgroup_size, void *const buffers[])
{
	const struct ir_module *module;
	struct emit_eval run = {.subgroup_size = subgroup_size};
	uint32_t workgroup_size[3];
	int r = lower(nnjit, op, schedule, &module);

	if (r)
		return r;
	space_workgroups(op, schedule, workgroup_size, run.workgroups);
	memcpy(run.buffers, buffers, module->binding_count * sizeof *buffers);
	r = emit_eval(module, &run);
	if (r)
		return r;
	return run.out_of_bounds ? -EFAULT : 0;
}

double reference_element(const struct op *op, void *const buffers[], uint64_t element)
{
	return reference_contraction(op, buffers, element);
}
