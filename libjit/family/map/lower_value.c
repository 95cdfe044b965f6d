/* SPDX-License-Identifier: Apache-2.0
 *
 * What each map operator computes at a position of out, one function a signature; windows and
 * resizing are lower_window.c's. Works out where the elements of free operands stand. Invariant:
 * each of these positions is kept within its tensor.
 */
#include "family/map/lower.h"

static uint32_t last_of(const struct mapper *m)
{
	return m->map.plan.dims - 1;
}

static ir_id subtract(struct mapper *m, ir_id x, ir_id y)
{
	return ir_compute(m->b, IR_SUB, x, y, 0);
}

static ir_id is_below(struct mapper *m, ir_id x, uint32_t bound)
{
	return ir_compute(m->b, IR_LT, x, lower_u32(m->l, bound), 0);
}

static ir_id at_most(struct mapper *m, ir_id x, uint32_t most)
{
	return ir_compute(m->b, IR_MIN, x, lower_u32(m->l, most), 0);
}

/* ---- Functions of numbers. */

/* Number of the view of operand x, y or z: operands that the steps do not name have none. */
static uint32_t view_of(const enum scalar *steps, uint32_t count, enum scalar operand)
{
	uint32_t used = 0, view = 0;

	for (uint32_t i = 0; i < count; i++)
		if (steps[i] >= SCALAR_X && steps[i] < operand)
			used |= 1u << (steps[i] - SCALAR_X);
	for (; used; used &= used - 1)
		view++;
	return view;
}

/* alpha or beta, as the operands' type has it. */
static ir_id number_field(struct mapper *m, uint32_t value, uint32_t lanes)
{
	double number = op_number(m->l->op, value);
	bool whole = m->l->op->value[MAP_DTYPE] == DTYPE_I32;

	return ir_splat(
	        m->b, whole ? ir_i32(m->b, (int32_t)number) : ir_f32(m->b, (float)number), lanes);
}

ir_id map_value_elementwise(struct mapper *m, const struct position *p)
{
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_steps(m->l->op, steps), height = 0;
	ir_id stack[OP_STEPS_MAX + 3] = {0};

	for (uint32_t i = 0; i < count; i++) {
		ir_id value;
		if (steps[i] >= SCALAR_ALPHA) {
			value = number_field(
			        m, steps[i] == SCALAR_ALPHA ? MAP_ALPHA : MAP_BETA, p->lanes);
		} else if (steps[i] >= SCALAR_X) {
			value = map_load(m, view_of(steps, count, steps[i]), p);
		} else {
			uint32_t arity = scalar_info(steps[i])->arity;
			height -= arity;
			value = lower_scalar(m->b, steps[i], stack[height],
			        arity > 1 ? stack[height + 1] : 0,
			        arity > 2 ? stack[height + 2] : 0);
		}
		stack[height++] = value;
	}
	return stack[0];
}

ir_id map_value_operand(struct mapper *m, const struct position *p)
{
	return map_load(m, 0, p);
}

ir_id map_value_batchnorm(struct mapper *m, const struct position *p)
{
	ir_id x = map_load(m, 0, p), weight = map_load(m, 1, p), bias = map_load(m, 2, p);

	return lower_acts(m->l, BATCHNORM_ACT, ir_compute(m->b, IR_FMA, x, weight, bias));
}

ir_id map_value_gate(struct mapper *m, const struct position *p)
{
	ir_id first = map_load(m, 0, p), second = map_load(m, 1, p);

	return ir_mul(m->b, lower_acts(m->l, GATE_ACT, first), second);
}

/* ---- Between types. */

static ir_id bounded(struct mapper *m, ir_id x, float low, float high)
{
	ir_id above = ir_compute(m->b, IR_MAX, x, lower_literal(m->b, low, x), 0);

	return ir_compute(m->b, IR_MIN, above, lower_literal(m->b, high, x), 0);
}

/* A float's bits without its sign, compared with a constant: a target may assume that no float is
 * NaN, and compares one as it likes. */
static ir_id compare_magnitude(struct mapper *m, enum ir_op op, ir_id x, uint32_t constant)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(m->b, x));
	ir_id bits = ir_bitcast(m->b, x, IR_TYPE(IR_U32, lanes));
	ir_id no_sign = ir_splat(m->b, ir_u32(m->b, 0x7fffffff), lanes);
	ir_id magnitude = ir_compute(m->b, IR_AND, bits, no_sign, 0);

	return ir_compute(m->b, op, magnitude, ir_splat(m->b, ir_u32(m->b, constant), lanes), 0);
}

/* Cut toward 0, kept in range, NaN taken as 0. The greatest float below 2^31 is not the greatest
 * integer. */
