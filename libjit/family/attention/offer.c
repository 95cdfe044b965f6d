/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules of attention are worth trying. Processors want tall tiles of rows, so that every
 * load of k and v serves many; GPUs want many invocations, which the rows of short sequences do not
 * give: there a team divides the keys and elements of a tile.
 */
#include "family/attention/shape.h"

#include "space/pool.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

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
static void offer_types(struct pool *pool, enum attention_kind kind, struct schedule s)
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
static const uint16_t tiles_team[] = {1, 2, 4, 8, 16, 32};
static const uint16_t splits[] = {4, 8, 16, 32, 64, 128, 256};

static void offer_staged(struct pool *pool, uint32_t tiles, uint32_t tile)
{
	for (uint32_t i = 0; i < LENGTH(staged_steps); i++) {
		struct schedule s = make(pool->op, tiles, 1, tile, staged_steps[i]);

		s.axis[AXIS_STAGE_B] = 1;
		for (uint32_t unroll = 1; unroll <= 4; unroll *= 2) {
			s.axis[AXIS_UNROLL] = (uint16_t)unroll;
			if (!oversized(pool, &s))
				offer_types(pool, ATTENTION_KIND_ALONE_STAGED, s);
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
			offer_types(pool, ATTENTION_KIND_ALONE, s);
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
		offer_types(pool, staged ? ATTENTION_KIND_TEAM_STAGED : ATTENTION_KIND_TEAM, s);
		s.axis[AXIS_SUBGROUP] = 1;
		if (s.axis[AXIS_WG_X] == 1 && s.axis[AXIS_SPLIT_K] == pool->limits->subgroup_max)
			offer_types(
			        pool, staged ? ATTENTION_KIND_TEAM_STAGED : ATTENTION_KIND_TEAM, s);
	}
}

static uint16_t unroll_gpu(uint32_t scores)
{
	return scores <= 4 ? 16 : scores <= 8 ? 8 : scores <= 16 ? 4 : 2;
}

static void offer_team(struct pool *pool, uint32_t tiles, uint32_t split, uint32_t tile)
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

void attention_offer(struct pool *pool)
{
	for (uint32_t h = 0; h < LENGTH(heights); h++) {
		for (uint32_t t = 0; t < LENGTH(tiles_alone); t++)
			offer_alone(pool, tiles_alone[t], heights[h]);
		for (uint32_t t = 0; t < LENGTH(tiles_team); t++)
			for (uint32_t s = 0; s < LENGTH(splits) && heights[h] <= 8; s++)
				offer_team(pool, tiles_team[t], splits[s], heights[h]);
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

struct schedule attention_baseline(const struct op *op)
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
bool attention_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
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
