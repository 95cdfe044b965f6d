/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of an invocation: where each stands in x and in what is added to it, its elements as
 * numbers, and what the row's steps make of them. Loads are not kept by hand: the builder knows a
 * load or a function that it has seen. Does not walk along lines and writes nothing. Invariant:
 * a line past the last reads as the last one.
 *
 *   x [rows,n,inner], inner = 1, vec = 4:        inner > 1 (vectors stand across the line):
 *
 *     row 0  | k=0  | k=1  | k=2  | ...            row 0  k=0  | columns 0..3 | columns 4..7 | ...
 *     row 1  | k=0  | k=1  | k=2  | ...                   k=1  | columns 0..3 | columns 4..7 | ...
 *                                                         ...
 *   position of vector k = base + k * columns      four lines side by side, n vectors of them
 *   base = row * count * columns + column          (columns and count are counted in vectors)
 */
#include "family/reduction/lower.h"

/* ---- Where lines stand. */

/* Positions of a line's first vector in x and in what is added to it. */
static void place_line(struct reducing *r, struct line *line, ir_id row, ir_id column)
{
	struct ir_builder *b = r->b;
	const uint32_t *v = r->l->op->value;
	ir_id row_size = ir_mul(b, r->count, r->columns);

	line->base = ir_add(b, ir_mul(b, row, row_size), column);
	line->addend = line->base;
	if (r->s.lines.mask && r->addend < OP_TENSORS_MAX) {
		ir_id turn = lower_over(r->l, row, v[r->s.lines.mask_every]);
		ir_id mask_row = lower_modulo(r->l, turn, v[r->s.lines.mask_rows]);
		line->addend = ir_mul(b, mask_row, r->count);
	}
	if (r->s.lines.groups) {
		ir_id group = lower_modulo(r->l, row, r->s.lines.groups);
		line->channel = lower_times(r->l, group, r->s.lines.n.times);
	}
}

/* The line that element `at` of out is in, where words are owned. */
static ir_id line_of_element(struct reducing *r, ir_id at)
{
	struct ir_builder *b = r->b;
	ir_id column = ir_compute(b, IR_MOD, at, r->columns, 0);
	ir_id row_size = ir_mul(b, r->count, r->columns);
	ir_id row = ir_compute(b, IR_DIV, at, row_size, 0);

	return ir_add(b, ir_mul(b, row, r->columns), column);
}

static ir_id clamp_line(struct reducing *r, uint32_t i)
{
	ir_id at = lower_plus(r->l, r->first, i);

	if (r->ragged) {
		ir_id last = ir_compute(r->b, IR_SUB, r->lines, lower_u32(r->l, 1), 0);
		at = ir_compute(r->b, IR_MIN, at, last, 0);
	}
	return r->s.owner == OWNER_WORDS ? line_of_element(r, at) : at;
}

static ir_id median(struct reducing *r, ir_id x, ir_id y, ir_id z)
{
	ir_id low = ir_compute(r->b, IR_MIN, x, y, 0), high = ir_compute(r->b, IR_MAX, x, y, 0);

	return ir_compute(r->b, IR_MAX, low, ir_compute(r->b, IR_MIN, high, z, 0), 0);
}

/* The first element of vector k, or all of it where its lanes are lines. */
static ir_id sample(struct reducing *r, const struct line *line, ir_id k)
{
	ir_id x = reduction_fetch(r, line, k);

	return r->s.across ? x : ir_extract(r->b, x, 0);
}

/* What the line's elements are taken relative to. Where sums and sums of squares are made at once
 * it must not lie far out: the median of three is safe from a single outlier. */
static ir_id find_shift(struct reducing *r, const struct line *line)
{
	ir_id last = ir_compute(r->b, IR_SUB, r->count, lower_u32(r->l, 1), 0);
	ir_id shift = sample(r, line, lower_u32(r->l, 0));

	if (!r->s.straight) {
		ir_id middle = sample(r, line, lower_over(r->l, r->count, 2));
		shift = median(r, shift, middle, sample(r, line, last));
	}
	return r->s.across ? shift : ir_splat(r->b, shift, r->s.vec);
}

