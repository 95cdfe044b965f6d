/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules of attention are worth trying. Processors want tall tiles of rows, so that every
 * load of k and v serves many; GPUs want many invocations, which the rows of short sequences do not
 * give: there the keys and elements of a tile are shared.
 */
#include "family/attention/shape.h"

#include "base/error.h"
#include "schedule/family.h"
#include "space/pool.h"
#include "space/space.h"

#include <errno.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- The family. */

/* Row tiles along x; heads of k and v along y and z. Where there may be more row tiles than a
 * dispatch takes, workgroups take every GRID_FOLD-th; lowering guards against heads past the end.
 * Pairs of rows are numbered through, whosever they are. */
static void derive_grid(const struct op *op, const struct attention *a, struct geometry *g)
{
	struct extent rows = {.times = a->group, .over = (uint64_t)a->tile * a->tiles};
	struct extent heads = {.times = a->kv_heads, .over = 1};
	struct extent folded[3];

	extent_times(op, &rows, ATTENTION_Q);
	extent_times(op, &heads, ATTENTION_BATCH);
	if (a->paired) {
		struct extent pairs = {.times = op->value[ATTENTION_HEADS], .over = 2};
		extent_times(op, &pairs, ATTENTION_Q);
		extent_times(op, &pairs, ATTENTION_BATCH);
		grid_fold(op, pairs, g->grid);
		return;
	}
	grid_fold(op, heads, folded);
	g->grid[1] = folded[0];
	g->grid[2] = folded[1];
	grid_fold(op, rows, folded);
	g->grid[0] = folded[0];
}

#define INSTRUCTIONS_MAX 2048 /* of anything at all; what is offered is far below */

static int derive(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err)
{
	struct attention a;
	bool native = schedule->axis[AXIS_F16];
	int r = attention_derive(op, schedule, &a, err);

	if (r)
		return r;
	struct geometry g = {.workgroup_size = {a.workgroup_size[0], a.workgroup_size[1], 1},
	        .workgroup_bytes = 4 * (a.width * (a.vector_length + a.q_length) +
	                                       a.weight_width * a.weight_length +
	                                       a.lanes * a.exchange_length),
	        .features = (a.subgroup ? FEATURE_SUBGROUPS : 0u) | (native ? FEATURE_F16 : 0u),
	        .subgroup = a.subgroup ? a.split : 0};
	if (attention_instructions(&a, op) > INSTRUCTIONS_MAX)
		return error_set(err, -ERANGE, "schedule",
		        "too much is unrolled: tile_m, k_step or unroll must be smaller");
	derive_grid(op, &a, &g);
	*ret_geometry = g;
	return 0;
}

static void cost(const struct op *op, const struct schedule *schedule, struct work *ret_work)
{
	struct attention a;

	if (attention_derive(op, schedule, &a, NULL))
		return;
	*ret_work = attention_work(&a, op);
	ret_work->instructions = attention_instructions(&a, op);
}

/* Kinds of schedules: by who shares a tile's keys, and through what k and v go. */
enum kind { KIND_ALONE, KIND_ALONE_STAGED, KIND_SHARED, KIND_SHARED_STAGED };

/* The widest load along a head. */
static uint16_t widest(const struct op *op)
{
	uint32_t dim = op->value[ATTENTION_DIM];

	return dim % 4 == 0 ? 4 : dim % 2 == 0 ? 2 : 1;
}

static struct schedule make(
        const struct op *op, uint32_t tiles, uint32_t split, uint32_t tile, uint32_t step)
{
	struct schedule s = schedule_initial();

	s.axis[AXIS_WG_X] = (uint16_t)tiles;
	s.axis[AXIS_SPLIT_K] = (uint16_t)split;
	s.axis[AXIS_TILE_M] = (uint16_t)tile;
	s.axis[AXIS_K_STEP] = s.axis[AXIS_UNROLL] = (uint16_t)step;
	s.axis[AXIS_VEC] = widest(op);
	return s;
}

