/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution family: which schedules are worth offering. Processors and GPUs want opposite
 * ones: large register tiles and nothing staged here, many small invocations there. Of the
 * workgroups that a tile may have only those predicted best are offered, so that a space holds
 * different tiles rather than one in different workgroups.
 */
#include "space/convolution.h"
#include "space/cost.h"
#include "space/family.h"
#include "space/space.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static int derive(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err)
{
	int r = convolution_check_axes(schedule, err);

	if (r)
		return r;
	struct convolution c = convolution_derive(op, schedule);
	r = convolution_check(&c, err);
	if (!r)
		*ret_geometry = convolution_geometry(&c, op);
	return r;
}

enum kind { KIND_DIRECT, KIND_STAGED, KIND_SPLIT };

struct tile { /* output channels, rows, columns */
	uint16_t m, h, n;
};
struct shape {     /* of a workgroup: pixels, output channels, the split ... */
	uint16_t x, y, k;
	bool gpu, cpu; /* ... and where it is worth trying */
};
static const struct shape workgroups[] = {
        {1, 4, 1, false, true},
        {4, 1, 1, false, true},
        {4, 4, 1, false, true},
        {16, 1, 1, false, true},
        {32, 1, 1, true, false},
        {64, 1, 1, true, false},
        {128, 1, 1, true, false},
        {16, 2, 1, true, false},
        {32, 2, 1, true, false},
        {64, 2, 1, true, false},
        {8, 4, 1, true, false},
        {16, 4, 1, true, false},
        {32, 4, 1, true, false},
        {4, 8, 1, true, false},
        {8, 8, 1, true, false},
        {16, 8, 1, true, false},
        {4, 16, 1, true, false},
        {8, 16, 1, true, false},
        {16, 16, 1, true, false},
        {8, 1, 8, true, false},
        {16, 1, 4, true, false},
        {16, 1, 8, true, false},
        {32, 1, 2, true, false},
        {8, 2, 4, true, false},
        {8, 2, 8, true, false},
        {16, 2, 4, true, false},
        {4, 2, 8, true, false},
        {4, 4, 8, true, false},
        {4, 2, 16, true, false},
};
static const uint16_t channels[] = {1, 2, 4, 8, 16}, rows[] = {1, 2, 4, 8};
static const uint16_t columns[] = {1, 2, 4, 7, 8, 14, 16, 28};
static const uint16_t k_steps[] = {1, 2, 3, 4, 8, 16, 32};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static struct schedule make(struct shape wg, struct tile tile, uint32_t k_step, uint32_t taps)
{
	return (struct schedule){.axis = {[AXIS_WG_X] = wg.x,
	                                 [AXIS_WG_Y] = wg.y,
	                                 [AXIS_SPLIT_K] = wg.k,
	                                 [AXIS_TILE_M] = tile.m,
	                                 [AXIS_TILE_N] = tile.n,
	                                 [AXIS_TILE_H] = tile.h > 1 ? tile.h : 0,
	                                 [AXIS_VEC] = 4,
	                                 [AXIS_K_STEP] = (uint16_t)k_step,
	                                 [AXIS_UNROLL] = (uint16_t)taps}};
}

/* ---- Offers. */

struct offering {
	struct pool *pool;
	struct convolution c; /* what does not depend on the schedule */
	bool native;          /* f16 is read as such */
};

static bool fits(const struct pool *pool, const struct geometry *g)
{
	const uint32_t *size = g->workgroup_size;

	return (uint64_t)size[0] * size[1] * size[2] <= pool->limits->invocations &&
	       g->workgroup_bytes <= pool->limits->workgroup_bytes;
}

