/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps: from an invocation's number to its vectors of out, their positions, and the operands'
 * elements there. What an operator computes is map_value.c's and map_window.c's. Invariant: nothing
 * is read behind a tensor's last word; a vector behind the end is neither computed nor stored.
 */
#include "family/map/lower.h"

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

static struct map_size divided(struct map_size size, uint32_t by)
{
	return (struct map_size){size.times / by, size.dims};
}

/* x / size and what is left, by one division. */
static ir_id divide(struct mapper *m, ir_id x, struct map_size size, ir_id *ret_rest)
{
	ir_id divisor = map_size_value(m, size);
	ir_id whole = ir_compute(m->b, IR_DIV, x, divisor, 0);
	ir_id back = ir_mul(m->b, whole, divisor);

	*ret_rest = ir_compute(m->b, IR_SUB, x, back, 0);
	return whole;
}

ir_id map_literal(struct mapper *m, float value, uint32_t lanes)
{
	enum dtype dtype = m->l->tensors[m->l->tensor_count - 1].dtype;
	float most = dtype == DTYPE_F16 ? 65504 : dtype == DTYPE_I32 ? 2147483520 : value;
	ir_id literal;

	value = value > most ? most : value < -most ? -most : value;
	literal = dtype == DTYPE_I32 ? ir_i32(m->b, (int32_t)value) : ir_f32(m->b, value);
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
static ir_id load_flat(struct mapper *m, uint32_t tensor, const struct place *p)
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
static ir_id find_first(struct mapper *m, const struct map_view *view, const struct place *p)
{
	uint32_t width = m->map.lanes[view->tensor], last = m->map.plan.dims - 1;
	ir_id at = map_size_value(m, divided(view->offset, width));

	for (uint32_t i = 0; i <= last; i++) {
		struct map_size step = view->stride[i];
		step.times = i == last ? step.times * p->lanes / width : step.times / width;
		if (step.times)
			at = ir_add(m->b, at, times_size(m, p->at[i], step));
	}
	return at;
}

static ir_id load_strided(struct mapper *m, const struct map_view *view, const struct place *p)
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

ir_id map_load(struct mapper *m, uint32_t view, const struct place *p)
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

/* ---- Places. */

/* The position of element `index`, counted in p->lanes. */
static void locate(struct mapper *m, ir_id index, struct place *p)
{
	const struct map_plan *plan = &m->map.plan;

	p->index = index;
	for (uint32_t i = plan->dims - 1; i > 0; i--) {
		uint32_t by = i + 1 == plan->dims ? p->lanes : 1;
		index = divide(m, index, divided(plan->size[i], by), &p->at[i]);
	}
	p->at[0] = index;
}

/* The places of the vector's elements, each by itself; behind the end, of the last one. */
static void locate_each(struct mapper *m, ir_id vector, struct place each[4])
{
	ir_id first = lower_times(m->l, vector, m->map.vec);

	for (uint32_t i = 0; i < m->map.vec; i++) {
		ir_id index = lower_plus(m->l, first, i);
		if (m->map.ragged) {
			ir_id count = map_size_value(m, m->map.plan.elements);
			ir_id last = lower_plus(m->l, count, UINT32_MAX);
			index = ir_compute(m->b, IR_MIN, index, last, 0);
		}
		each[i] = (struct place){.lanes = 1, .vector = vector, .lane = i};
		locate(m, index, &each[i]);
	}
}

/* Vectors of a turn that stand side by side in one row: a power of two. */
static uint32_t run_length(const struct map *map)
{
	uint32_t row = map->plan.unit / map->vec, run = 1;

	if (!map->whole || map->strided || map->plan.unit % map->vec)
		return 1;
	while (map->unroll % (2 * run) == 0 && row % (2 * run) == 0)
		run *= 2;
	return run;
}

/* ---- Vectors. */

#define VALUE_CONTRACTION(signature) NULL
#define VALUE_CONVOLUTION(signature) NULL
#define VALUE_REDUCTION(signature)   NULL
#define VALUE_ATTENTION(signature)   NULL
#define VALUE_MAP(signature)         map_value_##signature
#define map_value_transpose          map_value_operand
#define map_value_slice              map_value_operand
#define map_value_tile               map_value_operand
static map_value *const values[OP_COUNT] = {
#define OP(name, text, family, signature, doc) [OP_##name] = VALUE_##family(signature),
#define FIELD(...)
#define END(name)
#include "op/op.def"
};

static void lower_vector(struct mapper *m, struct place *p)
{
	map_value *value = values[m->l->op->kind];
	uint32_t out = m->l->tensor_count - 1;
	struct place each[4];
	ir_id elements[4];

	if (!m->map.whole && m->map.vec > 1) {
		locate_each(m, p->vector, each);
		p->each = each;
	}
	if (!p->each || !m->map.plan.separate) {
		lower_store(m->l, out, p->vector, value(m, p));
		return;
	}
	for (uint32_t i = 0; i < p->lanes; i++)
		elements[i] = value(m, &each[i]);
	lower_store(m->l, out, p->vector, ir_compose(m->b, elements, p->lanes));
}

static ir_id count_vectors(struct mapper *m)
{
	struct map_size elements = m->map.plan.elements;

	if (!m->map.ragged)
		return map_size_value(m, divided(elements, m->map.vec));
	ir_id more = lower_plus(m->l, map_size_value(m, elements), m->map.vec - 1);
	return lower_over(m->l, more, m->map.vec);
}

static void guard(struct mapper *m, ir_id vector)
{
	ir_id count = count_vectors(m);

	ir_if(m->b, ir_compute(m->b, IR_LT, vector, count, 0));
}

/* The vectors of one turn, from `first` on. */
static void lower_turn(struct mapper *m, ir_id first)
{
	const struct map *map = &m->map;
	uint32_t step = map->strided ? map->wg_x : 1, run = run_length(map);
	bool together = map->plan.elements.times % (map->vec * map->unroll * step) == 0 ||
	                map->unroll == 1;
	struct place p = {.lanes = map->vec};

	if (m->guarded && together)
		guard(m, first);
	for (uint32_t i = 0; i < map->unroll; i++) {
		p.vector = lower_plus(m->l, first, i * step);
		p.each = NULL;
		if (map->whole && i % run == 0)
			locate(m, p.vector, &p);
		struct place here = p;
		here.index = p.vector;
		if (map->whole)
			here.at[map->plan.dims - 1] = lower_plus(
			        m->l, p.at[map->plan.dims - 1], i % run);
		if (m->guarded && !together)
			guard(m, p.vector);
		lower_vector(m, &here);
		if (m->guarded && !together)
			ir_end(m->b);
	}
	if (m->guarded && together)
		ir_end(m->b);
}

static void lower_flat(struct mapper *m)
{
	const struct map *map = &m->map;
	ir_id group = lower_flat_workgroup(m->l), local = lower_local(m->l, 0), first;

	if (map->strided) {
		first = ir_add(m->b, lower_times(m->l, group, map->wg_x * map->vectors), local);
	} else {
		ir_id invocation = ir_add(m->b, lower_times(m->l, group, map->wg_x), local);
		first = lower_times(m->l, invocation, map->vectors);
	}
	if (map->vectors == map->unroll) {
		lower_turn(m, first);
		return;
	}
	ir_id from = lower_u32(m->l, 0), to = lower_u32(m->l, map->vectors / map->unroll);
	ir_id turn = ir_loop(m->b, from, to, 1);
	ir_id on = lower_times(m->l, turn, map->unroll * (map->strided ? map->wg_x : 1));
	lower_turn(m, ir_add(m->b, first, on));
	ir_end(m->b);
}

void lower_map(struct lower *l)
{
	struct mapper m = {.l = l, .b = l->b};
	uint32_t tensors = 0;

	if (map_derive(l->op, l->schedule, &m.map, NULL))
		return;
	while (tensors < OP_TENSORS_MAX && l->tensors[tensors].name)
		tensors++;
	while (l->tensor_count < tensors)
		lower_bind(l, m.map.lanes[l->tensor_count]);
	m.guarded = grid_is_folded(l->geometry.grid) ||
	            m.map.plan.elements.times % (m.map.wg_x * m.map.vectors * m.map.vec);
	if (m.map.form == MAP_FLAT)
		lower_flat(&m);
	else
		map_transpose(&m);
}
