/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists the schedules of a convolution that are worth measuring, the baseline and the fallbacks.
 * Processors want large register tiles and nothing staged; GPUs want many small invocations. Of
 * the workgroups that a tile may have only those predicted best are offered: a space then holds
 * different tiles rather than one tile in different workgroups.
 */
#include "family/convolution/shape.h"
#include "schedule/family.h"
#include "cost/cost.h"
#include "space/pool.h"
#include "space/space.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

struct tile { /* output channels, rows, columns */
	uint16_t m, h, n;
};
struct shape { /* of a workgroup: pixels, output channels, the split ... */
	uint16_t x, y, k;
	bool gpu, cpu; /* ... and where it is worth trying */
};
static const struct shape workgroups[] = {
        {1, POOL_LOCKSTEP, 1, false, true},
        {POOL_LOCKSTEP, 1, 1, false, true},
        {4, POOL_LOCKSTEP, 1, false, true},
        {16, 1, 1, false, true},
        {32, 1, 1, true, false},
        {64, 1, 1, true, false},
        {128, 1, 1, true, false},
        {32, 2, 1, true, false},
        {16, 4, 1, true, false},
        {32, 4, 1, true, false},
        {8, 8, 1, true, false},
        {16, 8, 1, true, false},
        {4, 16, 1, true, false},
        {8, 16, 1, true, false},
        {16, 16, 1, true, false},
        {8, 1, 8, true, false},
        {16, 1, 4, true, false},
        {16, 1, 8, true, false},
        {32, 1, 2, true, false},
        {8, 2, 8, true, false},
        {16, 2, 4, true, false},
        {4, 2, 8, true, false},
        {4, 2, 16, true, false},
};
#define TILE_M_MAX 16
#define TILE_H_MAX 8
#define TILE_N_MAX 28
static const uint16_t k_steps[] = {1, 2, 3, 4, 8, 16, 32};