/* The two workgroups of each kind that are predicted best for what `plain` is otherwise. */
static void offer_workgroups(struct offering *o, enum kind kind, const struct schedule *plain)
{
	const struct pool *pool = o->pool;
	struct schedule best[2];
	double best_ns[2] = {1e30, 1e30};

	for (uint32_t i = 0; i < LENGTH(workgroups); i++) {
		const struct shape *wg = &workgroups[i];
		struct schedule s = *plain;
		struct geometry g;
		if (!(pool->facts->cpu ? wg->cpu : wg->gpu) || (wg->k > 1) != (kind == KIND_SPLIT))
			continue;
		s.axis[AXIS_WG_X] = wg->x;
		s.axis[AXIS_WG_Y] = wg->y;
		s.axis[AXIS_SPLIT_K] = wg->k;
		if (derive(pool->op, &s, &g, NULL) || !fits(pool, &g))
			continue;
		double ns = cost_ns(pool->op, &g, pool->facts);
		uint32_t place = ns < best_ns[0] ? 0 : 1;
		if (ns >= best_ns[place])
			continue;
		best[1] = place ? s : best[0];
		best_ns[1] = place ? ns : best_ns[0];
		best[0] = place ? best[0] : s;
		best_ns[0] = place ? best_ns[0] : ns;
	}
	for (uint32_t i = 0; i < 2; i++)
		if (best_ns[i] < 1e30)
			pool_offer(o->pool, kind, &best[i]);
}

static void offer_stages(struct offering *o, const struct schedule *plain)
{
	const struct convolution *c = &o->c;
	bool cpu = o->pool->facts->cpu;
	struct schedule s = *plain;

	offer_workgroups(o, KIND_DIRECT, &s);
	if (cpu || c->diagonal)
		return;
	if (c->inputs >= 4u * s.axis[AXIS_K_STEP])
		offer_workgroups(o, KIND_SPLIT, &s);
	for (uint32_t stage = 1; stage <= 3; stage++) {
		s.axis[AXIS_STAGE_A] = stage & 1;
		s.axis[AXIS_STAGE_B] = stage >> 1;
		offer_workgroups(o, KIND_STAGED, &s);
	}
}

/* All taps in a turn, or those of a row, or where these are many as many as divide them. */
static void offer_taps(struct offering *o, struct tile tile, uint32_t k_step)
{
	const struct op_window *w = &o->c.w;
	uint32_t part = least(w->kw, CONVOLUTION_TAPS_MAX);
	uint64_t all = (uint64_t)w->kh * w->kw;
	struct shape any = {1, 1, 1, true, true};

	while (w->kw % part)
		part--;
	if (all <= 64) {
		struct schedule s = make(any, tile, k_step, (uint32_t)all);
		s.axis[AXIS_F16] = o->native;
		offer_stages(o, &s);
	}
	if (part < all && (o->pool->facts->cpu || all > 9)) {
		struct schedule s = make(any, tile, k_step, part);
		s.axis[AXIS_F16] = o->native;
		offer_workgroups(o, KIND_DIRECT, &s);
	}
}

/* What a turn has to do pays for its loop, and is not too long to compile. */
static void offer_steps(struct offering *o, struct tile tile)
{
	const struct convolution *c = &o->c;
	uint32_t taps = least(c->w.kh, 64) * least(c->w.kw, 64), outputs = tile.m * tile.h * tile.n;

	for (uint32_t i = 0; i < LENGTH(k_steps); i++) {
		uint32_t k = k_steps[i], work = k * taps * outputs;
		if (c->inputs % k || (work < 16 && c->inputs % (2 * k) == 0) || k * taps > 160)
			continue;
		if (o->pool->facts->cpu && k > 1 && work > 4096)
			continue;
		offer_taps(o, tile, k);
	}
}

/* A tile that covers an extent with more than a quarter to spare is not worth trying. */
static bool wasteful(uint32_t tile, uint32_t out)
{
	uint64_t covered = ((uint64_t)out + tile - 1) / tile * tile;

	return tile > out || covered * 3 > 4 * (uint64_t)out;
}

static bool worthwhile(const struct offering *o, struct tile tile)
{
	const struct convolution *c = &o->c;
	bool cpu = o->pool->facts->cpu;
	uint32_t outputs = tile.m * tile.h * tile.n, most = cpu ? 256 : 64;
	uint64_t all = (uint64_t)c->outputs * c->rows.out * c->columns.out;

	if (c->diagonal && (c->w.nhwc ? tile.m > 4 : tile.m > 1))
		return false;
	return outputs <= most && (!cpu || outputs >= least(16, (uint32_t)least(all, 64) / 4)) &&
	       !wasteful(tile.m, c->outputs) && !wasteful(tile.h, c->rows.out) &&
	       !wasteful(tile.n, c->columns.out);
}

