/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution's filter: its loads, and its staging in workgroup memory. Knows nothing of
 * pixels. Invariant: loads that share a vector of the filter are the same load, for the builder to
 * find.
 *
 * An element of the turn stands at
 *
 *   base + m * filter.m + kk * filter.k + tap * filter.tap
 *
 * of the filter's binding, whose steps depend on the layout:
 *
 *   w                          filter.m         filter.k          filter.tap
 *   [oc,c,kh,kw]               inputs * taps    taps              1
 *   [oc,kh,kw,c]   nhwc        inputs * taps    1                 inputs
 *   [c,oc,kh,kw]   transposed  taps             outputs * taps    1
 *   [c,kh,kw,oc]   both        1                outputs * taps    outputs
 *
 * Staged, row r is a channel and a tap (the faster of them is what neighbours in memory are), and a
 * row holds the workgroup's output channels in vectors of stage.w_width:
 *
 *   row 0   | m 0..3 | m 4..7 | ...      wg_y * tile_m / w_width vectors
 *   row 1   | m 0..3 | m 4..7 | ...
 */
#include "family/convolution/lower.h"

static bool overhangs(const struct convolution *c)
{
	return c->outputs % c->tile_m != 0;
}

static ir_id in_loads(struct convolving *v, ir_id count, uint64_t elements)
{
	return lower_over(v->l, lower_times(v->l, count, (uint32_t)elements), v->c.filter.width);
}

/* The load that holds the group's first element. */
static ir_id group_base(struct convolving *v)
{
	const struct convolution *c = &v->c;
	uint64_t each = c->w.transposed && !c->diagonal ? c->inputs * c->filter.k
	                                                : c->outputs * c->filter.m;

	return in_loads(v, v->group, each);
}

void filter_begin(struct convolving *v)
{
	const struct convolution *c = &v->c;

	v->filter.base = group_base(v);
	if (!overhangs(c)) {
		v->filter.base = ir_add(
		        v->b, v->filter.base, in_loads(v, v->m.tile, c->tile_m * c->filter.m));
		return;
	}
	ir_id first = lower_times(v->l, v->m.tile, c->tile_m), last = ir_u32(v->b, c->outputs - 1);
	for (uint32_t m = 0; m < c->tile_m; m++) {
		ir_id own = lower_plus(v->l, first, m);
		ir_id kept = ir_compute(v->b, IR_MIN, own, last, 0);
		v->filter.rows[m] = in_loads(v, kept, c->filter.m);
	}
}

/* Staged, channels or taps are the faster, whichever are neighbours in global memory. */
static uint32_t staged_row(const struct convolution *c, uint32_t kk, uint32_t tap)
{
	return c->filter.k == 1 ? tap * c->k_step + kk : kk * c->rows.taps * c->columns.taps + tap;
}

static uint32_t staged_pitch(const struct convolution *c)
{
	return c->wg_y * c->tile_m / c->stage.w_width;
}

void filter_begin_turn(struct convolving *v)
{
	const struct convolution *c = &v->c;
	ir_id k = in_loads(v, v->turn.k, c->filter.k);
	ir_id y = in_loads(v, v->turn.ky, (uint64_t)c->filter.tap * c->w.kw);
	ir_id x = in_loads(v, v->turn.kx, c->filter.tap);

	if (c->stage.w) {
		ir_id rows = lower_times(
		        v->l, v->turn.staged_k, staged_row(c, 1, 0) * staged_pitch(c));
		ir_id own = lower_times(v->l, v->m.local, c->tile_m / c->stage.w_width);
		v->filter.turn = ir_add(v->b, rows, own);
		return;
	}
	v->filter.turn = ir_add(v->b, ir_add(v->b, ir_add(v->b, v->filter.base, k), y), x);
}

static ir_id staged_vector(struct convolving *v, uint32_t m, uint32_t kk, uint32_t tap)
{
	const struct convolution *c = &v->c;
	uint32_t plus = staged_row(c, kk, tap) * staged_pitch(c) + m / c->stage.w_width;

	return ir_shared_load(v->b, v->shared.w, lower_plus(v->l, v->filter.turn, plus));
}

