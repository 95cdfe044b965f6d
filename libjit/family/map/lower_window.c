/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps that look at a neighbourhood of x: pools and resizing. Positions are whole numbers and
 * ratios of whole numbers, and are computed as such. Invariant: no rounding picks another element
 * than the reference does.
 */
#include "family/map/lower.h"

#include <math.h>

static ir_id subtract(struct mapper *m, ir_id x, ir_id y)
{
	return ir_compute(m->b, IR_SUB, x, y, 0);
}

static ir_id at_most(struct mapper *m, ir_id x, uint32_t most)
{
	return ir_compute(m->b, IR_MIN, x, lower_u32(m->l, most), 0);
}

static ir_id at_least(struct mapper *m, ir_id x, uint32_t least)
{
	return ir_compute(m->b, IR_MAX, x, lower_u32(m->l, least), 0);
}

/* An image [planes,h,w,inner], read `lanes` elements of inner at a time. */
struct image {
	uint32_t h, w, inner, lanes;
	ir_id plane, channel; /* where the position is; the channel counted in lanes */
};

static ir_id load_pixel(struct mapper *m, const struct image *x, ir_id row, ir_id column)
{
	ir_id at = ir_add(m->b, lower_times(m->l, x->plane, x->h), row);

	at = ir_add(m->b, lower_times(m->l, at, x->w), column);
	at = lower_times(m->l, at, x->inner / x->lanes);
	return map_load_run(m, 0, ir_add(m->b, at, x->channel), x->lanes);
}

/* A value for each lane of a position: its lanes are channels where there is a dimension of them
 * behind the columns, else columns. */
typedef ir_id pixel_of(struct mapper *m, const struct image *x, ir_id row, ir_id column);

static ir_id compute_pixels(
        struct mapper *m, const struct position *p, struct image *x, pixel_of *pixel)
{
	ir_id elements[4];

	x->plane = p->at[0];
	if (m->map.plan.dims == 4) {
		x->lanes = p->lanes;
		x->channel = p->at[3];
		return pixel(m, x, p->at[1], p->at[2]);
	}
	x->lanes = 1;
	x->channel = lower_u32(m->l, 0);
	ir_id first = lower_times(m->l, p->at[2], p->lanes);
	for (uint32_t i = 0; i < p->lanes; i++)
		elements[i] = pixel(m, x, p->at[1], lower_plus(m->l, first, i));
	return ir_compose(m->b, elements, p->lanes);
}

/* ---- Pools. Positions are of the padded x, so that none is negative. */

/* One direction of a window. */
struct range {
	uint32_t in, out, taps, stride, before, dilation;
};

static void ranges_of(const struct op_window *w, struct range ret_ranges[2])
{
	ret_ranges[0] = (struct range){w->h, w->oh, w->kh, w->stride_h, w->top, w->dilation_h};
	ret_ranges[1] = (struct range){w->w, w->ow, w->kw, w->stride_w, w->left, w->dilation_w};
}

/* Whether a tap may fall behind the end of x. */
static bool passes_end(const struct range *r)
{
	uint64_t last = (uint64_t)(r->out - 1) * r->stride + (uint64_t)(r->taps - 1) * r->dilation;

	return last >= (uint64_t)r->in + r->before;
}

static bool passes_edge(const struct range *r)
{
	return r->before || passes_end(r);
}

/* The tap at position `at`: which element, moved to the edge where there is none, and (0: always)
 * whether there is one. */
static ir_id tap(struct mapper *m, const struct range *r, ir_id at, ir_id *ret_inside)
{
	ir_id past = subtract(m, at, lower_u32(m->l, r->before)), kept = at;

	*ret_inside = 0;
	if (!passes_edge(r))
		return past;
	*ret_inside = ir_compute(m->b, IR_LT, past, lower_u32(m->l, r->in), 0);
	if (passes_end(r))
		kept = at_most(m, kept, r->in + r->before - 1);
	return subtract(m, at_least(m, kept, r->before), lower_u32(m->l, r->before));
}

/* The first tap that holds an element, and the one behind the last. */
static void holding(struct mapper *m, const struct range *r, ir_id start, ir_id ret_taps[2])
{
	uint32_t end = r->in + r->before;
	ir_id missing = subtract(
	        m, at_least(m, lower_u32(m->l, r->before), 0), at_most(m, start, r->before));
	ir_id lacking = lower_plus(m->l, missing, r->dilation - 1);
	ir_id left = subtract(m, lower_u32(m->l, end), at_most(m, start, end));
	ir_id reached = lower_over(m->l, lower_plus(m->l, left, r->dilation - 1), r->dilation);

	ret_taps[0] = r->before ? lower_over(m->l, lacking, r->dilation) : lower_u32(m->l, 0);
	ret_taps[1] = passes_end(r) ? at_most(m, reached, r->taps) : lower_u32(m->l, r->taps);
}

