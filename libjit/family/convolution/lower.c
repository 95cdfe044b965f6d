/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution family: direct convolution in register tiles. An invocation accumulates tile_m
 * output channels of tile_h x tile_n output pixels. A turn takes some taps of k_step input
 * channels: each element of x that any of them meets is read once, whatever tap it is for, straight
 * from global memory or from a window that the workgroup has staged. Which taps meet which elements
 * is settled here, so that transposed and dilated filters cost no arithmetic either. Edges:
 * positions are kept in bounds, what lies in the padding becomes 0 where a position can lie there
 * at all, stores are guarded.
 */
#include "family/convolution/lower.h"

static uint32_t over_up(uint32_t a, uint32_t b)
{
	return a / b + (a % b != 0);
}

/* ---- Set-up. */

static void bind_tensors(struct convolving *v)
{
	struct lower *l = v->l;
	bool has_bias = lower_find(l, "bias") < OP_TENSORS_MAX;
	bool has_residual = lower_find(l, "residual") < OP_TENSORS_MAX;

	v->x = lower_bind(l, v->c.flat ? 1 : v->c.x_width);
	v->w = lower_bind(l, v->c.flat ? 1 : v->c.w_width);
	v->bias = has_bias ? lower_bind(l, 1) : OP_TENSORS_MAX;
	v->residual = has_residual ? lower_bind(l, v->c.out_width) : OP_TENSORS_MAX;
	v->out = lower_bind(l, v->c.out_width);
}

static void share(struct convolving *v)
{
	const struct convolution *c = &v->c;
	enum ir_scalar number = v->l->number;

	if (c->stage_x)
		v->shared_x = ir_shared(v->b, IR_TYPE(number, c->x_width), c->x_length);
	if (c->stage_w)
		v->shared_w = ir_shared(v->b, IR_TYPE(number, c->stage_width), c->w_length);
	if (c->stage_out)
		v->shared_out = ir_shared(v->b, IR_TYPE(number, 1), c->out_length);
	if (c->reduce_length)
		v->shared_sum = ir_shared(v->b, IR_TYPE(number, c->vec), c->reduce_length);
}

/* The place of `own` among `count`: itself, or the last where it may be past it. */
static ir_id keep(
        struct convolving *v, ir_id own, uint32_t count, uint32_t group, ir_id *ret_within)
{
	*ret_within = 0;
	if (count % group == 0)
		return own;
	*ret_within = ir_compute(v->b, IR_LT, own, ir_u32(v->b, count), 0);
	return ir_compute(v->b, IR_MIN, own, ir_u32(v->b, count - 1), 0);
}

static void place_direction(struct convolving *v, struct direction *d,
        const struct convolution_span *span, ir_id workgroup, ir_id local)
{
	d->span = span;
	d->first = lower_times(v->l, workgroup, span->group);
	ir_id own = ir_add(v->b, d->first, local);
	d->tile = keep(v, own, span->tiles, span->group, &d->within);
}

static void place_channels(struct convolving *v, ir_id workgroup)
{
	const struct convolution *c = &v->c;
	uint32_t tiles = c->groups * c->tiles_m;
	ir_id first = lower_times(v->l, workgroup, c->wg_y);
	ir_id own = ir_add(v->b, first, v->local_m);
	ir_id tile = keep(v, own, tiles, c->wg_y, &v->within_m);

	v->first_tile = first;
	v->group = c->groups == 1 ? ir_u32(v->b, 0) : lower_over(v->l, tile, c->tiles_m);
	v->tile_m = c->groups == 1 ? tile : lower_modulo(v->l, tile, c->tiles_m);
	v->first_m = c->groups == 1 ? first : lower_modulo(v->l, first, c->tiles_m);
}

struct place {
	ir_id x, y, z;
};

/* The workgroup's place, and where the grid is folded the beginning of a block for those within. */
static struct place place_workgroup(struct convolving *v, uint32_t x, uint32_t y, uint32_t m)
{
	struct lower *l = v->l;
	struct place p;