static uint32_t least(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static struct schedule make(struct shape wg, struct tile tile, uint32_t k_step, uint32_t taps)
{
	return (struct schedule){.axis = {[AXIS_WG_X] = wg.x,
	                                 [AXIS_WG_Y] = wg.y,
	                                 [AXIS_SPLIT_K] = wg.k,
	                                 [AXIS_TILE_M] = tile.m,
	                                 [AXIS_TILE_N] = tile.n,
	                                 [AXIS_CONVOLUTION_TILE_H] = tile.h > 1 ? tile.h : 0,
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

struct ranked {
	struct schedule schedule;
	double ns;
};
#define NONE_NS 1e30

/* Keeps the two best, in order. */
static void rank(struct ranked best[2], const struct schedule *schedule, double ns)
{
	if (ns < best[0].ns) {
		best[1] = best[0];
		best[0] = (struct ranked){*schedule, ns};
	} else if (ns < best[1].ns) {
		best[1] = (struct ranked){*schedule, ns};
	}
}

/* The two workgroups that are predicted best for what `plain` is otherwise. */
static void offer_workgroups(
        struct offering *o, enum convolution_kind kind, const struct schedule *plain)
{
	const struct pool *pool = o->pool;
	struct ranked best[2] = {{.ns = NONE_NS}, {.ns = NONE_NS}};

	for (uint32_t i = 0; i < LENGTH(workgroups); i++) {
		const struct shape *wg = &workgroups[i];
		struct schedule s = *plain;
		struct geometry g;
		struct work work;
		union family_shape shape;
		if (!(pool->facts->cpu ? wg->cpu : wg->gpu) ||
		        (wg->k > 1) != (kind == CONVOLUTION_KIND_SPLIT))
			continue;
		s.axis[AXIS_WG_X] = pool_width(pool, wg->x);
		s.axis[AXIS_WG_Y] = pool_width(pool, wg->y);
		s.axis[AXIS_SPLIT_K] = wg->k;
		if (!convolution_geometry(pool->op, &s, &g, &shape, NULL) && fits(pool, &g)) {
			convolution_cost(pool->op, &s, &shape, &work);
			rank(best, &s, cost_predict(pool->op, &g, &work, pool->facts).ns);
		}
	}
	for (uint32_t i = 0; i < 2; i++)
		if (best[i].ns < NONE_NS)
			pool_offer(o->pool, kind, &best[i].schedule);
}

/* With x, the filter, both or neither in workgroup memory; split where nothing is. */
static void offer_stages(struct offering *o, const struct schedule *plain)
{
	const struct convolution *c = &o->c;
	bool cpu = o->pool->facts->cpu;
	struct schedule s = *plain;
	uint32_t k = (uint32_t)s.axis[AXIS_K_STEP] * s.axis[AXIS_UNROLL];

	if (cpu || k <= 72)
		offer_workgroups(o, CONVOLUTION_KIND_DIRECT, &s);
	if (cpu || c->diagonal)
		return;
	if (c->inputs >= 4u * s.axis[AXIS_K_STEP] && k <= 72)
		offer_workgroups(o, CONVOLUTION_KIND_SPLIT, &s);
	if (k < 8 && c->inputs > s.axis[AXIS_K_STEP])
		return;
	for (uint32_t stage = 1; stage <= 3; stage++) {
		s.axis[AXIS_STAGE_A] = stage & 1;
		s.axis[AXIS_STAGE_B] = stage >> 1;
		offer_workgroups(o, CONVOLUTION_KIND_STAGED, &s);
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
	struct schedule s = make(any, tile, k_step, (uint32_t)least(64, all));
	s.axis[AXIS_F16] = o->native;
	if (all <= 64)
		offer_stages(o, &s);
	s.axis[AXIS_UNROLL] = (uint16_t)part;
	if (part < all && (o->pool->facts->cpu || all > 9))
		offer_workgroups(o, CONVOLUTION_KIND_DIRECT, &s);
}

/* What a turn has to do pays for its loop, and is not too long to compile. */
static void offer_steps(struct offering *o, struct tile tile)
{
	const struct convolution *c = &o->c;
	uint32_t taps = least(256, (uint64_t)c->w.kh * c->w.kw), outputs = tile.m * tile.h * tile.n;

	for (uint32_t i = 0; i < LENGTH(k_steps); i++) {
		uint32_t k = k_steps[i], work = k * taps * outputs;
		if (c->inputs % k || (work < 16 && c->inputs % (2 * k) == 0) || k * taps > 160)
			continue;
		if (o->pool->facts->cpu && k > 1 && work > 4096)
			continue;
		offer_taps(o, tile, k);
	}
}

/* Powers of two and what divides the extent, but none that covers it with much to spare. */
static bool suits(uint32_t tile, uint32_t out)
{
	uint64_t covered = ((uint64_t)out + tile - 1) / tile * tile;

	return tile <= out && covered * 3 <= 4 * (uint64_t)out &&
	       (!(tile & (tile - 1)) || (tile >= 5 && out % tile == 0));
}

static bool worthwhile(const struct offering *o, struct tile tile)
{
	const struct convolution *c = &o->c;
	bool cpu = o->pool->facts->cpu;
	uint32_t outputs = tile.m * tile.h * tile.n, most = cpu ? 256 : 64, few = cpu ? 16 : 4;
	uint64_t all = (uint64_t)c->outputs * c->rows.out * c->columns.out;

	if (c->diagonal && (c->w.nhwc ? tile.m > 4 : tile.m > 1))
		return false;
	if (!cpu && tile.m > 8)
		return false;
	return outputs <= most && (outputs >= few || outputs * 8ull >= all || c->diagonal);
}

/* Transposed, a tile takes whole strides. */
static void offer_rows(struct offering *o, uint32_t m, uint32_t h)
{
	const struct convolution *c = &o->c;
	uint32_t unit = c->w.transposed ? c->w.stride_w : 1;

	for (uint32_t n = 1; n <= TILE_N_MAX; n++) {
		struct tile tile = {(uint16_t)m, (uint16_t)h, (uint16_t)(n * unit)};
		if (n * unit <= CONVOLUTION_TILE_MAX &&
		        suits(n, (c->columns.out + unit - 1) / unit) && worthwhile(o, tile))
			offer_steps(o, tile);
	}
}

void convolution_offer(struct pool *pool)
{
	struct schedule plain = schedule_initial();
	struct offering o = {.pool = pool, .c = convolution_derive(pool->op, &plain)};
	uint32_t unit = o.c.w.transposed ? o.c.w.stride_h : 1;

	o.native = o.c.numbers.f16 && (pool->limits->features & FEATURE_F16);
	for (uint32_t m = 1; m <= TILE_M_MAX; m *= 2)
		for (uint32_t h = 1; suits(m, o.c.outputs) && h <= TILE_H_MAX; h++)
			if (h * unit <= CONVOLUTION_TILE_MAX &&
			        suits(h, (o.c.rows.out + unit - 1) / unit))
				offer_rows(&o, m, h * unit);
}

/* ---- What engines ship, and what always works. */

static struct schedule make_flat(uint16_t invocations, uint16_t elements)
{
	struct schedule s = make(
	        (struct shape){invocations, 1, 1, true, true}, (struct tile){0, 1, elements}, 1, 1);

	s.axis[AXIS_VEC] = 1;
	return s;
}

/* 8x8 invocations of 4x4 outputs, 32 products at a time through workgroup memory; for depthwise
 * and grouped filters one output an invocation. */
struct schedule convolution_baseline(const struct op *op)
{
	struct schedule plain = schedule_initial();
	struct convolution c = convolution_derive(op, &plain);
	uint32_t taps = least(256, (uint64_t)c.w.kh * c.w.kw), k_step = least(32, c.inputs);
	struct tile tile = {(uint16_t)least(4, c.outputs), 1, (uint16_t)least(4, c.columns.out)};
	struct shape square = {8, 8, 1, true, true}, line = {64, 1, 1, true, true};

	while (k_step > 1 && (c.inputs % k_step || k_step * taps > 32))
		k_step--;
	if (c.diagonal || c.groups > 1 || c.w.transposed)
		return taps > 64 || c.numbers.f16 || c.w.transposed
		               ? make_flat(64, c.numbers.f16 ? 2 : 1)
		               : make(line, (struct tile){1, 1, 1}, 1, taps);
	struct schedule s = make(square, tile, k_step, taps);
	s.axis[AXIS_STAGE_A] = s.axis[AXIS_STAGE_B] = 1;
	return s;
}

/* One output an invocation, or two that share a word; then for devices of small workgroups. */
bool convolution_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
{
	(void)op;
	if (attempt > 3)
		return false;
	*ret_schedule = make_flat(attempt % 2 ? 16 : 64, attempt / 2 ? 2 : 1);
	return true;
}
