/* SPDX-License-Identifier: Apache-2.0
 *
 * The reduction family: the invocations of a line walk along it once for each pass, join what they
 * have, and write. What a pass takes of an element and how that is joined are the operator's row
 * (space/reduction.c). Loads are not kept by hand: where one turn covers a line the walks are
 * straight code, and the builder knows a load or a function it has seen.
 *
 * Edges: lines past the last are read as the last and not written; so are vectors past a line's.
 */
#include "family/reduction/lower.h"

/* ---- Set-up. */

static ir_id extent(struct reducing *r, struct reduction_extent e)
{
	if (e.value == EXTENT_CONSTANT)
		return lower_u32(r->l, e.times);
	return lower_times(r->l, lower_dim(r->l, e.value), e.times);
}

static uint32_t find_either(const struct lower *l, const char *one, const char *other)
{
	uint32_t tensor = lower_find(l, one);

	return tensor < OP_TENSORS_MAX ? tensor : lower_find(l, other);
}

static void bind(struct reducing *r)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(r->l->op, tensors);
	bool by_channel = r->s.row->layout == LAYOUT_CHANNELS;

	r->x = 0;
	r->out = count - 1;
	r->addend = find_either(r->l, "mask", "residual");
	r->weight = lower_find(r->l, "weight");
	r->bias = lower_find(r->l, "bias");
	for (uint32_t i = 0; i < count; i++) {
		bool scalar = by_channel && (i == r->weight || i == r->bias);
		lower_bind(r->l, i == r->out ? r->s.out_width : scalar ? 1 : r->s.vec);
	}
}

static void measure(struct reducing *r)
{
	struct ir_builder *b = r->b;

	r->rows = extent(r, r->s.rows);
	r->count = extent(r, r->s.count);
	r->columns = extent(r, r->s.columns);
	r->lines = ir_mul(b, r->rows, r->columns);
	if (r->s.owner == OWNER_WORDS)
		r->lines = ir_mul(b, r->lines, r->count);
	if (reduction_is_constant(r->l->op, r->s.n)) {
		r->inverse = ir_f32(b, 1.0f / (float)reduction_tuned(r->l->op, r->s.n));
	} else {
		ir_id n = ir_convert(b, extent(r, r->s.n), IR_F32);
		r->inverse = ir_compute(b, IR_FDIV, ir_f32(b, 1), n, 0);
	}
}

/* Whether some invocation has lines past the last. */
static bool is_ragged(const struct reducing *r)
{
	const struct reduction *s = &r->s;
	const struct op *op = r->l->op;
	uint64_t lines = (uint64_t)reduction_tuned(op, s->rows) * reduction_tuned(op, s->columns);

	return !reduction_is_constant(op, s->rows) || !reduction_is_constant(op, s->columns) ||
	       s->owner != OWNER_LINES || lines % (s->wg_y * s->tile_m) ||
	       grid_is_folded(r->l->geometry.grid);
}

static void place_invocation(struct reducing *r)
{
	struct lower *l = r->l;
	ir_id group = lower_flat_workgroup(l);
	uint32_t along = r->s.lines_fastest ? 1 : 0;

	r->side = lower_local(l, 1 - along);
	r->along = r->s.subgroup ? ir_builtin(r->b, IR_SUBGROUP_INVOCATION) : lower_local(l, along);
	ir_id share = ir_add(r->b, lower_times(l, group, r->s.wg_y), r->side);
	r->first = lower_times(l, share, r->s.tile_m);
	r->ragged = is_ragged(r);
}

/* ---- Lines. */

/* Positions of a line's first vector in x and in what is added to it. */
static void place_line(struct reducing *r, struct line *line, ir_id row, ir_id column)
{
	struct ir_builder *b = r->b;
	const uint32_t *v = r->l->op->value;
	ir_id row_size = ir_mul(b, r->count, r->columns);

	line->base = ir_add(b, ir_mul(b, row, row_size), column);
	line->addend = line->base;
	if (r->s.row->layout == LAYOUT_ROWS && r->addend < OP_TENSORS_MAX) {
		ir_id turn = lower_over(r->l, row, v[SOFTMAX_MASK_EVERY]);
		ir_id mask_row = lower_modulo(r->l, turn, v[SOFTMAX_MASK_ROWS]);
		line->addend = ir_mul(b, mask_row, r->count);
	}
	if (r->s.row->layout == LAYOUT_CHANNELS) {
		ir_id group = lower_modulo(r->l, row, r->s.groups);
		line->channel = lower_times(r->l, group, r->s.n.times);
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

static void place_lines(struct reducing *r)
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
	enum op_kind kind = r->l->op->kind;
	bool scales = kind == OP_SOFTMAX || kind == OP_LOG_SOFTMAX;
	float scale = scales ? op_float(r->l->op, SOFTMAX_SCALE) : 1;
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
	uint32_t eps = r->s.row->layout == LAYOUT_NORM ? (uint32_t)LAYERNORM_EPS
	                                               : (uint32_t)GROUPNORM_EPS;
	ir_id value = element;

	if (step == SCALAR_Y || step == SCALAR_Z)
		value = line->result[step - SCALAR_Y];
	else if (step == SCALAR_ALPHA)
		value = ir_f32(r->b, op_float(r->l->op, eps));
	else if (step == SCALAR_BETA)
		value = r->inverse;
	uint32_t lanes = ir_lanes_of(ir_type_of(r->b, like));
	return ir_lanes_of(ir_type_of(r->b, value)) == lanes ? value : ir_splat(r->b, value, lanes);
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
		stack[height - 1] = lower_scalar(
		        r->b, step, stack[height - 1], two ? stack[height] : 0, 0);
	}
	return stack[0];
}