static bool is_max(const struct mapper *m)
{
	return m->l->op->kind == OP_MAX_POOL;
}

/* With what a window starts: no number is lower, or nothing. */
static ir_id initial(struct mapper *m, uint32_t lanes)
{
	return ir_splat(m->b, ir_f32(m->b, is_max(m) ? -INFINITY : 0), lanes);
}

static ir_id join(struct mapper *m, ir_id sum, ir_id value)
{
	return lower_scalar(m->b, is_max(m) ? SCALAR_MAX : SCALAR_ADD, sum, value, 0);
}

static ir_id both(struct mapper *m, ir_id a, ir_id b)
{
	return a && b ? ir_compute(m->b, IR_LAND, a, b, 0) : a ? a : b;
}

/* A tap that was moved to the edge is in the window twice, which a maximum does not mind where the
 * window has no gaps. */
static ir_id sum_unrolled(
        struct mapper *m, const struct image *x, const struct range r[2], const ir_id start[2])
{
	bool gaps = r[0].dilation > 1 || r[1].dilation > 1;
	ir_id none = initial(m, x->lanes), sum = none;

	for (uint32_t i = 0; i < r[0].taps * r[1].taps; i++) {
		uint32_t down = i / r[1].taps, across = i % r[1].taps;
		ir_id row_holds, column_holds;
		ir_id y = lower_plus(m->l, start[0], down * r[0].dilation);
		ir_id z = lower_plus(m->l, start[1], across * r[1].dilation);
		ir_id row = tap(m, &r[0], y, &row_holds);
		ir_id column = tap(m, &r[1], z, &column_holds);
		ir_id value = load_pixel(m, x, row, column);
		ir_id holds = both(m, row_holds, column_holds);
		if (holds && (gaps || !is_max(m)))
			value = ir_select(m->b, holds, value, none);
		sum = i ? join(m, sum, value) : value;
	}
	return sum;
}

/* A large window: only the taps that hold an element. */
static ir_id sum_looped(struct mapper *m, const struct image *x, const struct range r[2],
        const ir_id start[2], ir_id taps[2][2])
{
	ir_id sum = ir_var(m->b, initial(m, x->lanes)), at[2];

	for (uint32_t i = 0; i < 2; i++) {
		ir_id turn = ir_loop(m->b, taps[i][0], taps[i][1], 1);
		ir_id reach = lower_times(m->l, turn, r[i].dilation);
		at[i] = ir_add(m->b, start[i], reach);
		at[i] = subtract(m, at[i], lower_u32(m->l, r[i].before));
	}
	ir_id value = load_pixel(m, x, at[0], at[1]);
	ir_set(m->b, sum, join(m, ir_get(m->b, sum), value));
	ir_end(m->b);
	ir_end(m->b);
	return ir_get(m->b, sum);
}

/* How many elements the window holds, as a float, 1 at least. */
static ir_id count_held(struct mapper *m, ir_id taps[2][2])
{
	ir_id rows = ir_compute(m->b, IR_MAX, taps[0][1], taps[0][0], 0);
	ir_id columns = ir_compute(m->b, IR_MAX, taps[1][1], taps[1][0], 0);

	rows = subtract(m, rows, taps[0][0]);
	columns = subtract(m, columns, taps[1][0]);
	return ir_convert(m->b, at_least(m, ir_mul(m->b, rows, columns), 1), IR_F32);
}

/* A window with gaps may hold nothing at all. */
static ir_id finish_max(struct mapper *m, ir_id sum, const struct range r[2], ir_id taps[2][2])
{
	bool gaps = (passes_edge(&r[0]) && r[0].dilation > 1) ||
	            (passes_edge(&r[1]) && r[1].dilation > 1);

	if (!gaps)
		return sum;
	ir_id no_row = ir_compute(m->b, IR_GE, taps[0][0], taps[0][1], 0);
	ir_id no_column = ir_compute(m->b, IR_GE, taps[1][0], taps[1][1], 0);
	ir_id nothing = ir_compute(m->b, IR_LOR, no_row, no_column, 0);
	return ir_select(m->b, nothing, lower_literal(m->b, 0, sum), sum);
}