	if (!grid_is_folded(l->geometry.grid)) {
		p.x = x == 1 ? ir_u32(v->b, 0) : ir_builtin(v->b, IR_WORKGROUP_ID_X);
		p.y = y == 1 ? ir_u32(v->b, 0) : ir_builtin(v->b, IR_WORKGROUP_ID_Y);
		p.z = ir_builtin(v->b, IR_WORKGROUP_ID_Z);
		return p;
	}
	ir_id flat = lower_flat_workgroup(l);
	ir_id images = v->c.merged ? ir_u32(v->b, 1) : lower_dim(l, v->c.batch);
	ir_id total = lower_times(l, images, x * y * m);
	ir_if(v->b, ir_compute(v->b, IR_LT, flat, total, 0));
	ir_id rest = lower_over(l, flat, x);
	p.x = lower_modulo(l, flat, x);
	p.y = lower_modulo(l, rest, y);
	p.z = lower_over(l, rest, y);
	return p;
}

static void place_invocation(struct convolving *v)
{
	const struct convolution *c = &v->c;
	struct lower *l = v->l;
	uint32_t x = over_up(c->columns.tiles, c->columns.group);
	uint32_t y = over_up(c->rows.tiles, c->rows.group);
	uint32_t m = over_up(c->groups * c->tiles_m, c->wg_y);
	bool many = !c->merged && (c->w.batch > 1 || op_dynamic_at(l->op, c->batch) >= 0);
	struct place p = place_workgroup(v, x, y, m);
	ir_id first = lower_local(l, 0), second = lower_local(l, 1);
	ir_id pixel = c->channels_first ? second : first;

	v->local_m = c->channels_first ? first : second;
	v->local_k = lower_local(l, 2);
	v->thread = ir_add(v->b, lower_times(l, second, c->workgroup_size[0]), first);
	v->image = many ? lower_over(l, p.z, m) : ir_u32(v->b, 0);
	ir_id row = lower_over(l, pixel, c->columns.group);
	ir_id column = lower_modulo(l, pixel, c->columns.group);
	place_direction(v, &v->rows, &c->rows, p.y, row);
	place_direction(v, &v->columns, &c->columns, p.x, column);
	place_channels(v, many ? lower_modulo(l, p.z, m) : m == 1 ? ir_u32(v->b, 0) : p.z);
}

static void begin_sums(struct convolving *v)
{
	ir_id zero = ir_splat(v->b, ir_float(v->b, v->l->number, 0), v->c.vec);

	for (uint32_t i = 0; i < v->c.accumulators; i++)
		v->sums[i] = ir_var(v->b, zero);
}

/* ---- The inner product. */

/* One tap of one channel: every output that it meets. Output channels from, from + step, ... */
static void multiply_tap(
        struct convolving *v, uint32_t kk, uint32_t ky, uint32_t kx, uint32_t from, uint32_t to)
{
	const struct convolution *c = &v->c;
	uint32_t m_step = c->along_m ? c->vec : 1, j_step = c->along_m ? 1 : c->vec;
	ir_id filter[TILE_MAX];

