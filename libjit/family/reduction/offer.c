/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists the schedules of a reduction that are worth measuring, the baseline and the fallbacks. Two
 * machines want opposite schedules. A GPU wants many invocations a line, side by side, that join
 * through subgroups or workgroup memory. A processor wants few, each with much of a line in
 * registers, because a load costs it more than the arithmetic on what was loaded.
 */
#include "family/reduction/shape.h"
#include "schedule/family.h"

#include "space/pool.h"
#include "space/space.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const uint16_t lanes[] = {4, 2, 1};
static const uint16_t tiles[] = {1, 2, 4};
static const uint16_t turns[] = {1, 2, 4, 8}; /* vectors of a turn that does not cover the line */
static const uint16_t gpu_along[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
static const uint16_t gpu_sizes[] = {64, 256};
static const uint16_t cpu_along[] = {1, 4, 8, 16, 64};
static const uint16_t cpu_sizes[] = {4, 16, 64};

static bool is_f16(const struct op *op)
{
	return op->value[op_lines(op).dtype] == DTYPE_F16;
}

/* The widest load that is well-formed with an otherwise plain schedule. */
static uint16_t widest(const struct op *op, uint16_t f16)
{
	for (uint32_t i = 0; i < LENGTH(lanes); i++) {
		struct schedule s = schedule_initial();

		s.axis[AXIS_VEC] = s.axis[AXIS_TILE_N] = lanes[i];
		s.axis[AXIS_TILE_M] = 2;
		s.axis[AXIS_F16] = f16;
		if (reduction_derive(op, &s).vectors)
			return lanes[i];
	}
	return 1;
}

/* One invocation a line. */
static struct schedule make_alone(const struct op *op, uint16_t wg_y, uint16_t f16)
{
	struct schedule s = schedule_initial();
	union family_shape shape;
	struct geometry g;

	s.axis[AXIS_WG_Y] = wg_y;
	s.axis[AXIS_VEC] = s.axis[AXIS_TILE_N] = widest(op, f16);
	s.axis[AXIS_F16] = f16;
	if (reduction_geometry(op, &s, &g, &shape, NULL))
		s.axis[AXIS_TILE_M] = 2;
	return s;
}

/* One workgroup of 64 a line, scalar loads, the textbook's tree. */
struct schedule reduction_baseline(const struct op *op)
{
	struct schedule s = schedule_initial();
	union family_shape shape;
	struct geometry g;

	s.axis[AXIS_WG_X] = 64;
	s.axis[AXIS_K_STEP] = 2;
	if (reduction_geometry(op, &s, &g, &shape, NULL)) /* f16: its words */
		s.axis[AXIS_TILE_M] = 2;
	if (reduction_geometry(op, &s, &g, &shape, NULL))
		return make_alone(op, 64, 0);
	return s;
}

bool reduction_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
{
	static const uint16_t sizes[] = {64, 16, 256};

	if (attempt >= LENGTH(sizes))
		return false;
	*ret_schedule = make_alone(op, sizes[attempt], 0);
	return true;
}

/* ---- What is offered. */

static uint64_t round_up(uint64_t value, uint32_t to)
{
	return (value + to - 1) / to;
}

struct offering {
	struct pool *pool;
	uint32_t count, lines; /* vectors of a line, lines, as tuned */
	uint16_t least;        /* tile_m that f16 can be written with */
	struct schedule schedule;
};

static void offer_joins(struct offering *o)
{
	struct schedule *s = &o->schedule;
	uint32_t along = s->axis[AXIS_WG_X];
	bool one = s->axis[AXIS_WG_Y] == 1;

	s->axis[AXIS_SUBGROUP] = 0;
	s->axis[AXIS_K_STEP] = 1;
	if (along == 1) {
		pool_offer(o->pool, REDUCTION_KIND_ALONE, s);
		return;
	}
	if (one && along == o->pool->limits->subgroup_max) {
		s->axis[AXIS_SUBGROUP] = 1;
		pool_offer(o->pool, REDUCTION_KIND_SUBGROUP, s);
		s->axis[AXIS_SUBGROUP] = 0;
	}
	s->axis[AXIS_K_STEP] = (uint16_t)(along <= 16 ? along : along <= 256 ? 16 : 32);
	pool_offer(o->pool, REDUCTION_KIND_WORKGROUP, s);
}

/* A turn that covers the line, and shorter ones. */
static void offer_turns(struct offering *o)
{
	uint16_t *axis = o->schedule.axis;
	bool across = reduction_derive(o->pool->op, &o->schedule).across;
	uint32_t lane = across ? 1 : axis[AXIS_VEC];
	uint64_t cover = round_up(o->count, axis[AXIS_WG_X]);

	axis[AXIS_TILE_N] = (uint16_t)(cover * lane);
	if (cover * axis[AXIS_TILE_M] <= REDUCTION_VECTORS_MAX &&
	        reduction_derive(o->pool->op, &o->schedule).straight)
		offer_joins(o);
	for (uint32_t i = 0; i < LENGTH(turns); i++) {
		axis[AXIS_TILE_N] = (uint16_t)(turns[i] * lane);
		if (turns[i] <= cover)
			offer_joins(o);
	}
}

/* Invocations beyond what there is to do only wait; on a processor, workgroups so large that a few
 * of them are all there is leave cores idle, and many small ones cost their start. */
static bool is_wasteful(const struct offering *o, uint32_t size)
{
	const uint16_t *axis = o->schedule.axis;
	bool cpu = o->pool->facts->cpu;
	uint64_t block = (uint64_t)axis[AXIS_WG_Y] * axis[AXIS_TILE_M];
	uint64_t groups = round_up(o->lines, (uint32_t)block);

	if (axis[AXIS_WG_X] >= 2 * o->count)
		return true;
	if (axis[AXIS_TILE_M] > o->lines && axis[AXIS_TILE_M] > o->least)
		return true;
	if (block >= 2ull * o->lines && size > (cpu ? 4 : 32))
		return true;
	return cpu && axis[AXIS_WG_Y] > 1 &&
	       ((groups < 8 && size > 4) || (groups > 256 && size < 64));
}

static void offer_tiles(struct offering *o, uint32_t size)
{
	uint16_t *axis = o->schedule.axis;

	for (uint32_t i = 0; i < LENGTH(tiles); i++) {
		axis[AXIS_TILE_M] = tiles[i];
		if (!is_wasteful(o, size))
			offer_turns(o);
	}
}

static void offer_sizes(struct offering *o, uint16_t along, const uint16_t *sizes, uint32_t count)
{
	uint16_t *axis = o->schedule.axis;

	axis[AXIS_WG_X] = along;
	axis[AXIS_WG_Y] = 1; /* a share a workgroup, whatever its size */
	if (along >= (o->pool->facts->cpu ? 4 : 32))
		offer_tiles(o, along);
	for (uint32_t i = 0; i < count; i++) {
		axis[AXIS_WG_Y] = (uint16_t)(sizes[i] / along);
		if (sizes[i] > along)
			offer_tiles(o, sizes[i]);
	}
}

static void offer_along(struct offering *o)
{
	if (o->pool->facts->cpu)
		for (uint32_t i = 0; i < LENGTH(cpu_along); i++)
			offer_sizes(o, cpu_along[i], cpu_sizes, LENGTH(cpu_sizes));
	else
		for (uint32_t i = 0; i < LENGTH(gpu_along); i++)
			offer_sizes(o, gpu_along[i], gpu_sizes, LENGTH(gpu_sizes));
}

void reduction_offer(struct pool *pool)
{
	bool half = is_f16(pool->op);

	for (uint16_t f16 = 0; f16 <= (half && pool->limits->features & FEATURE_F16); f16++) {
		struct offering o = {.pool = pool, .schedule = make_alone(pool->op, 1, f16)};
		struct reduction r = reduction_derive(pool->op, &o.schedule);
		uint64_t lines = (uint64_t)reduction_tuned(pool->op, r.lines.rows) *
		                 reduction_tuned(pool->op, r.columns);

		o.least = o.schedule.axis[AXIS_TILE_M];
		o.count = reduction_tuned(pool->op, r.count);
		o.lines = lines > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)lines;
		offer_along(&o);
	}
}
