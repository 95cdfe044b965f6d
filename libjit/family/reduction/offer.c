/* SPDX-License-Identifier: Apache-2.0
 *
 * The reductions' part of the space: which schedules are well-formed, and which are worth
 * measuring. Two machines want opposite things: a GPU many invocations a line, side by side, that
 * join through subgroups or workgroup memory; a processor few, each with much of a line in
 * registers, because a load costs it more than what is done with it.
 */
#include "family/reduction/shape.h"

#include "base/error.h"
#include "schedule/family.h"
#include "space/pool.h"
#include "space/space.h"

#include <errno.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- Well-formedness. */

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

static int check_numbers(const struct reduction *r, struct error *err)
{
	if (!power_of_two(r->vec) || r->vec > 4)
		return error_set(err, -ERANGE, "vec", "vec must be 1, 2 or 4");
	if (!power_of_two(r->wg_x) || r->wg_x > 1024 || r->wg_y > 1024)
		return error_set(err, -ERANGE, "wg_x",
		        "wg_x must be a power of two, and wg_x and wg_y at most 1024");
	if (!r->vectors)
		return error_set(err, -ERANGE, "vec",
		        "vec must divide tile_n and n (where inner is 1), else inner");
	if (r->tile_m > REDUCTION_TILE_MAX || r->vectors > REDUCTION_VECTORS_MAX ||
	        r->tile_m * r->vectors > REDUCTION_VECTORS_MAX)
		return error_set(err, -ERANGE, "tile_n",
		        "tile_m is at most %u, and a turn has at most %u vectors",
		        REDUCTION_TILE_MAX, REDUCTION_VECTORS_MAX);
	return 0;
}

static int check_joins(const struct reduction *r, struct error *err)
{
	if (r->subgroup && (r->wg_x < 2 || r->wg_y > 1 || r->row->output == OUTPUT_RUNNING))
		return error_set(err, -ERANGE, "subgroup",
		        "subgroup operations need wg_x > 1 and wg_y=1, and join no running sums");
	if (r->wg_x > 1 && !r->subgroup &&
	        (!power_of_two(r->radix) || r->radix < 2 || r->radix > r->wg_x ||
	                r->radix > REDUCTION_RADIX_MAX))
		return error_set(err, -ERANGE, "k_step",
		        "where wg_x > 1, k_step must be a power of two from 2 to wg_x, at most %u",
		        REDUCTION_RADIX_MAX);
	if ((r->wg_x == 1 || r->subgroup) && r->radix > 1)
		return error_set(err, -ERANGE, "k_step",
		        "k_step says nothing without partial results in workgroup memory");
	return 0;
}

static int check_words(const struct reduction *r, struct error *err)
{
	bool scalars = r->row->output == OUTPUT_RESULTS && r->out_width == 2 && !r->across;

	if (r->row->output == OUTPUT_RESULTS && r->across && r->vec == 1 && r->out_width == 2)
		scalars = true;
	if (scalars && r->tile_m % 2)
		return error_set(err, -ERANGE, "tile_m",
		        "without shader-f16 an invocation writes two neighbouring results: tile_m "
		        "must be even");
	if (r->owner != OWNER_LINES && r->tile_m != 2)
		return error_set(err, -ERANGE, "tile_m",
		        "without shader-f16 lines that share a word are written two at a time: "
		        "tile_m must be 2 (or vec 2 or 4)");
	if (r->owner != OWNER_LINES && r->wg_x > 1 &&
	        (r->owner == OWNER_WORDS || r->row->output == OUTPUT_RUNNING))
		return error_set(err, -ERANGE, "wg_x",
		        "without shader-f16 wg_x must be 1 where lines share a word");
	return 0;
}

/* ---- The family. */

static uint64_t round_up(uint64_t value, uint32_t to)
{
	return (value + to - 1) / to;
}

/* Invocations' shares: of a word each where words are owned, else of tile_m lines. */
static struct extent count_shares(const struct op *op, const struct reduction *r)
{
	struct reduction_extent factors[3] = {r->rows, r->columns, r->n};
	struct extent extent = {.times = 1, .over = (uint64_t)r->wg_y * r->tile_m};

	for (uint32_t i = 0; i < (r->owner == OWNER_WORDS ? 3 : 2); i++) {
		extent.times *= factors[i].times;
		if (factors[i].value != EXTENT_CONSTANT)
			extent_times(op, &extent, factors[i].value);
	}
	return extent;
}

static uint32_t count_shared_bytes(const struct reduction *r)
{
	bool second = r->row->pass[1].join != JOIN_NONE || r->row->output == OUTPUT_INDICES ||
	              (r->row->output == OUTPUT_RUNNING && r->wg_x > r->radix);
	uint32_t width = r->across ? r->vec : 1;

	if (r->wg_x == 1 || r->subgroup)
		return 0;
	return (second ? 2 : 1) * 4 * width * r->wg_x * r->wg_y * r->tile_m;
}