static ir_id pool_pixel(struct mapper *m, const struct image *x, ir_id row, ir_id column)
{
	struct op_window w = op_window(m->l->op);
	struct range r[2];
	ir_id taps[2][2], start[2], sum;

	ranges_of(&w, r);
	start[0] = lower_times(m->l, row, w.stride_h);
	start[1] = lower_times(m->l, column, w.stride_w);
	for (uint32_t i = 0; i < 2; i++)
		holding(m, &r[i], start[i], taps[i]);
	if (w.kh * w.kw <= MAP_TAPS_UNROLLED)
		sum = sum_unrolled(m, x, r, start);
	else
		sum = sum_looped(m, x, r, start, taps);
	if (is_max(m))
		return finish_max(m, sum, r, taps);
	if (m->l->op->value[AVG_POOL_COUNT_PAD] || (!passes_edge(&r[0]) && !passes_edge(&r[1])))
		return ir_mul(
		        m->b, sum, lower_literal(m->b, 1.0f / ((float)w.kh * (float)w.kw), sum));
	ir_id count = ir_splat(m->b, count_held(m, taps), x->lanes);
	return ir_compute(m->b, IR_FDIV, sum, count, 0);
}

ir_id map_value_window(struct mapper *m, const struct position *p)
{
	struct op_window w = op_window(m->l->op);
	struct image x = {.h = w.h, .w = w.w, .inner = w.nhwc ? w.c : 1};

	return compute_pixels(m, p, &x, pool_pixel);
}

/* ---- Resizing. */

/* Element o of out lies at (slope * o + plus - minus) / over of x, at 0 if that is negative. */
struct ratio {
	uint32_t slope, plus, minus, over, in, out;
};

enum coordinates { HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS };

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* With `nearest` the spot's whole part is the element nearest to it, halves down (asymmetric: the
 * element it falls in): (2a o + a - b) / 2b is rounded so by (2a o + a - 1) / 2b, and a o / b by
 * (2a o + b - 1) / 2b. */
static struct ratio ratio_of(enum coordinates position, bool nearest, uint32_t in, uint32_t out)
{
	uint32_t a = position == ALIGN_CORNERS ? in - 1 : in;
	uint32_t b = position == ALIGN_CORNERS ? out - 1 : out, common = common_divisor(a, b);
	struct ratio r = {.over = 1, .in = in, .out = out};

	if (!b) /* a single one lies at the first */
		return r;
	a /= common;
	b /= common;
	r.slope = position == HALF_PIXEL ? 2 * a : a;
	r.over = position == HALF_PIXEL ? 2 * b : b;
	if (position == HALF_PIXEL) {
		r.plus = nearest ? a - 1 : a;
		r.minus = nearest ? 0 : b;
	} else if (position == ALIGN_CORNERS && nearest) {
		r.slope *= 2;
		r.over *= 2;
		r.plus = b - 1;
	}
	return r;
}

/* A spot in x: the element it falls in, and how many parts of `over` beyond. */
struct spot {
	ir_id whole, rest;
};

static struct spot split(struct mapper *m, ir_id n, uint32_t over)
{
	struct spot s = {.whole = lower_over(m->l, n, over)};

	s.rest = subtract(m, n, lower_times(m->l, s.whole, over));
	return s;
}

/* o * slope / over where the product passes 32 bits: bit by bit of o, from the top. */
static struct spot split_long(struct mapper *m, ir_id o, const struct ratio *r)
{
	ir_id zero = lower_u32(m->l, 0), whole = ir_var(m->b, zero), rest = ir_var(m->b, zero);
	ir_id turn = ir_loop(m->b, zero, lower_u32(m->l, 27), 1);
	ir_id shift = subtract(m, lower_u32(m->l, 26), turn);
	ir_id down = ir_compute(m->b, IR_SHR, o, shift, 0);
	ir_id bit = ir_compute(m->b, IR_AND, down, lower_u32(m->l, 1), 0);
	ir_id before = lower_times(m->l, ir_get(m->b, rest), 2);
	struct spot s = split(m, ir_add(m->b, before, lower_times(m->l, bit, r->slope)), r->over);
	ir_id doubled = lower_times(m->l, ir_get(m->b, whole), 2);

	ir_set(m->b, whole, ir_add(m->b, doubled, s.whole));
	ir_set(m->b, rest, s.rest);
	ir_end(m->b);
	s.whole = ir_get(m->b, whole);
	s.rest = ir_get(m->b, rest);
	return s;
}

