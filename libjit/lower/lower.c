/* SPDX-License-Identifier: Apache-2.0
 *
 * The way into a family's lowering: geometry, tensors and an empty module, which the family fills.
 * Knows no family by name.
 */
#include "lower/lower.h"

#include "schedule/family.h"

/* Without dynamic dimensions the dispatch and all buffers are known. */
static void fix_sizes(struct lower *l)
{
	const uint32_t none[OP_DYNAMIC_MAX] = {0};
	uint32_t workgroups[3];

	if (l->op->dynamic_count)
		return;
	for (uint32_t i = 0; i < 3; i++)
		workgroups[i] = (uint32_t)extent_at(&l->geometry.grid[i], none);
	ir_fix(l->b, workgroups);
}

int lower_kernel(struct ir_builder *builder, const struct op *op, const struct schedule *schedule)
{
	struct lower l = {.b = builder, .op = op, .schedule = schedule, .number = IR_F32};
	const struct family *family = family_of(op);
	union family_shape shape;
	int r = family->derive(op, schedule, &l.geometry, &shape, NULL);

	if (r)
		return r;
	op_tensors(op, l.tensors);
	ir_begin(builder, l.geometry.workgroup_size);
	fix_sizes(&l);
	family->lower(&l);
	return 0;
}