	for (uint32_t m = from; m < to; m += m_step)
		filter[m] = filter_vector(v, m, kk, ky, kx);
	for (uint32_t r = 0; r < c->rows.tile; r++) {
		for (uint32_t j = 0; j < c->columns.tile; j += j_step) {
			ir_id x = image_vector(v, r, j, ky, kx);
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
	image_choose_channel(v, kk, from);
	for (uint32_t ky = 0; ky < v->c.rows.unrolled; ky++)
		for (uint32_t kx = 0; kx < v->c.columns.unrolled; kx++)
			multiply_tap(v, kk, ky, kx, from, to);
}

static void turn(struct convolving *v)
{
	const struct convolution *c = &v->c;
	bool one_each = c->diagonal && !c->along_m;

	filter_begin_turn(v);
	for (uint32_t i = 0; i < c->accumulators; i++)
		v->values[i] = ir_get(v->b, v->sums[i]);
	for (uint32_t m = 0; one_each && m < c->tile_m; m++)
		multiply_taps(v, 0, m, m + 1);
	for (uint32_t kk = 0; !one_each && kk < c->unrolled_k; kk++)
		multiply_taps(v, kk, 0, c->tile_m);
	for (uint32_t i = 0; i < c->accumulators; i++)
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
	v->ky = loop_taps(v, &v->rows);
	v->kx = loop_taps(v, &v->columns);
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

	v->k = ir_add(v->b, from, lower_times(v->l, v->local_k, c->k_step));
	if (partial)
		ir_if(v->b, ir_compute(v->b, IR_LT, v->k, ir_u32(v->b, c->inputs), 0));
	turn_taps(v);
	if (partial)
		ir_end(v->b);
	end_channels(v, c->inputs, round);
}

static void accumulate_staged(struct convolving *v)
{
	const struct convolution *c = &v->c;
	ir_id first = loop_channels(v, c->inputs, c->k_step);

	v->k = first;
	if (c->stage_x)
		image_stage(v);
	if (c->stage_w)
		filter_stage(v);
	ir_barrier(v->b);
	v->staged_k = loop_channels(v, c->k_step, c->unrolled_k);
	v->k = ir_add(v->b, first, v->staged_k);
	turn_taps(v);
	end_channels(v, c->k_step, c->unrolled_k);
	if (c->inputs > c->k_step) /* before the next round overwrites what was staged */
		ir_barrier(v->b);
	end_channels(v, c->inputs, c->k_step);
}

void convolution_copy(
        struct convolving *v, uint32_t count, void (*copy)(struct convolving *v, ir_id element))
{
	uint32_t threads = v->c.wg_x * v->c.wg_y, rounds = over_up(count, threads);
	bool rolled = rounds > 4, partial = count % threads != 0;
	ir_id first = 0;

	if (rolled) {
		ir_id from = ir_u32(v->b, 0), to = ir_u32(v->b, count);
		first = ir_loop(v->b, from, to, threads);
	}
	for (uint32_t i = 0; i < (rolled ? 1 : rounds); i++) {
		ir_id element = rolled ? ir_add(v->b, first, v->thread)
		                       : lower_plus(v->l, v->thread, i * threads);
		bool guarded = partial && (rolled || i + 1 == rounds);
		if (guarded)
			ir_if(v->b, ir_compute(v->b, IR_LT, element, ir_u32(v->b, count), 0));
		copy(v, element);
		if (guarded)
			ir_end(v->b);
	}
	if (rolled)
		ir_end(v->b);
}

/* ---- The door. */

static void lower_tiled(struct convolving *v)
{
	const struct convolution *c = &v->c;

	share(v);
	place_invocation(v);
	begin_sums(v);
	image_begin(v);
	filter_begin(v);
	if (c->rows.unrolled == c->rows.taps)
		image_find_lines(v, &v->rows, ir_u32(v->b, 0));
	if (c->columns.unrolled == c->columns.taps)
		image_find_lines(v, &v->columns, ir_u32(v->b, 0));
	if (c->stage_x || c->stage_w)
		accumulate_staged(v);
	else
		accumulate_direct(v);
	if (c->split > 1)
		out_reduce(v);
	out_store(v);
	if (grid_is_folded(v->l->geometry.grid))
		ir_end(v->b);
}

void lower_convolution(struct lower *l)
{
	struct convolving v = {.l = l, .b = l->b, .c = convolution_derive(l->op, l->schedule)};

	l->number = v.c.half ? IR_F16 : IR_F32;
	bind_tensors(&v);
	if (v.c.flat)
		lower_convolution_flat(&v);
	else
		lower_tiled(&v);
}
