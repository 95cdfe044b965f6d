/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and operands of a map: sizes as values, and the elements that an operand has at a
 * position of out. Knows no operator. Invariant: nothing is read behind a tensor's last word.
 */
#include "family/map/lower.h"

#include "base/half.h"

/* ---- Numbers. */

ir_id map_size_value(struct mapper *m, struct map_size size)
{
	ir_id value = lower_u32(m->l, size.times);

	for (uint32_t i = 0; i < OP_DYNAMIC_MAX; i++)
		if (size.dims >> i & 1)
			value = ir_mul(m->b, value, ir_uniform(m->b, i));
	return value;
}

static ir_id times_size(struct mapper *m, ir_id x, struct map_size size)
{
	return ir_mul(m->b, x, map_size_value(m, size));
}

ir_id map_literal(struct mapper *m, double value, uint32_t lanes)
{
	enum ir_scalar number = lower_number(m->l, m->l->tensor_count - 1);
	ir_id literal = number == IR_U32   ? ir_u32(m->b, half_of_float((float)value))
	                : number == IR_I32 ? ir_i32(m->b, (int32_t)value)
	                                   : ir_float(m->b, number, (float)value);

	return ir_splat(m->b, literal, lanes);
}

/* ---- Operands. */

/* `lanes` elements, `width` of a load, loaded at at[0], at[1], ... */
static ir_id load_all(struct mapper *m, uint32_t tensor, const ir_id *at, uint32_t lanes)
{
	uint32_t width = m->map.lanes[tensor];
	ir_id elements[4];

	for (uint32_t i = 0; i < lanes; i += width) {
		ir_id loaded = lower_load(m->l, tensor, at[i / width]);
		for (uint32_t j = 0; j < width; j++)
			elements[i + j] = ir_extract(m->b, loaded, j);
	}
	return ir_compose(m->b, elements, lanes);
}

ir_id map_load_run(struct mapper *m, uint32_t tensor, ir_id at, uint32_t lanes)
{
	uint32_t loads = lanes / m->map.lanes[tensor];
	ir_id first = lower_times(m->l, at, loads), each[4];

	for (uint32_t i = 0; i < loads; i++)
		each[i] = lower_plus(m->l, first, i);
	return load_all(m, tensor, each, lanes);
}

/* Of a tensor that lies as out does. The last vector may pass the end; then what it loads is moved
 * back to the last word. */
static ir_id load_flat(struct mapper *m, uint32_t tensor, const struct position *p)
{
	uint32_t width = m->map.lanes[tensor], loads = m->map.vec / width;
	ir_id first = lower_times(m->l, p->vector, loads), each[4], value;

	for (uint32_t i = 0; i < loads; i++) {
		each[i] = lower_plus(m->l, first, i);
		if (!m->map.ragged || loads == 1)
			continue;
		ir_id end = lower_plus(m->l, map_size_value(m, m->map.plan.elements), UINT32_MAX);
		ir_id last = lower_over(m->l, end, width);
		each[i] = ir_compute(m->b, IR_MIN, each[i], last, 0);
	}
	value = load_all(m, tensor, each, m->map.vec);
	return p->lanes == 1 ? ir_extract(m->b, value, p->lane) : value;
}

/* Where the first element is, counted in what one load takes. */
static ir_id find_first(struct mapper *m, const struct map_view *view, const struct position *p)
{
	uint32_t width = m->map.lanes[view->tensor], last = m->map.plan.dims - 1;
	ir_id at = map_size_value(m, map_divided(view->offset, width));

	for (uint32_t i = 0; i <= last; i++) {
		struct map_size step = view->stride[i];
		step.times = i == last ? step.times * p->lanes / width : step.times / width;
		if (step.times)
			at = ir_add(m->b, at, times_size(m, p->at[i], step));
	}
	return at;
}

static ir_id load_strided(struct mapper *m, const struct map_view *view, const struct position *p)
{
	struct map_size step = view->stride[m->map.plan.dims - 1];
	ir_id each[4] = {find_first(m, view, p)};

	if (!step.times)
		return ir_splat(m->b, load_all(m, view->tensor, each, 1), p->lanes);
	for (uint32_t i = 1; i < p->lanes / m->map.lanes[view->tensor]; i++) {
		step.times = m->map.lanes[view->tensor] > 1
		                     ? i
		                     : view->stride[m->map.plan.dims - 1].times * i;
		each[i] = ir_add(m->b, each[0], map_size_value(m, step));
	}
	return load_all(m, view->tensor, each, p->lanes);
}

ir_id map_load(struct mapper *m, uint32_t view, const struct position *p)
{
	const struct map_view *v = &m->map.plan.view[view];
	ir_id elements[4];

	if (v->flat)
		return load_flat(m, v->tensor, p);
	if (!p->each)
		return load_strided(m, v, p);
	for (uint32_t i = 0; i < p->lanes; i++)
		elements[i] = load_strided(m, v, &p->each[i]);
	return ir_compose(m->b, elements, p->lanes);
}