/* Software devices take every lane of a load or store apart, and time to compile that grows as the
 * square: this many lanes take about two seconds. */
#define LANES_MAX 560

static bool compiles_slowly(const struct pool *pool, const struct schedule *s)
{
	struct attention a;

	return pool->facts->cpu && !attention_derive(pool->op, s, &a, NULL) &&
	       attention_lanes(&a) > LANES_MAX;
}

/* In both ways that f16 may be read. */
static void offer_types(struct pool *pool, enum kind kind, struct schedule s)
{
	if (compiles_slowly(pool, &s))
		return;
	pool_offer(pool, kind, &s);
	if (pool->op->value[ATTENTION_DTYPE] != DTYPE_F16)
		return;
	s.axis[AXIS_F16] = 1;
	pool_offer(pool, kind, &s);
}

/* Rows of a head of k and v, and keys, that are worth covering at once. */
static bool oversized(const struct pool *pool, const struct schedule *s)
{
	const uint32_t *v = pool->op->value;
	uint32_t kv_heads = v[ATTENTION_KV_HEADS] ? v[ATTENTION_KV_HEADS] : v[ATTENTION_HEADS];
	uint64_t rows = (uint64_t)v[ATTENTION_Q] * (v[ATTENTION_HEADS] / kv_heads);
	uint32_t tile = s->axis[AXIS_TILE_M], tiles = s->axis[AXIS_WG_X];
	uint32_t step = s->axis[AXIS_K_STEP], split = s->axis[AXIS_SPLIT_K];

	return (tile > 1 && tile >= 2 * rows) || (tiles > 4 && tile * tiles >= 2 * rows + 4) ||
	       (step > 1 && step * split >= 2 * v[ATTENTION_KV] + 4);
}

static const uint16_t tiles_alone[] = {4, 8, 16, 32, 64, 128};
static const uint16_t heights[] = {1, 2, 4, 8, 16};
static const uint16_t steps[] = {1, 2, 4, 8, 16};
static const uint16_t staged_steps[] = {8, 16, 32};
static const uint16_t tiles_shared[] = {1, 2, 4, 8, 16, 32};
static const uint16_t splits[] = {4, 8, 16, 32, 64, 128, 256};

static void offer_staged(struct pool *pool, uint32_t tiles, uint32_t tile)
{
	for (uint32_t i = 0; i < LENGTH(staged_steps); i++) {
		struct schedule s = make(pool->op, tiles, 1, tile, staged_steps[i]);

		s.axis[AXIS_STAGE_B] = 1;
		for (uint32_t unroll = 1; unroll <= 4; unroll *= 2) {
			s.axis[AXIS_UNROLL] = (uint16_t)unroll;
			if (!oversized(pool, &s))
				offer_types(pool, KIND_ALONE_STAGED, s);
		}
	}
}

static void offer_alone(struct pool *pool, uint32_t tiles, uint32_t tile)
{
	bool cpu = pool->facts->cpu;

	if (cpu ? tiles > 16 : tiles < 32 || tile > 4)
		return;
	for (uint32_t i = 0; i < LENGTH(steps); i++) {
		struct schedule s = make(pool->op, tiles, 1, tile, steps[i]);

		if (!oversized(pool, &s))
			offer_types(pool, KIND_ALONE, s);
	}
	if (!cpu)
		offer_staged(pool, tiles, tile);
}

static void offer_ways(struct pool *pool, const struct schedule *from)
{
	for (uint32_t staged = 0; staged < (pool->facts->cpu ? 1 : 3); staged++) {
		struct schedule s = *from;

		s.axis[AXIS_STAGE_A] = staged == 2;
		s.axis[AXIS_STAGE_B] = staged > 0;
		offer_types(pool, staged ? KIND_SHARED_STAGED : KIND_SHARED, s);
		s.axis[AXIS_SUBGROUP] = 1;
		if (s.axis[AXIS_WG_X] == 1 && s.axis[AXIS_SPLIT_K] == pool->limits->subgroup_max)
			offer_types(pool, staged ? KIND_SHARED_STAGED : KIND_SHARED, s);
	}
}