static int derive(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err)
{
	struct reduction r = reduction_derive(op, schedule);
	int failed = check_numbers(&r, err);

	failed = failed ? failed : check_joins(&r, err);
	failed = failed ? failed : check_words(&r, err);
	if (failed)
		return failed;
	struct geometry g = {.workgroup_bytes = count_shared_bytes(&r),
	        .workgroup_size = {r.wg_x, r.wg_y, 1},
	        .features = (r.subgroup ? FEATURE_SUBGROUPS : 0u) |
	                    (schedule->axis[AXIS_F16] ? FEATURE_F16 : 0u),
	        .subgroup = r.subgroup ? r.wg_x : 0};
	if (r.lines_fastest) {
		g.workgroup_size[0] = r.wg_y;
		g.workgroup_size[1] = r.wg_x;
	}
	grid_fold(op, count_shares(op, &r), g.grid);
	*ret_geometry = g;
	return 0;
}

static void cost(const struct op *op, const struct schedule *schedule, struct work *ret_work)
{
	struct reduction r = reduction_derive(op, schedule);

	*ret_work = reduction_work(op, &r);
	ret_work->instructions = reduction_instructions(op, &r);
}

/* Schedules differ in kind by who has a line. */
enum kind { KIND_ALONE, KIND_WORKGROUP, KIND_SUBGROUP };

static const uint16_t lanes[] = {4, 2, 1};
static const uint16_t tiles[] = {1, 2, 4};
static const uint16_t turns[] = {1, 2, 4, 8}; /* vectors of a turn that does not cover the line */
static const uint16_t gpu_along[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
static const uint16_t gpu_sizes[] = {64, 256};
static const uint16_t cpu_along[] = {1, 4, 8, 16, 64};
static const uint16_t cpu_sizes[] = {4, 16, 64};

static bool is_f16(const struct op *op)
{
	return op->value[reduction_row(op)->layout == LAYOUT_ROWS   ? SOFTMAX_DTYPE
	                 : reduction_row(op)->layout == LAYOUT_NORM ? LAYERNORM_DTYPE
	                                                            : GROUPNORM_DTYPE] == DTYPE_F16;
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
	struct geometry g;

	s.axis[AXIS_WG_Y] = wg_y;
	s.axis[AXIS_VEC] = s.axis[AXIS_TILE_N] = widest(op, f16);
	s.axis[AXIS_F16] = f16;
	if (derive(op, &s, &g, NULL))
		s.axis[AXIS_TILE_M] = 2;
	return s;
}

/* One workgroup of 64 a line, scalar loads, the textbook's tree. */
static struct schedule baseline(const struct op *op)
{
	struct schedule s = schedule_initial();
	struct geometry g;

	s.axis[AXIS_WG_X] = 64;
	s.axis[AXIS_K_STEP] = 2;
	if (derive(op, &s, &g, NULL)) /* f16: its words */
		s.axis[AXIS_TILE_M] = 2;
	if (derive(op, &s, &g, NULL))
		return make_alone(op, 64, 0);
	return s;
}

static bool fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
{
	static const uint16_t sizes[] = {64, 16, 256};

	if (attempt >= LENGTH(sizes))
		return false;
	*ret_schedule = make_alone(op, sizes[attempt], 0);
	return true;
}

/* ---- What is offered. */

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
		pool_offer(o->pool, KIND_ALONE, s);
		return;
	}
	if (one && along == o->pool->limits->subgroup_max) {
		s->axis[AXIS_SUBGROUP] = 1;
		pool_offer(o->pool, KIND_SUBGROUP, s);
		s->axis[AXIS_SUBGROUP] = 0;
	}
	s->axis[AXIS_K_STEP] = (uint16_t)(along <= 16 ? along : along <= 256 ? 16 : 32);
	pool_offer(o->pool, KIND_WORKGROUP, s);
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

static void offer(struct pool *pool)
{
	bool half = is_f16(pool->op);

	for (uint16_t f16 = 0; f16 <= (half && pool->limits->features & FEATURE_F16); f16++) {
		struct offering o = {.pool = pool, .schedule = make_alone(pool->op, 1, f16)};
		struct reduction r = reduction_derive(pool->op, &o.schedule);
		uint64_t lines = (uint64_t)reduction_tuned(pool->op, r.rows) *
		                 reduction_tuned(pool->op, r.columns);

		o.least = o.schedule.axis[AXIS_TILE_M];
		o.count = reduction_tuned(pool->op, r.count);
		o.lines = lines > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)lines;
		offer_along(&o);
	}
}

const struct family family_reduction = {.derive = derive,
        .cost = cost,
        .offer = offer,
        .baseline = baseline,
        .fallback = fallback,
        .lower = lower_reduction,
        .shares = {[KIND_ALONE] = {8, 12}, [KIND_WORKGROUP] = {20, 12}, [KIND_SUBGROUP] = {8, 4}},
        .room_gpu = 48,
        .room_cpu = 32};