static ir_id float_to_integer(struct mapper *m, ir_id x, enum dtype dtype)
{
	static const float lows[DTYPE_COUNT] = {[DTYPE_I32] = -0x1p31f, [DTYPE_I8] = -128};
	static const float highs[DTYPE_COUNT] = {
	        [DTYPE_I32] = 2147483520, [DTYPE_I8] = 127, [DTYPE_U8] = 255};
	ir_id zero = lower_literal(m->b, 0, x);
	ir_id nan = compare_magnitude(m, IR_GE, x, 0x7f800001);
	ir_id kept = bounded(m, ir_select(m->b, nan, zero, x), lows[dtype], highs[dtype]);
	ir_id value = ir_convert(m->b, kept, IR_I32);

	if (dtype != DTYPE_I32)
		return value;
	ir_id over = ir_compute(m->b, IR_GE, x, lower_literal(m->b, 0x1p31f, x), 0);
	ir_id most = ir_splat(m->b, ir_i32(m->b, INT32_MAX), ir_lanes_of(ir_type_of(m->b, x)));
	return ir_select(m->b, over, most, value);
}

ir_id map_value_cast(struct mapper *m, const struct position *p)
{
	enum dtype from = (enum dtype)m->l->op->value[CAST_DTYPE];
	enum dtype to = (enum dtype)m->l->op->value[CAST_OUT];
	ir_id x = map_load(m, 0, p);

	if (from == to || (from != DTYPE_BOOL && !dtype_is_float(from) && !dtype_is_float(to) &&
	                          to != DTYPE_BOOL))
		return x; /* a store keeps as many bits as there is room for */
	if (to == DTYPE_BOOL && dtype_is_float(from))
		return compare_magnitude(m, IR_NE, x, 0);
	if (to == DTYPE_BOOL)
		return ir_compute(m->b, IR_NE, x, lower_literal(m->b, 0, x), 0);
	if (dtype_is_float(from) && !dtype_is_float(to))
		return float_to_integer(m, x, to);
	if (!dtype_is_float(to))
		return ir_convert(m->b, x, IR_I32);
	return ir_convert(m->b, x, m->l->number); /* a store to f16 rounds, to an infinity too */
}

static ir_id zero_point(struct mapper *m, const struct position *p, enum ir_scalar scalar)
{
	if (m->l->op->value[QUANTIZE_ZEROS])
		return ir_convert(m->b, map_load(m, 2, p), scalar);
	ir_id zero = scalar == IR_I32 ? ir_i32(m->b, 0) : ir_f32(m->b, 0);
	return ir_splat(m->b, zero, p->lanes);
}

ir_id map_value_quantise(struct mapper *m, const struct position *p)
{
	bool is_signed = m->l->op->value[QUANTIZE_QUANTISED] == DTYPE_I8;
	ir_id x = map_load(m, 0, p), scale = map_load(m, 1, p);

	if (m->l->op->kind == OP_DEQUANTIZE) {
		ir_id from = subtract(m, x, zero_point(m, p, IR_I32));
		return ir_mul(m->b, ir_convert(m->b, from, m->l->number), scale);
	}
	ir_id quotient = ir_compute(m->b, IR_FDIV, x, scale, 0);
	ir_id whole = ir_compute(m->b, IR_ROUND, quotient, 0, 0);
	ir_id moved = ir_add(m->b, whole, zero_point(m, p, IR_F32));
	ir_id kept = bounded(m, moved, is_signed ? -128 : 0, is_signed ? 127 : 255);
	return ir_convert(m->b, kept, IR_I32);
}

/* ---- Rotary. */

struct turn {
	ir_id x, partner, cos, sin; /* out = x * cos + partner * sin */
};

static uint32_t turned_of(const struct op *op)
{
	return op->value[ROTARY_ROTATED] ? op->value[ROTARY_ROTATED] : op->value[ROTARY_DIM];
}

/* i and i + half turn together. */
static struct turn turn_halves(struct mapper *m, const struct position *p)
{
	uint32_t half = turned_of(m->l->op) / 2 / p->lanes;
	ir_id i = p->at[last_of(m)], first = is_below(m, i, half);
	ir_id up = lower_plus(m->l, p->index, half);
	ir_id down = subtract(m, p->index, at_most(m, i, half));
	ir_id within = ir_select(m->b, first, i, subtract(m, i, lower_u32(m->l, half)));
	ir_id row = lower_times(m->l, p->at[1], half);
	ir_id at = ir_add(m->b, row, at_most(m, within, half - 1));
	struct turn t = {.x = map_load(m, 0, p)};