void reduction_place_lines(struct reducing *r)
{
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id line = clamp_line(r, i);
		ir_id row = ir_compute(r->b, IR_DIV, line, r->columns, 0);
		ir_id column = ir_compute(r->b, IR_MOD, line, r->columns, 0);
		r->line[i].at = line;
		place_line(r, &r->line[i], row, column);
		if (r->s.row->shifted)
			r->line[i].shift = find_shift(r, &r->line[i]);
	}
}

void reduction_open(struct reducing *r)
{
	if (r->ragged)
		ir_if(r->b, ir_compute(r->b, IR_LT, r->first, r->lines, 0));
}

void reduction_close(struct reducing *r)
{
	if (r->ragged)
		ir_end(r->b);
}

/* ---- Elements. */

ir_id reduction_position(struct reducing *r, const struct line *line, ir_id k)
{
	return ir_add(r->b, line->base, ir_mul(r->b, k, r->columns));
}

ir_id reduction_within(struct reducing *r, ir_id k, ir_id valid)
{
	if (!valid)
		return k;
	ir_id last = ir_compute(r->b, IR_SUB, r->count, lower_u32(r->l, 1), 0);
	return ir_compute(r->b, IR_MIN, k, last, 0);
}

static ir_id fetch_addend(struct reducing *r, const struct line *line, ir_id k)
{
	return lower_load(r->l, r->addend, ir_add(r->b, line->addend, k));
}

ir_id reduction_fetch(struct reducing *r, const struct line *line, ir_id k)
{
	uint32_t scaled = r->s.lines.scale;
	float scale = scaled ? op_float(r->l->op, scaled) : 1;
	ir_id x = lower_load(r->l, r->x, reduction_position(r, line, k));

	if (scale != 1)
		x = ir_mul(r->b, x, lower_literal(r->b, scale, x));
	if (r->addend < OP_TENSORS_MAX)
		x = ir_add(r->b, x, fetch_addend(r, line, k));
	if (line->shift)
		x = ir_compute(r->b, IR_SUB, x, line->shift, 0);
	return x;
}

/* ---- The table's steps. */

static ir_id operand(
        struct reducing *r, const struct line *line, enum scalar step, ir_id element, ir_id like)
{
	ir_id value = element;

	if (step == SCALAR_Y || step == SCALAR_Z)
		value = line->result[step - SCALAR_Y];
	else if (step == SCALAR_ALPHA)
		value = ir_f32(r->b, op_float(r->l->op, r->s.lines.eps));
	else if (step == SCALAR_BETA)
		value = r->inverse;
	uint32_t lanes = ir_lanes_of(ir_type_of(r->b, like));
	return ir_lanes_of(ir_type_of(r->b, value)) == lanes ? value : ir_splat(r->b, value, lanes);
}

/* exp is the target's own, whatever it makes of NaN: `sound` sees that in the sum. */
static ir_id apply(struct reducing *r, enum scalar step, ir_id x, ir_id y)
{
	return step == SCALAR_EXP ? ir_compute(r->b, IR_EXP, x, 0, 0)
	                          : lower_scalar(r->b, step, x, y, 0);
}

ir_id reduction_evaluate(
        struct reducing *r, const struct line *line, const uint8_t *steps, ir_id element)
{
	ir_id stack[REDUCTION_STEPS], like = element ? element : line->result[0];
	uint32_t height = 0;

	for (uint32_t i = 0; i < REDUCTION_STEPS && steps[i]; i++) {
		enum scalar step = (enum scalar)steps[i];
		if (step >= SCALAR_FUNCTION_END) {
			stack[height++] = operand(r, line, step, element, like);
			continue;
		}
		bool two = scalar_info(step)->arity == 2;
		height -= two;
		stack[height - 1] = apply(r, step, stack[height - 1], two ? stack[height] : 0);
	}
	return stack[0];
}
