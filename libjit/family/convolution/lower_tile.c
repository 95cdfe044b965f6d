/* SPDX-License-Identifier: Apache-2.0
 *
 * Direct convolution in register tiles. An invocation accumulates tile_m output channels of
 * tile_h x tile_n output pixels. A turn takes some taps of k_step input channels. Each element of x
 * that any of them meets is read once, whatever tap it is for, straight from global memory or from
 * a window that the workgroup has staged. Invariant: positions are kept in bounds, what lies in the
 * padding is 0 where a position can lie there at all, stores are guarded.
 */
#include "family/convolution/lower.h"

static void begin_sums(struct convolving *v)
{
	ir_id zero = ir_splat(v->b, ir_float(v->b, v->l->number, 0), v->c.sums.vec);

	for (uint32_t i = 0; i < v->c.sums.count; i++)
		v->sums[i] = ir_var(v->b, zero);
}

/* ---- The inner product. */

/* One tap: every output that it meets, of output channels from, from + step, ... */
static void multiply_tap(struct convolving *v, const struct tap *tap, uint32_t from, uint32_t to)
{
	const struct convolution *c = &v->c;
	uint32_t m_step = c->sums.along_m ? c->sums.vec : 1;
	uint32_t j_step = c->sums.along_m ? 1 : c->sums.vec;
	ir_id filter[TILE_MAX];

	for (uint32_t m = from; m < to; m += m_step)
		filter[m] = filter_vector(v, m, tap);
	for (uint32_t r = 0; r < c->rows.tile; r++) {
		for (uint32_t j = 0; j < c->columns.tile; j += j_step) {
			ir_id x = image_vector(v, r, j, tap);
			for (uint32_t m = from; x && m < to; m += m_step) {
				ir_id *sum = &v->values[convolution_sum(c, m, r, j)];
				*sum = ir_compute(v->b, IR_FMA, filter[m], x, *sum);
			}
		}
	}
}

/* All of a turn's taps of one channel of x, for the output channels that see it. */
static void multiply_taps(struct convolving *v, uint32_t kk, uint32_t from, uint32_t to)
{
	struct tap tap = {.kk = kk};

	image_choose_channel(v, kk, from);
	for (tap.ky = 0; tap.ky < v->c.rows.unrolled; tap.ky++)
		for (tap.kx = 0; tap.kx < v->c.columns.unrolled; tap.kx++)
			multiply_tap(v, &tap, from, to);
}

static void turn(struct convolving *v)
{
	const struct convolution *c = &v->c;
	bool one_each = c->diagonal && !c->sums.along_m;

	filter_begin_turn(v);
	for (uint32_t i = 0; i < c->sums.count; i++)
		v->values[i] = ir_get(v->b, v->sums[i]);
	for (uint32_t m = 0; one_each && m < c->tile_m; m++)
		multiply_taps(v, 0, m, m + 1);
	for (uint32_t kk = 0; !one_each && kk < c->unrolled_k; kk++)
		multiply_taps(v, kk, 0, c->tile_m);
	for (uint32_t i = 0; i < c->sums.count; i++)
		ir_set(v->b, v->sums[i], v->values[i]);
}

/* ---- Loops. */

/* Opens a loop over the taps of a direction unless one turn takes them all. */
static ir_id loop_taps(struct convolving *v, struct direction *d)
{
	const struct convolution_span *s = d->span;

	if (s->unrolled == s->taps)
		return ir_u32(v->b, 0);
	ir_id from = ir_u32(v->b, 0), to = ir_u32(v->b, s->taps);
	ir_id tap = ir_loop(v->b, from, to, s->unrolled);
	image_find_lines(v, d, tap);
	return tap;
}

static void end_taps(struct convolving *v, const struct direction *d)
{
	if (d->span->unrolled < d->span->taps)
		ir_end(v->b);
}

static void turn_taps(struct convolving *v)
{
	v->turn.ky = loop_taps(v, &v->rows);
	v->turn.kx = loop_taps(v, &v->columns);
	turn(v);
	end_taps(v, &v->columns);
	end_taps(v, &v->rows);
}

/* for (channel = 0; channel < count; channel += step) */
static ir_id loop_channels(struct convolving *v, uint32_t count, uint32_t step)
{
	if (count <= step)
		return ir_u32(v->b, 0);
	ir_id from = ir_u32(v->b, 0), to = ir_u32(v->b, count);
	return ir_loop(v->b, from, to, step);
}

static void end_channels(struct convolving *v, uint32_t count, uint32_t step)
{
	if (count > step)
		ir_end(v->b);
}

/* Each of the split's invocations takes every split-th step; a last, partial round is guarded. */
static void accumulate_direct(struct convolving *v)
{
	const struct convolution *c = &v->c;
	uint32_t round = c->k_step * c->split;
	ir_id from = loop_channels(v, c->inputs, round);
	bool partial = c->inputs % round != 0;

	v->turn.k = ir_add(v->b, from, lower_times(v->l, v->local_k, c->k_step));
	if (partial)
		ir_if(v->b, ir_compute(v->b, IR_LT, v->turn.k, ir_u32(v->b, c->inputs), 0));
	turn_taps(v);
	if (partial)
		ir_end(v->b);
	end_channels(v, c->inputs, round);
}

static void accumulate_staged(struct convolving *v)
{
	const struct convolution *c = &v->c;
	ir_id first = loop_channels(v, c->inputs, c->k_step);

	v->turn.k = first;
	if (c->stage.x)
		image_stage(v);
	if (c->stage.w)
		filter_stage(v);
	ir_barrier(v->b);
	v->turn.staged_k = loop_channels(v, c->k_step, c->unrolled_k);
	v->turn.k = ir_add(v->b, first, v->turn.staged_k);
	turn_taps(v);
	end_channels(v, c->k_step, c->unrolled_k);
	if (c->inputs > c->k_step) /* before the next round overwrites what was staged */
		ir_barrier(v->b);
	end_channels(v, c->inputs, c->k_step);
}

/* ---- All of it. */

void convolution_lower_tiled(struct convolving *v)
{
	const struct convolution *c = &v->c;

	convolution_place(v);
	begin_sums(v);
	image_begin(v);
	filter_begin(v);
	if (c->rows.unrolled == c->rows.taps)
		image_find_lines(v, &v->rows, ir_u32(v->b, 0));
	if (c->columns.unrolled == c->columns.taps)
		image_find_lines(v, &v->columns, ir_u32(v->b, 0));
	if (c->stage.x || c->stage.w)
		accumulate_staged(v);
	else
		accumulate_direct(v);
	if (c->split > 1)
		out_reduce(v);
	out_store(v);
	if (grid_is_folded(v->l->geometry.grid))
		ir_end(v->b);
}