	t.partner = map_load_run(m, 0, ir_select(m->b, first, up, down), p->lanes);
	t.cos = map_load_run(m, 1, at, p->lanes);
	ir_id sin = map_load_run(m, 2, at, p->lanes);
	ir_id minus = ir_compute(m->b, IR_FNEG, sin, 0, 0);
	t.sin = ir_select(m->b, first, minus, sin);
	return t;
}

/* 2i and 2i + 1 turn together, and are in different vectors. */
static struct turn turn_scalars(struct mapper *m, const struct position *p)
{
	uint32_t turned = turned_of(m->l->op);
	ir_id i = p->at[last_of(m)], odd = ir_compute(m->b, IR_AND, i, lower_u32(m->l, 1), 0);
	ir_id first = ir_compute(m->b, IR_EQ, odd, lower_u32(m->l, 0), 0);
	ir_id up = lower_plus(m->l, p->index, 1), down = subtract(m, p->index, odd);
	ir_id other = ir_select(m->b, first, up, down);
	ir_id partner = ir_select(m->b, is_below(m, i, turned), other, p->index);
	ir_id row = lower_times(m->l, p->at[1], turned / 2);
	ir_id at = ir_add(m->b, row, at_most(m, lower_over(m->l, i, 2), turned / 2 - 1));
	struct turn t = {.x = map_load(m, 0, p)};

	t.partner = map_load_run(m, 0, partner, 1);
	t.cos = map_load_run(m, 1, at, 1);
	ir_id sin = map_load_run(m, 2, at, 1);
	ir_id minus = ir_compute(m->b, IR_FNEG, sin, 0, 0);
	t.sin = ir_select(m->b, first, minus, sin);
	return t;
}

/* Both are in one vector. */
static struct turn turn_neighbours(struct mapper *m, const struct position *p)
{
	uint32_t vectors = turned_of(m->l->op) / p->lanes;
	ir_id row = lower_times(m->l, p->at[1], vectors);
	ir_id at = ir_add(m->b, row, at_most(m, p->at[last_of(m)], vectors - 1));
	ir_id cos = map_load_run(m, 1, at, p->lanes / 2), partner[4], cosines[4], sines[4];
	ir_id sin = map_load_run(m, 2, at, p->lanes / 2);
	struct turn t = {.x = map_load(m, 0, p)};

	for (uint32_t i = 0; i < p->lanes; i++) {
		ir_id sine = ir_extract(m->b, sin, i / 2);
		partner[i] = ir_extract(m->b, t.x, i ^ 1);
		cosines[i] = ir_extract(m->b, cos, i / 2);
		sines[i] = i % 2 ? sine : ir_compute(m->b, IR_FNEG, sine, 0, 0);
	}
	t.partner = ir_compose(m->b, partner, p->lanes);
	t.cos = ir_compose(m->b, cosines, p->lanes);
	t.sin = ir_compose(m->b, sines, p->lanes);
	return t;
}

ir_id map_value_rotary(struct mapper *m, const struct position *p)
{
	const struct op *op = m->l->op;
	struct turn t = !op->value[ROTARY_PAIRS] ? turn_halves(m, p)
	                : p->lanes > 1           ? turn_neighbours(m, p)
	                                         : turn_scalars(m, p);
	ir_id crossed = ir_mul(m->b, t.partner, t.sin);
	ir_id value = ir_compute(m->b, IR_FMA, t.x, t.cos, crossed);

	if (turned_of(op) == op->value[ROTARY_DIM])
		return value;
	ir_id turns = is_below(m, p->at[last_of(m)], turned_of(op) / p->lanes);
	return ir_select(m->b, turns, value, t.x);
}

/* ---- Rearranging. */

/* Which row of the whole the position is from: another part's where it is not one of x's. */
static ir_id gathered_row(struct mapper *m, const struct position *p)
{
	const uint32_t *v = m->l->op->value;
	uint32_t of = v[GATHER_OF] ? v[GATHER_OF] : v[GATHER_ROWS];
	ir_id index = map_load_run(m, 1, p->at[1], 1), zero = ir_i32(m->b, 0);
	ir_id negative = ir_compute(m->b, IR_LT, index, zero, 0);
	ir_id wrapped = ir_add(m->b, index, ir_i32(m->b, (int32_t)of));
	ir_id row = ir_select(m->b, negative, wrapped, index);
	ir_id above = ir_compute(m->b, IR_MAX, row, zero, 0);
	ir_id kept = ir_compute(m->b, IR_MIN, above, ir_i32(m->b, (int32_t)of - 1), 0);

	return kept;
}

static ir_id unsigned_of(struct mapper *m, ir_id row)
{
	return ir_bitcast(m->b, row, IR_TYPE(IR_U32, 1));
}

