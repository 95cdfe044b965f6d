/* SPDX-License-Identifier: Apache-2.0
 *
 * Lower, then interpret: buffers, dispatch and uniform block of the dimensions asked for.
 */
#include "nnjit_eval.h"

#include "emit/eval/eval.h"
#include "schedule/family.h"

#include <errno.h>
#include <string.h>

/* The interpreter's run of a kernel with these dimensions. */
static struct emit_eval make_run(const struct op *op, const struct schedule *schedule,
        const struct ir_module *module, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct tensor tensors[OP_TENSORS_MAX];
	struct emit_eval run = {0};
	union family_shape shape;
	struct geometry g;
	struct op at = op_at(op, dims);

	family_of(op)->derive(op, schedule, &g, &shape, NULL);
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
        const struct nnjit_eval_params *params)
{
	uint32_t tuned_as[OP_DYNAMIC_MAX] = {0};
	const struct ir_module *module;
	int r = nnjit_lower(nnjit, op, schedule, &module);

	if (r)
		return r;
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		tuned_as[i] = op->value[op->dynamic[i].value];
	struct emit_eval run = make_run(
	        op, schedule, module, params->dims ? params->dims : tuned_as);
	run.subgroup_size = params->subgroup_size;
	memcpy(run.buffers, params->buffers, module->binding_count * sizeof *params->buffers);
	r = emit_eval(module, &run);
	if (r)
		return r;
	if (params->ret_turns)
		*params->ret_turns = run.turns;
	return run.out_of_bounds ? -EFAULT : 0;
}
