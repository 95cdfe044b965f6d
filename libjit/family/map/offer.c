/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists the schedules of a map that are worth measuring, the baseline and the fallbacks. On a GPU
 * an invocation does a few vectors that stand a workgroup apart, so that neighbours always read
 * neighbouring words. On a processor it does many side by side, because starting an invocation
 * costs as much as dozens of elements.
 */
#include "family/map/shape.h"
#include "space/pool.h"
#include "space/space.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct schedule make(uint32_t wg_x, uint32_t tile_m, uint32_t tile_n, uint32_t vec)
{
	struct schedule s = schedule_initial();
	uint32_t vectors = tile_m * tile_n / vec;

	s.axis[AXIS_WG_X] = (uint16_t)wg_x;
	s.axis[AXIS_TILE_M] = (uint16_t)tile_m;
	s.axis[AXIS_TILE_N] = (uint16_t)tile_n;
	s.axis[AXIS_VEC] = (uint16_t)vec;
	s.axis[AXIS_UNROLL] = (uint16_t)(vectors < 8 ? vectors : 8);
	return s;
}

/* With f16 read natively too, where the schedule allows it. */
static void offer_both(struct pool *pool, enum map_kind kind, struct schedule s)
{
	pool_offer(pool, kind, &s);
	s.axis[AXIS_F16] = 1;
	pool_offer(pool, kind, &s);
}

/* Turns of one vector and of four: longer ones only take a processor's compiler longer. */
static void offer_turns(struct pool *pool, enum map_kind kind, struct schedule s)
{
	s.axis[AXIS_UNROLL] = 1;
	offer_both(pool, kind, s);
	s.axis[AXIS_UNROLL] = 4;
	offer_both(pool, kind, s);
}

/* Vectors side by side are slower here: neighbours then read far apart. */
static void offer_gpu(struct pool *pool)
{
	static const uint16_t groups[] = {32, 64, 128, 256};

	for (uint32_t g = 0; g < LENGTH(groups); g++)
		for (uint32_t vec = 1; vec <= 4; vec *= 2)
			for (uint32_t vectors = 1; vectors <= 8; vectors *= 2)
				offer_both(
				        pool, MAP_KIND_STRIDED, make(groups[g], vectors, vec, vec));
}

static void offer_cpu(struct pool *pool)
{
	static const uint16_t groups[] = {4, 16, 64};

	for (uint32_t g = 0; g < LENGTH(groups); g++)
		for (uint32_t vec = 1; vec <= 4; vec *= 2)
			for (uint32_t vectors = 4; vectors <= 64; vectors *= 2) {
				struct schedule strided = make(groups[g], vectors, vec, vec);
				struct schedule chunk = make(groups[g], 1, vec * vectors, vec);
				offer_turns(pool, MAP_KIND_STRIDED, strided);
				offer_turns(pool, MAP_KIND_CHUNK, chunk);
			}
}

/* ---- Transposes in tiles. Through workgroup memory on GPUs alone: on a processor a barrier costs
 * more than all else. */

static struct schedule make_staged(uint32_t side, uint32_t rows, uint32_t vec)
{
	struct schedule s = make(side / vec, 1, vec, vec);

	s.axis[AXIS_STAGE_A] = 1;
	s.axis[AXIS_WG_Y] = (uint16_t)(side / rows);
	s.axis[AXIS_K_STEP] = (uint16_t)rows;
	return s;
}

static struct schedule make_registers(
        uint32_t wg_x, uint32_t wg_y, uint32_t tile_n, uint32_t tile_k, uint32_t vec)
{
	struct schedule s = make(wg_x, 1, tile_n, vec);

	s.axis[AXIS_UNROLL] = 1;
	s.axis[AXIS_WG_Y] = (uint16_t)wg_y;
	s.axis[AXIS_K_STEP] = (uint16_t)tile_k;
	return s;
}

static void offer_tiles(struct pool *pool)
{
	static const struct {
		uint8_t wg_x, wg_y;
	} groups[] = {{8, 8}, {16, 4}, {4, 16}, {16, 16}, {4, 4}, {16, 1}, {1, 16}};

	for (uint32_t vec = 1; vec <= 4; vec *= 2) {
		for (uint32_t side = 16; side <= 64 && !pool->facts->cpu; side *= 2)
			for (uint32_t rows = 1; rows <= 16; rows *= 2)
				offer_both(pool, MAP_KIND_STAGED, make_staged(side, rows, vec));
		for (uint32_t g = 0; g < LENGTH(groups); g++)
			for (uint32_t n = vec; n <= 16; n *= 2)
				for (uint32_t k = vec; k <= 16; k *= 2)
					offer_both(pool, MAP_KIND_REGISTERS,
					        make_registers(
					                groups[g].wg_x, groups[g].wg_y, n, k, vec));
	}
}

void map_offer(struct pool *pool)
{
	if (pool->facts->cpu)
		offer_cpu(pool);
	else
		offer_gpu(pool);
	if (pool->op->kind == OP_TRANSPOSE)
		offer_tiles(pool);
}

/* ---- The fixed ones. */

static bool is_well_formed(const struct op *op, const struct schedule *schedule)
{
	struct map map;

	return !map_derive(op, schedule, &map, NULL);
}

/* The widest vector up to 4 that can be written everywhere. */
static uint32_t widest(const struct op *op)
{
	uint32_t vec = 4;

	for (; vec > 1; vec /= 2) {
		struct schedule s = make(64, 1, vec, vec);
		if (is_well_formed(op, &s))
			break;
	}
	return vec;
}

/* 64 invocations of a vector each; a matrix is transposed by squares of 16 through workgroup
 * memory. */
struct schedule map_baseline(const struct op *op)
{
	struct map_plan plan = map_plan(op);
	struct schedule staged = make_staged(16, 1, 1);
	uint32_t vec = widest(op);

	if (plan.dims == 2 && map_moved(op, &plan) < plan.dims && is_well_formed(op, &staged))
		return staged;
	return make(64, 1, vec, vec);
}

/* A word each, then sixteen. */
bool map_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
{
	struct tensor tensors[OP_TENSORS_MAX];
	enum dtype dtype = tensors[op_tensors(op, tensors) - 1].dtype;
	uint32_t vec = 32 / dtype_bits(dtype);

	if (attempt > 1)
		return false;
	*ret_schedule = make(16, 1, attempt ? 16 * vec : vec, vec);
	ret_schedule->axis[AXIS_UNROLL] = 1;
	return true;
}