static uint16_t unroll_gpu(uint32_t scores)
{
	return scores <= 4 ? 16 : scores <= 8 ? 8 : scores <= 16 ? 4 : 2;
}

static void offer_shared(struct pool *pool, uint32_t tiles, uint32_t split, uint32_t tile)
{
	uint32_t invocations = tiles * split;
	bool cpu = pool->facts->cpu;

	if (cpu ? invocations > 32 : invocations < 32 || invocations > 256)
		return;
	for (uint32_t i = 0; i < LENGTH(steps); i++) {
		struct schedule s = make(pool->op, tiles, split, tile, steps[i]);

		if (oversized(pool, &s))
			continue;
		for (uint32_t unroll = 1; cpu && unroll <= 4; unroll *= 2) {
			s.axis[AXIS_UNROLL] = (uint16_t)unroll;
			if (tile * steps[i] * unroll <= 128) /* longer code gains nothing */
				offer_ways(pool, &s);
		}
		/* GPUs want loads under way; their compilers do the rest. */
		s.axis[AXIS_UNROLL] = unroll_gpu(tile * steps[i]);
		if (!cpu)
			offer_ways(pool, &s);
	}
}

static void offer(struct pool *pool)
{
	for (uint32_t h = 0; h < LENGTH(heights); h++) {
		for (uint32_t t = 0; t < LENGTH(tiles_alone); t++)
			offer_alone(pool, tiles_alone[t], heights[h]);
		for (uint32_t t = 0; t < LENGTH(tiles_shared); t++)
			for (uint32_t s = 0; s < LENGTH(splits) && heights[h] <= 8; s++)
				offer_shared(pool, tiles_shared[t], splits[s], heights[h]);
	}
}

/* More vectors than this are not kept in registers. */
#define ALONE_CHUNKS_MAX 64
#define PAGE_BYTES       16384 /* of workgroup memory that every page has */

/* Whether one invocation can own a row and write it in whole words. */
static bool can_be_alone(const struct op *op)
{
	uint32_t vec = widest(op);

	return op->value[ATTENTION_DIM] / vec <= ALONE_CHUNKS_MAX &&
	       (op->value[ATTENTION_DTYPE] == DTYPE_F32 || vec > 1);
}

static struct schedule baseline(const struct op *op)
{
	struct schedule s = make(op, 64, 1, 1, 1);

	if (!can_be_alone(op))
		return make(op, 1, 64, 1, 1);
	if (2 * 16 * 4 * op->value[ATTENTION_DIM] <= PAGE_BYTES) {
		s.axis[AXIS_K_STEP] = 16;
		s.axis[AXIS_STAGE_B] = 1;
	}
	return s;
}

/* One row an invocation and one key at a time, in ever smaller workgroups; where a row is too much
 * for that, a workgroup for each row. */
static bool fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
{
	static const uint16_t sizes[] = {64, 16, 4, 1};

	if (attempt >= LENGTH(sizes))
		return false;
	if (can_be_alone(op))
		*ret_schedule = make(op, sizes[attempt], 1, 1, 1);
	else
		*ret_schedule = make(op, 1, sizes[attempt], 1, 1);
	return true;
}

const struct family family_attention = {.derive = derive,
        .cost = cost,
        .offer = offer,
        .baseline = baseline,
        .fallback = fallback,
        .lower = lower_attention,
        .shares = {[KIND_ALONE] = {4, 10},
                [KIND_ALONE_STAGED] = {6, 0},
                [KIND_SHARED] = {16, 26},
                [KIND_SHARED_STAGED] = {20, 0}},
        .room_gpu = SPACE_MAX - 2,
        .room_cpu = 44};
