/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps over the flat line of out: from an invocation's number to its vectors, from a vector to its
 * position, from there to the operator's value function. Invariant: a vector behind the end is
 * neither computed nor stored.
 *
 * wg_x = 4, vec = 4; invocations a b c d, the line of vectors of one workgroup:
 *
 *   strided (tile_m = 3, tile_n = vec)    a b c d | a b c d | a b c d
 *   chunk   (tile_m = 1, tile_n = 3 vec)  a a a | b b b | c c c | d d d
 *
 * A turn takes `unroll` vectors of an invocation; turns are a loop unless one takes them all.
 */
#include "family/map/lower.h"

/* ---- Positions. */

/* x / size and what is left, by one division. */
static ir_id divide(struct mapper *m, ir_id x, struct map_size size, ir_id *ret_rest)
{
	ir_id divisor = map_size_value(m, size);
	ir_id whole = ir_compute(m->b, IR_DIV, x, divisor, 0);
	ir_id back = ir_mul(m->b, whole, divisor);

	*ret_rest = ir_compute(m->b, IR_SUB, x, back, 0);
	return whole;
}

/* The position of element `index`, counted in p->lanes. */
static void locate(struct mapper *m, ir_id index, struct position *p)
{
	const struct map_plan *plan = &m->map.plan;

	p->index = index;
	for (uint32_t i = plan->dims - 1; i > 0; i--) {
		uint32_t by = i + 1 == plan->dims ? p->lanes : 1;
		index = divide(m, index, map_divided(plan->size[i], by), &p->at[i]);
	}
	p->at[0] = index;
}

/* The positions of the vector's elements, each by itself; behind the end, of the last one. */
static void locate_each(struct mapper *m, ir_id vector, struct position each[4])
{
	ir_id first = lower_times(m->l, vector, m->map.vec);

	for (uint32_t i = 0; i < m->map.vec; i++) {
		ir_id index = lower_plus(m->l, first, i);
		if (m->map.ragged) {
			ir_id count = map_size_value(m, m->map.plan.elements);
			ir_id last = lower_plus(m->l, count, UINT32_MAX);
			index = ir_compute(m->b, IR_MIN, index, last, 0);
		}
		each[i] = (struct position){.lanes = 1, .vector = vector, .lane = i};
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

static void lower_vector(struct mapper *m, struct position *p)
{
	map_value *value = values[m->l->op->kind];
	uint32_t out = m->l->tensor_count - 1;
	struct position each[4];
	ir_id elements[4];

	if (!m->map.whole && m->map.vec > 1) {
		locate_each(m, p->vector, each);
		p->each = each;
	}
	if (m->map.plan.partial) {
		ir_if(m->b, map_gather_finds(m, p));
		lower_store(m->l, out, p->vector, value(m, p));
		ir_end(m->b);
		return;
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
		return map_size_value(m, map_divided(elements, m->map.vec));
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
	struct position p = {.lanes = map->vec};

	if (m->guarded && together)
		guard(m, first);
	for (uint32_t i = 0; i < map->unroll; i++) {
		p.vector = lower_plus(m->l, first, i * step);
		p.each = NULL;
		if (map->whole && i % run == 0)
			locate(m, p.vector, &p);
		struct position here = p;
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

void map_lower_flat(struct mapper *m)
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