static ir_id filter_scalar(struct convolving *v, uint32_t m, uint32_t kk, uint32_t tap)
{
	const struct convolution *c = &v->c;
	uint64_t plus = kk * c->filter.k + (uint64_t)tap * c->filter.tap;
	ir_id base = v->filter.turn;

	if (overhangs(c))
		base = ir_add(v->b, base, v->filter.rows[m]);
	else
		plus += m * c->filter.m;
	ir_id load = lower_load(
	        v->l, v->bound.w, lower_plus(v->l, base, (uint32_t)(plus / c->filter.width)));
	return ir_extract(v->b, load, plus % c->filter.width);
}

ir_id filter_vector(struct convolving *v, uint32_t m, const struct tap *tap)
{
	const struct convolution *c = &v->c;
	uint32_t kk = tap->kk, number = tap->ky * c->w.kw + tap->kx;
	ir_id lanes[4];

	if (c->stage.w) {
		if (m % c->stage.w_width == 0)
			v->filter.staged = staged_vector(v, m, kk, number);
		if (c->sums.along_m)
			return v->filter.staged;
		lanes[0] = ir_extract(v->b, v->filter.staged, m % c->stage.w_width);
		return ir_splat(v->b, lanes[0], c->sums.vec);
	}
	for (uint32_t i = 0; i < (c->sums.along_m ? c->sums.vec : 1); i++)
		lanes[i] = filter_scalar(v, m + i, kk, number);
	return c->sums.along_m ? ir_compose(v->b, lanes, c->sums.vec)
	                       : ir_splat(v->b, lanes[0], c->sums.vec);
}

/* ---- Staging. */

/* From the first staged channel's first tap to row `row`'s position, in elements. */
static ir_id row_offset(struct convolving *v, ir_id row)
{
	const struct convolution *c = &v->c;
	uint32_t taps = c->rows.taps * c->columns.taps;
	uint32_t fast = c->filter.k == 1 ? c->k_step : taps;
	uint32_t fast_step = c->filter.k == 1 ? 1 : c->filter.tap;
	uint32_t slow_step = c->filter.k == 1 ? c->filter.tap : (uint32_t)c->filter.k;

	if (slow_step == fast * fast_step)
		return lower_times(v->l, row, fast_step);
	ir_id slow = lower_times(v->l, lower_over(v->l, row, fast), slow_step);
	return ir_add(v->b, slow, lower_times(v->l, lower_modulo(v->l, row, fast), fast_step));
}

static void stage_vector(struct convolving *v, ir_id e)
{
	const struct convolution *c = &v->c;
	uint32_t rows = c->k_step * c->rows.taps * c->columns.taps;
	ir_id row = lower_modulo(v->l, e, rows), vector = lower_over(v->l, e, rows);
	ir_id first = lower_times(v->l, v->m.first, c->tile_m);
	ir_id m = ir_add(v->b, first, lower_times(v->l, vector, c->stage.w_width));
	ir_id k = lower_times(v->l, v->turn.k, (uint32_t)c->filter.k);
	ir_id start = ir_add(v->b, group_base(v), k), offset = row_offset(v, row);
	ir_id base = ir_add(v->b, start, offset);
	ir_id slot = ir_add(v->b, lower_times(v->l, row, staged_pitch(c)), vector), lanes[4];
	bool past = c->outputs % (c->wg_y * c->tile_m) != 0;

	for (uint32_t i = 0; i < c->stage.w_width; i++) {
		ir_id own = lower_plus(v->l, m, i);
		if (past)
			own = ir_compute(v->b, IR_MIN, own, ir_u32(v->b, c->outputs - 1), 0);
		ir_id at = ir_add(v->b, base, lower_times(v->l, own, (uint32_t)c->filter.m));
		lanes[i] = lower_load(v->l, v->bound.w, at);
	}
	ir_shared_store(v->b, v->shared.w, slot, ir_compose(v->b, lanes, c->stage.w_width));
}

void filter_stage(struct convolving *v)
{
	convolution_copy(v, v->c.stage.w_length, stage_vector);
}