/* The spot `minus` parts (fewer than `over`) before s, 0 at least. */
static struct spot moved_back(struct mapper *m, struct spot s, const struct ratio *r)
{
	ir_id zero = lower_u32(m->l, 0), minus = lower_u32(m->l, r->minus);
	ir_id borrows = ir_compute(m->b, IR_LT, s.rest, minus, 0);
	ir_id at_first = ir_compute(m->b, IR_EQ, s.whole, zero, 0);
	ir_id less = lower_plus(m->l, s.whole, UINT32_MAX);
	ir_id straight = subtract(m, s.rest, minus);
	ir_id borrowed = lower_plus(m->l, straight, r->over);
	ir_id negative = ir_compute(m->b, IR_LAND, borrows, at_first, 0);

	s.whole = ir_select(m->b, borrows, ir_select(m->b, at_first, zero, less), s.whole);
	s.rest = ir_select(m->b, borrows, borrowed, straight);
	s.rest = ir_select(m->b, negative, zero, s.rest);
	return s;
}

static struct spot find_spot(struct mapper *m, const struct ratio *r, ir_id o)
{
	uint64_t greatest = (uint64_t)r->slope * (r->out - 1) + r->plus;

	if (greatest <= UINT32_MAX) {
		ir_id n = lower_plus(m->l, lower_times(m->l, o, r->slope), r->plus);
		if (r->minus)
			n = subtract(m, at_least(m, n, r->minus), lower_u32(m->l, r->minus));
		return split(m, n, r->over);
	}
	struct spot s = split_long(m, o, r);
	struct spot more = split(m, lower_plus(m->l, s.rest, r->plus), r->over);
	more.whole = ir_add(m->b, s.whole, more.whole);
	return r->minus ? moved_back(m, more, r) : more;
}

/* Both neighbours of a spot, and the weight of the second; one where positions are whole. */
struct neighbours {
	ir_id first, second, weight;
	bool one;
};

static struct neighbours find_neighbours(struct mapper *m, const struct ratio *r, ir_id o)
{
	bool whole = r->in == 1 || (r->slope == r->over && r->plus == r->minus);
	struct spot s = find_spot(m, r, o);
	struct neighbours n = {.first = s.whole, .one = whole};

	if (whole)
		return n;
	n.second = at_most(m, lower_plus(m->l, s.whole, 1), r->in - 1);
	n.weight = ir_mul(
	        m->b, ir_convert(m->b, s.rest, IR_F32), ir_f32(m->b, 1.0f / (float)r->over));
	return n;
}

/* A neighbour of no weight adds nothing, be it infinite; and no difference of two can overflow. */
static ir_id blend(struct mapper *m, const struct neighbours *n, ir_id first, ir_id second)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(m->b, first));
	ir_id weight = ir_splat(m->b, n->weight, lanes),
	      one = ir_splat(m->b, ir_f32(m->b, 1), lanes);
	ir_id none = ir_compute(m->b, IR_EQ, weight, ir_splat(m->b, ir_f32(m->b, 0), lanes), 0);
	ir_id share = ir_mul(m->b, first, subtract(m, one, weight));

	return ir_select(m->b, none, first, ir_compute(m->b, IR_FMA, second, weight, share));
}

static ir_id blend_row(
        struct mapper *m, const struct image *x, ir_id row, const struct neighbours *columns)
{
	ir_id first = load_pixel(m, x, row, columns->first);

	if (columns->one)
		return first;
	return blend(m, columns, first, load_pixel(m, x, row, columns->second));
}

static ir_id resize_pixel(struct mapper *m, const struct image *x, ir_id row, ir_id column)
{
	const uint32_t *v = m->l->op->value;
	enum coordinates position = (enum coordinates)v[RESIZE_POSITION];
	bool nearest = v[RESIZE_MODE] == 0;
	struct ratio down = ratio_of(position, nearest, v[RESIZE_H], v[RESIZE_OH]);
	struct ratio across = ratio_of(position, nearest, v[RESIZE_W], v[RESIZE_OW]);

	if (nearest) {
		struct spot y = find_spot(m, &down, row), z = find_spot(m, &across, column);
		return load_pixel(m, x, y.whole, z.whole);
	}
	struct neighbours rows = find_neighbours(m, &down, row);
	struct neighbours columns = find_neighbours(m, &across, column);
	ir_id first = blend_row(m, x, rows.first, &columns);
	return rows.one ? first : blend(m, &rows, first, blend_row(m, x, rows.second, &columns));
}

ir_id map_value_resize(struct mapper *m, const struct position *p)
{
	const uint32_t *v = m->l->op->value;
	struct image x = {.h = v[RESIZE_H], .w = v[RESIZE_W], .inner = v[RESIZE_INNER]};

	return compute_pixels(m, p, &x, resize_pixel);
}