/* Of f16 in words, rows of an odd length: whole images of two channels share no word with others. */
static void offer_whole(struct offering *o)
{
	const struct convolution *c = &o->c;
	uint64_t pixels = (uint64_t)c->rows.out * c->columns.out;

	if (!c->f16 || o->native || c->w.nhwc || pixels % 2 == 0 || pixels > 64 || c->outputs % 2)
		return;
	offer_steps(o, (struct tile){2, (uint16_t)c->rows.out, (uint16_t)c->columns.out});
}

static void offer(struct pool *pool)
{
	struct schedule plain = schedule_initial();
	struct offering o = {.pool = pool, .c = convolution_derive(pool->op, &plain)};
	bool strided = o.c.w.transposed && o.c.w.stride_h <= 8 && o.c.w.stride_w <= 8;
	uint32_t h_unit = strided ? o.c.w.stride_h : 1, n_unit = strided ? o.c.w.stride_w : 1;

	o.native = o.c.f16 && (pool->limits->features & FEATURE_F16);
	for (uint32_t m = 0; m < LENGTH(channels); m++) {
		for (uint32_t h = 0; h < LENGTH(rows); h++) {
			for (uint32_t n = 0; n < LENGTH(columns); n++) {
				struct tile tile = {channels[m], (uint16_t)(rows[h] * h_unit),
				        (uint16_t)(columns[n] * n_unit)};
				if (worthwhile(&o, tile))
					offer_steps(&o, tile);
			}
		}
	}
	offer_whole(&o);
}

/* ---- What engines ship, and what always works. */

static struct schedule make_flat(uint16_t invocations, uint16_t elements)
{
	struct schedule s = make((struct shape){invocations, 1, 1, true, true},
	        (struct tile){0, 1, elements}, 1, 1);

	s.axis[AXIS_VEC] = 1;
	return s;
}

/* 8x8 invocations of 4x4 outputs, 32 products at a time through workgroup memory; for depthwise
 * and grouped filters one output an invocation. */
static struct schedule baseline(const struct op *op)
{
	struct schedule plain = schedule_initial();
	struct convolution c = convolution_derive(op, &plain);
	uint32_t taps = least(c.w.kh, 64) * least(c.w.kw, 64), k_step = least(32, c.inputs);
	struct tile tile = {(uint16_t)least(4, c.outputs), 1, (uint16_t)least(4, c.columns.out)};
	struct shape square = {8, 8, 1, true, true}, line = {64, 1, 1, true, true};

	while (k_step > 1 && (c.inputs % k_step || k_step * taps > 32))
		k_step--;
	if (c.diagonal || c.groups > 1 || c.w.transposed)
		return taps > 64 || c.f16 || c.w.transposed
		               ? make_flat(64, c.f16 ? 2 : 1)
		               : make(line, (struct tile){1, 1, 1}, 1, taps);
	struct schedule s = make(square, tile, k_step, taps);
	s.axis[AXIS_STAGE_A] = s.axis[AXIS_STAGE_B] = 1;
	return s;
}

/* One output an invocation, or two that share a word; then for devices of small workgroups. */
static bool fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
{
	(void)op;
	if (attempt > 3)
		return false;
	*ret_schedule = make_flat(attempt % 2 ? 16 : 64, attempt / 2 ? 2 : 1);
	return true;
}

const struct family family_convolution = {.derive = derive,
        .offer = offer,
        .baseline = baseline,
        .fallback = fallback,
        .shares = {[KIND_DIRECT] = {20, 24}, [KIND_STAGED] = {16, 0}, [KIND_SPLIT] = {10, 0}},
        .room_gpu = SPACE_MAX - 2,
        .room_cpu = 38};
