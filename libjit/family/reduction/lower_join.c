/* SPDX-License-Identifier: Apache-2.0
 *
 * How partial results of a line become one: lanes first, then the invocations that share it, by a
 * subgroup operation or by turns through workgroup memory. In a turn each of the first width /
 * radix invocations joins `radix` of the `width` partial results; in the last one every invocation
 * joins what is left, so that all have the result without another barrier.
 *
 * wg_x = 8, radix 2 (k_step = 2), slots of one line:
 *
 *   slots      0 1 2 3 4 5 6 7    every invocation publishes its partial result; barrier
 *   0+4 1+5 2+6 3+7                0 joins slots 0 and 4, 1 joins 1 and 5, ...; barrier
 *   0+2 1+3                        0 joins slots 0 and 2, 1 joins 1 and 3; barrier
 *   0+1                            every invocation joins slots 0 and 1
 */
#include "family/reduction/lower.h"

#include <float.h>
#include <math.h>

static const struct {
	enum ir_op compute, subgroup;
	float neutral;
} joins[] = {[JOIN_ADD] = {IR_ADD, IR_SUBGROUP_ADD, 0},
        [JOIN_MUL] = {IR_MUL, IR_SUBGROUP_MUL, 1},
        [JOIN_MIN] = {IR_MIN, IR_SUBGROUP_MIN, INFINITY},
        [JOIN_MAX] = {IR_MAX, IR_SUBGROUP_MAX, -INFINITY},
        [JOIN_TOP] = {IR_MAX, IR_SUBGROUP_MAX, -FLT_MAX}};

/* An extreme of numbers passes NaN on; of indices there is none. */
static bool minds_nan(struct reducing *r, enum reduction_join join, ir_id value)
{
	return (join == JOIN_MIN || join == JOIN_MAX) &&
	       ir_scalar_of(ir_type_of(r->b, value)) != IR_I32;
}

ir_id reduction_join(struct reducing *r, enum reduction_join join, ir_id a, ir_id b)
{
	if (minds_nan(r, join, a))
		return lower_scalar(r->b, join == JOIN_MIN ? SCALAR_MIN : SCALAR_MAX, a, b, 0);
	if (join == JOIN_TOP)
		return ir_select(r->b, ir_compute(r->b, IR_LT, a, b, 0), b, a);
	return ir_compute(r->b, joins[join].compute, a, b, 0);
}

ir_id reduction_neutral(struct reducing *r, enum reduction_join join, ir_id like)
{
	ir_type type = ir_type_of(r->b, like);

	if (ir_scalar_of(type) == IR_I32) /* indices: their least is looked for */
		return ir_splat(r->b, ir_i32(r->b, INT32_MAX), ir_lanes_of(type));
	return lower_literal(r->b, joins[join].neutral, like);
}

/* Pairwise, for short chains and small errors. */
ir_id reduction_join_many(
        struct reducing *r, enum reduction_join join, const ir_id *values, uint32_t count)
{
	if (count == 1)
		return values[0];
	ir_id left = reduction_join_many(r, join, values, count / 2);
	ir_id right = reduction_join_many(r, join, values + count / 2, count - count / 2);
	return reduction_join(r, join, left, right);
}

/* ---- Lanes. */

static ir_id join_lanes(struct reducing *r, enum reduction_join join, ir_id vector)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(r->b, vector));
	ir_id values[4];

	for (uint32_t lane = 0; lane < lanes; lane++)
		values[lane] = ir_extract(r->b, vector, lane);
	return reduction_join_many(r, join, values, lanes);
}

/* ---- Invocations. */

uint32_t reduction_array(struct reducing *r, ir_id like)
{
	return ir_shared(r->b, ir_type_of(r->b, like), r->s.wg_x * r->s.wg_y * r->s.tile_m);
}

/* Neighbouring invocations have neighbouring slots. */
ir_id reduction_slot(struct reducing *r, uint32_t i, ir_id along)
{
	const struct reduction *s = &r->s;
	uint32_t size = s->wg_x * s->wg_y;
	ir_id within;

	if (s->lines_fastest) {
		within = ir_add(r->b, lower_times(r->l, along, s->wg_y), r->side);
	} else {
		within = ir_add(r->b, lower_times(r->l, r->side, s->wg_x), along);
	}
	return lower_plus(r->l, within, i * size);
}

void reduction_publish(struct reducing *r, uint32_t array, const ir_id value[static TILE_MAX])
{
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		ir_shared_store(r->b, array, reduction_slot(r, i, r->along), value[i]);
	ir_barrier(r->b);
}

/* Partial results of one line in a workgroup array. */
struct partials {
	uint32_t array, line;
	ir_id first;           /* slot of the first */
	uint32_t apart, count; /* slots from one to the next; how many */
};

static ir_id join_partials(struct reducing *r, enum reduction_join join, const struct partials *p)
{
	ir_id values[REDUCTION_RADIX_MAX];

	for (uint32_t j = 0; j < p->count; j++) {
		ir_id along = lower_plus(r->l, p->first, j * p->apart);
		values[j] = ir_shared_load(r->b, p->array, reduction_slot(r, p->line, along));
	}
	return reduction_join_many(r, join, values, p->count);
}

/* From `width` partial results to `left` of them. */
static void shrink(
        struct reducing *r, enum reduction_join join, uint32_t array, uint32_t width, uint32_t left)
{
	struct partials p = {array, 0, r->along, left, width / left};

	ir_if(r->b, ir_compute(r->b, IR_LT, r->along, lower_u32(r->l, left), 0));
	for (p.line = 0; p.line < r->s.tile_m; p.line++) {
		ir_id part = join_partials(r, join, &p);
		ir_shared_store(r->b, array, reduction_slot(r, p.line, r->along), part);
	}
	ir_end(r->b);
	ir_barrier(r->b);
}

static void join_workgroup(
        struct reducing *r, enum reduction_join join, ir_id value[static TILE_MAX])
{
	uint32_t array = reduction_array(r, value[0]), width = r->s.wg_x, left;

	reduction_publish(r, array, value);
	for (; width > r->s.radix; width = left) {
		left = width / r->s.radix;
		shrink(r, join, array, width, left);
	}
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		struct partials all = {array, i, lower_u32(r->l, 0), 1, width};
		value[i] = join_partials(r, join, &all);
	}
}

/* Subgroups' extremes drop NaN: whether any invocation has one is found beside them. */
static ir_id join_subgroup(struct reducing *r, enum reduction_join join, ir_id value)
{
	ir_id joined = ir_subgroup(r->b, joins[join].subgroup, value);

	if (!minds_nan(r, join, value))
		return joined;
	ir_id is_number = ir_compute(r->b, IR_EQ, value, value, 0);
	ir_id flag = ir_convert(r->b, is_number, IR_F32), zero = lower_literal(r->b, 0, flag);
	ir_id least = ir_subgroup(r->b, IR_SUBGROUP_MIN, flag);
	ir_id any = ir_compute(r->b, IR_EQ, least, zero, 0);
	return ir_select(r->b, any, lower_literal(r->b, NAN, value), joined);
}

void reduction_join_line(struct reducing *r, enum reduction_join join, ir_id value[static TILE_MAX])
{
	for (uint32_t i = 0; i < r->s.tile_m && !r->s.across; i++)
		value[i] = join_lanes(r, join, value[i]);
	if (r->s.wg_x == 1)
		return;
	if (!r->s.subgroup) {
		join_workgroup(r, join, value);
		return;
	}
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		value[i] = join_subgroup(r, join, value[i]);
}