ir_id map_gather_finds(struct mapper *m, const struct position *p)
{
	const uint32_t *v = m->l->op->value;
	ir_id row = unsigned_of(m, gathered_row(m, p));

	row = lower_plus(m->l, row, -v[GATHER_FIRST]);
	return ir_compute(m->b, IR_LT, row, lower_u32(m->l, v[GATHER_ROWS]), 0);
}

ir_id map_value_gather(struct mapper *m, const struct position *p)
{
	const uint32_t *v = m->l->op->value;
	ir_id kept = gathered_row(m, p), outer = lower_times(m->l, p->at[0], v[GATHER_ROWS]);
	ir_id row = unsigned_of(m, kept);

	if (v[GATHER_FIRST])
		row = lower_plus(m->l, row, -v[GATHER_FIRST]);
	ir_id at = ir_add(m->b, outer, row);
	at = lower_times(m->l, at, v[GATHER_INNER] / p->lanes);
	return map_load_run(m, 0, ir_add(m->b, at, p->at[2]), p->lanes);
}

/* One branch for each tensor, by where the position is along the row. */
ir_id map_value_concat(struct mapper *m, const struct position *p)
{
	const struct op *op = m->l->op;
	uint32_t count = op->value[CONCAT_SIZES], start = 0;
	ir_id result = ir_var(m->b, map_literal(m, 0, p->lanes));

	for (uint32_t i = 0; i < count; i++) {
		uint32_t own = op->value[CONCAT_SIZES + 1 + i] * op->value[CONCAT_INNER] / p->lanes;
		ir_id within = subtract(m, p->at[1], lower_u32(m->l, start));
		start += own;
		if (i + 1 < count)
			ir_if(m->b, is_below(m, p->at[1], start));
		ir_id at = ir_add(m->b, lower_times(m->l, p->at[0], own), within);
		ir_set(m->b, result, map_load_run(m, i, at, p->lanes));
		if (i + 1 < count)
			ir_else(m->b);
	}
	for (uint32_t i = 0; i + 1 < count; i++)
		ir_end(m->b);
	return ir_get(m->b, result);
}

/* Where in x position `at` of dimension i comes from; *inside loses what is none. */
static ir_id pad_source(struct mapper *m, uint32_t i, ir_id at, ir_id *inside)
{
	uint32_t before = m->map.plan.before[i], extent = m->map.plan.extent[i];
	uint32_t end = before + extent, size = m->map.plan.size[i].times;
	ir_id low = lower_u32(m->l, before);
	ir_id past = subtract(m, at, low);

	if (size == extent)
		return at;
	if (m->l->op->value[PAD_MODE] == 2) {
		ir_id mirrored = subtract(m, lower_u32(m->l, 2 * (extent - 1) + before), at);
		ir_id up = ir_select(m->b, is_below(m, at, end), past, mirrored);
		return ir_select(m->b, is_below(m, at, before), subtract(m, low, at), up);
	}
	/* Below `before` the difference wraps round and is beyond the extent too. */
	ir_id holds = is_below(m, past, extent);
	*inside = *inside ? ir_compute(m->b, IR_LAND, *inside, holds, 0) : holds;
	ir_id up = ir_compute(m->b, IR_MAX, at, low, 0);
	return subtract(m, at_most(m, up, end - 1), low);
}

/* One element, or the vector where the last dimension gets nothing added. */
static ir_id pad_at(struct mapper *m, const struct position *p, ir_id last, uint32_t lanes)
{
	const struct map_plan *plan = &m->map.plan;
	bool constant = m->l->op->value[PAD_MODE] == 0;
	ir_id inside = 0, at = lower_u32(m->l, 0);

	for (uint32_t i = 0; i < plan->dims; i++) {
		bool is_last = i + 1 == plan->dims;
		ir_id source = pad_source(m, i, is_last ? last : p->at[i], &inside);
		at = lower_times(m->l, at, is_last ? plan->extent[i] / lanes : plan->extent[i]);
		at = ir_add(m->b, at, source);
	}
	ir_id value = map_load_run(m, 0, at, lanes);
	if (!constant || !inside)
		return value;
	ir_id number = map_literal(m, op_number(m->l->op, PAD_NUMBER), lanes);
	return ir_select(m->b, inside, value, number);
}

ir_id map_value_pad(struct mapper *m, const struct position *p)
{
	ir_id last = p->at[last_of(m)], elements[4];

	if (m->map.plan.view[0].lanes_each || p->lanes == 1)
		return pad_at(m, p, last, p->lanes);
	ir_id first = lower_times(m->l, last, p->lanes);
	for (uint32_t i = 0; i < p->lanes; i++)
		elements[i] = pad_at(m, p, lower_plus(m->l, first, i), 1);
	return ir_compose(m->b, elements, p->lanes);
}
