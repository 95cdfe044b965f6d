/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an invocation stands, and dimensions that may be known only at run time.
 *
 *   x:         0        1      ..  GRID_FOLD-1     a folded grid: one long line of workgroups, cut
 *   y = 0    [ 0 ]    [ 1 ]    ..  [GRID_FOLD-1]   into rows; workgroup (x, y) is number
 *   y = 1    [GRID_FOLD]  ..                       y * GRID_FOLD + x
 */
#include "lower/lower.h"

ir_id lower_u32(struct lower *l, uint32_t value)
{
	return ir_u32(l->b, value);
}

ir_id lower_dim(struct lower *l, uint32_t value)
{
	int n = op_dynamic_at(l->op, value);

	return n < 0 ? ir_u32(l->b, l->op->value[value]) : ir_uniform(l->b, (uint32_t)n);
}

ir_id lower_times(struct lower *l, ir_id x, uint32_t factor)
{
	return ir_mul(l->b, x, ir_u32(l->b, factor));
}

ir_id lower_over(struct lower *l, ir_id x, uint32_t divisor)
{
	return ir_compute(l->b, IR_DIV, x, ir_u32(l->b, divisor), 0);
}

ir_id lower_modulo(struct lower *l, ir_id x, uint32_t divisor)
{
	return ir_compute(l->b, IR_MOD, x, ir_u32(l->b, divisor), 0);
}

ir_id lower_plus(struct lower *l, ir_id x, uint32_t term)
{
	return ir_add(l->b, x, ir_u32(l->b, term));
}

ir_id lower_local(struct lower *l, uint32_t dimension)
{
	if (l->geometry.workgroup_size[dimension] == 1)
		return ir_u32(l->b, 0);
	return ir_builtin(l->b, (enum ir_builtin)(IR_LOCAL_ID_X + dimension));
}

ir_id lower_flat_workgroup(struct lower *l)
{
	ir_id x = ir_builtin(l->b, IR_WORKGROUP_ID_X);

	if (!grid_is_folded(l->geometry.grid))
		return x;
	ir_id y = ir_builtin(l->b, IR_WORKGROUP_ID_Y);
	return ir_add(l->b, lower_times(l, y, GRID_FOLD), x);
}