/* ---- Walks. */

static ir_id turn_k(struct reducing *r, ir_id start, uint32_t j)
{
	return ir_add(r->b, lower_plus(r->l, start, j * r->s.wg_x), r->along);
}

/* Vectors start + j * wg_x + along for j < vectors, of which those up to `surely` are within. */
static void take_turn(
        struct reducing *r, ir_id start, uint32_t vectors, uint32_t surely, reduction_body *body)
{
	struct chunk chunk = {.count = vectors};

	for (uint32_t j = 0; j < vectors; j++) {
		chunk.k[j] = turn_k(r, start, j);
		if (j >= surely)
			chunk.valid[j] = ir_compute(r->b, IR_LT, chunk.k[j], r->count, 0);
	}
	body(r, &chunk);
}

static void walk_constant(struct reducing *r, uint32_t count, reduction_body *body)
{
	uint32_t wg_x = r->s.wg_x, turn = wg_x * r->s.vectors, full = count / turn * turn;
	uint32_t rest = count - full;
	ir_id start = lower_u32(r->l, 0);

	if (full > turn)
		start = ir_loop(r->b, start, lower_u32(r->l, full), turn);
	if (full)
		take_turn(r, start, r->s.vectors, r->s.vectors, body);
	if (full > turn)
		ir_end(r->b);
	if (rest)
		take_turn(r, lower_u32(r->l, full), (rest + wg_x - 1) / wg_x, rest / wg_x, body);
}

static void walk_dynamic(struct reducing *r, reduction_body *body)
{
	uint32_t turn = r->s.wg_x * r->s.vectors;
	ir_id rest = lower_modulo(r->l, r->count, turn);
	ir_id full = ir_compute(r->b, IR_SUB, r->count, rest, 0);
	ir_id start = ir_loop(r->b, lower_u32(r->l, 0), full, turn);

	take_turn(r, start, r->s.vectors, r->s.vectors, body);
	ir_end(r->b);
	if (turn == 1)
		return;
	struct chunk last = {.count = 1};
	last.k[0] = ir_loop(r->b, ir_add(r->b, full, r->along), r->count, r->s.wg_x);
	body(r, &last);
	ir_end(r->b);
}

void reduction_walk(struct reducing *r, reduction_body *body)
{
	const struct op *op = r->l->op;

	if (reduction_is_constant(op, r->s.count))
		walk_constant(r, reduction_tuned(op, r->s.count), body);
	else if (r->s.straight)
		take_turn(r, lower_u32(r->l, 0), r->s.vectors, 0, body);
	else
		walk_dynamic(r, body);
}

/* ---- All of it. */

static void write_results(struct reducing *r)
{
	ir_id value[TILE_MAX];

	for (uint32_t i = 0; i < r->s.tile_m; i++)
		value[i] = reduction_evaluate(r, &r->line[i], r->s.row->write, 0);
	reduction_write_results(r, value);
}

void lower_reduction(struct lower *l)
{
	struct reducing r = {.l = l, .b = l->b, .s = reduction_derive(l->op, l->schedule)};

	bind(&r);
	measure(&r);
	place_invocation(&r);
	place_lines(&r);
	switch (r.s.row->output) {
	case OUTPUT_RESULTS:
		reduction_run(&r);
		write_results(&r);
		break;
	case OUTPUT_INDICES:
		reduction_run_index(&r);
		break;
	case OUTPUT_ELEMENTS:
		reduction_run(&r);
		reduction_write_elements(&r);
		break;
	case OUTPUT_RUNNING:
		reduction_scan(&r);
		break;
	}
}
