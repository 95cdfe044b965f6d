/* SPDX-License-Identifier: Apache-2.0
 *
 * Derives a map's geometry from (operator, schedule): how wide each tensor is read, what is
 * well-formed, what it costs. Pure arithmetic; which schedules are worth offering is map_space.c's.
 * Invariant: an invocation writes whole words, and what it reads stands within the tensors,
 * whatever the run-time dimensions are.
 */
#include "family/map/shape.h"

#include "base/error.h"
#include "device/limits.h"

#include <errno.h>
#include <math.h>

#define VECTORS_MAX  64 /* of one invocation */
#define UNROLL_MAX   16
#define ELEMENTS_MAX 32768 /* of one workgroup: then no position passes 32 bits */

struct map_context {
	const struct op *op;
	const uint16_t *axis;
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t tensor_count;
	struct error *err;
};

static enum dtype out_type(const struct map_context *c)
{
	return c->tensors[c->tensor_count - 1].dtype;
}

/* ---- How wide tensors are read. */

static bool fits_word(const struct map_context *c, uint32_t tensor, uint32_t lanes)
{
	return lanes * dtype_bits(c->tensors[tensor].dtype) <= 32;
}

/* A last vector that passes the end is read only where it shares the last word. */
static uint32_t flat_lanes(const struct map_context *c, const struct map *m, uint32_t tensor)
{
	uint32_t lanes = m->vec;

	while (lanes > 1 && m->plan.elements.times % m->vec && !fits_word(c, tensor, lanes))
		lanes /= 2;
	return lanes;
}

static bool is_one(struct map_size size)
{
	return size.times == 1 && !size.dims;
}

/* The widest that divides all strides but the last, which is 1. */
static uint32_t strided_lanes(const struct map *m, const struct map_view *view)
{
	uint32_t last = m->plan.dims - 1, lanes = m->vec;

	if (!is_one(view->stride[last]) || m->plan.unit % m->vec)
		return 1;
	for (; lanes > 1; lanes /= 2) {
		bool divides = view->offset.times % lanes == 0;
		for (uint32_t i = 0; i < last; i++)
			divides &= view->stride[i].times % lanes == 0;
		if (divides)
			break;
	}
	return lanes;
}

static uint32_t view_lanes(
        const struct map_context *c, const struct map *m, const struct map_view *view)
{
	if (view->flat)
		return flat_lanes(c, m, view->tensor);
	if (!view->free)
		return strided_lanes(m, view);
	if (!view->share || m->plan.unit % m->vec)
		return 1;
	return m->vec > view->share ? m->vec / view->share : 1;
}

/* Whether all operands are flat or a single number: then vectors need no positions at all. */
static bool is_line(const struct map_plan *plan)
{
	if (plan->separate || plan->dims > 1)
		return false;
	for (uint32_t i = 0; i < plan->views; i++)
		if (!plan->view[i].flat && plan->view[i].stride[0].times)
			return false;
	return true;
}

static void derive_lanes(const struct map_context *c, struct map *m)
{
	m->whole = m->plan.unit % m->vec == 0 || is_line(&m->plan);
	m->ragged = m->plan.elements.times % m->vec != 0;
	for (uint32_t i = 0; i < c->tensor_count; i++)
		m->lanes[i] = m->vec;
	for (uint32_t i = 0; i < m->plan.views; i++) {
		uint32_t *lanes = &m->lanes[m->plan.view[i].tensor];
		uint32_t own = view_lanes(c, m, &m->plan.view[i]);
		*lanes = own < *lanes ? own : *lanes;
	}
}

/* ---- Well-formedness. */

static bool has_half(const struct map_context *c)
{
	for (uint32_t i = 0; i < c->tensor_count; i++)
		if (c->tensors[i].dtype == DTYPE_F16)
			return true;
	return false;
}

static int check_axes(const struct map_context *c)
{
	const uint16_t *s = c->axis;

	if (s[AXIS_VEC] != 1 && s[AXIS_VEC] != 2 && s[AXIS_VEC] != 4)
		return error_set(c->err, -ERANGE, "vec", "vec must be 1, 2 or 4");
	if (!s[AXIS_WG_X] || !s[AXIS_WG_Y] || !s[AXIS_TILE_M] || !s[AXIS_TILE_N] ||
	        !s[AXIS_K_STEP] || !s[AXIS_UNROLL])
		return error_set(c->err, -ERANGE, "schedule", "sizes must be at least 1");
	if (s[AXIS_TILE_N] % s[AXIS_VEC])
		return error_set(c->err, -ERANGE, "vec", "vec must divide tile_n");
	if (s[AXIS_STAGE_B] || s[AXIS_SPLIT_K] != 1 || s[AXIS_SUBGROUP] || s[AXIS_DOT4])
		return error_set(c->err, -ERANGE, "schedule",
		        "stage_b, split_k, subgroup and dot4 say nothing here");
	if (s[AXIS_STAGE_A] > 1 || s[AXIS_F16] > 1 || (s[AXIS_F16] && !has_half(c)))
		return error_set(
		        c->err, -ERANGE, "f16", "f16 and stage_a are flags; f16=1 needs f16");
	return 0;
}

/* Whether invocations write whole words, none of them behind the last. */
static int check_store(const struct map_context *c, const struct map *m)
{
	enum dtype dtype = out_type(c);
	uint32_t bits = m->vec * dtype_bits(dtype);
	bool native = dtype == DTYPE_F16 && c->axis[AXIS_F16];

	if (bits < 32 && !native)
		return error_set(c->err, -ERANGE, "vec",
		        "vec=%u: %s is written in words of 32 bits, so vec must be %u at least%s",
		        m->vec, dtype_name(dtype), 32 / dtype_bits(dtype),
		        dtype == DTYPE_F16 ? ", or f16=1" : "");
	if (m->ragged && bits > 32)
		return error_set(c->err, -ERANGE, "vec",
		        "vec=%u must divide the number of elements", m->vec);
	return 0;
}

static int check_flat(const struct map_context *c, const struct map *m)
{
	if (c->axis[AXIS_TILE_M] > 1 && c->axis[AXIS_TILE_N] != m->vec)
		return error_set(c->err, -ERANGE, "tile_m", "tile_m > 1 needs tile_n = vec");
	if (m->vectors > VECTORS_MAX || m->unroll > UNROLL_MAX || m->vectors % m->unroll)
		return error_set(c->err, -ERANGE, "unroll",
		        "an invocation does at most %u vectors; unroll divides them and is at "
		        "most %u",
		        VECTORS_MAX, UNROLL_MAX);
	if (m->wg_x * m->vectors * m->vec > ELEMENTS_MAX)
		return error_set(c->err, -ERANGE, "tile_n", "a workgroup does at most %u elements",
		        ELEMENTS_MAX);
	return check_store(c, m);
}

static int check_tiles(const struct map_context *c, const struct map *m)
{
	const struct map_plan *plan = &m->plan;

	if (m->moved == plan->dims)
		return error_set(c->err, -ERANGE, "k_step",
		        "tiles (stage_a, k_step, wg_y) are for transposes that move x's last "
		        "dimension");
	if (c->axis[AXIS_TILE_M] > 1 || m->unroll > 1)
		return error_set(c->err, -ERANGE, "tile_m", "tiles need tile_m=1 and unroll=1");
	if (plan->size[m->moved].times % m->vec || plan->unit % m->vec)
		return error_set(c->err, -ERANGE, "vec",
		        "vec must divide both dimensions that change places");
	if (m->block_n > 1024 || m->block_k > 1024)
		return error_set(c->err, -ERANGE, "wg_x", "a tile is at most 1024 either way");
	if (m->form == MAP_STAGED &&
	        (m->block_n != m->block_k || m->tile_k > 32 || c->axis[AXIS_TILE_N] != m->vec))
		return error_set(c->err, -ERANGE, "stage_a",
		        "stage_a needs tile_n = vec, wg_x * vec = wg_y * k_step, k_step at most "
		        "32");
	if (m->form == MAP_REGISTERS && (m->tile_k % m->vec || m->tile_k > 32 || m->tile_n > 32 ||
	                                        m->tile_n * m->tile_k > 256))
		return error_set(c->err, -ERANGE, "k_step",
		        "vec must divide k_step; a tile is at most 32 either way and 256 in all");
	return check_store(c, m);
}

/* ---- Work. */

double map_scalar_cost(enum scalar function)
{
	static const uint8_t costs[SCALAR_COUNT] = {[SCALAR_X] = 0,
	        [SCALAR_SQRT] = 4,
	        [SCALAR_RSQRT] = 4,
	        [SCALAR_RECIPROCAL] = 4,
	        [SCALAR_DIV] = 4,
	        [SCALAR_EXP] = 9,
	        [SCALAR_LOG] = 9,
	        [SCALAR_SIN] = 20,
	        [SCALAR_COS] = 20,
	        [SCALAR_SIGMOID] = 14,
	        [SCALAR_TANH] = 17,
	        [SCALAR_ERF] = 26,
	        [SCALAR_SOFTPLUS] = 20,
	        [SCALAR_GELU] = 28,
	        [SCALAR_GELU_TANH] = 19,
	        [SCALAR_QUICK_GELU] = 16,
	        [SCALAR_SILU] = 15,
	        [SCALAR_ELU] = 12,
	        [SCALAR_POW] = 24,
	        [SCALAR_SILU_MUL] = 16,
	        [SCALAR_GELU_MUL] = 29};

	return function >= SCALAR_FUNCTION_END ? 0 : costs[function] ? costs[function] : 2;
}

/* Instructions that take an element out of its word, or put it there. */
static double unpacking(const struct map_context *c, uint32_t tensor)
{
	enum dtype dtype = c->tensors[tensor].dtype;

	return dtype_bits(dtype) == 32 || (dtype == DTYPE_F16 && c->axis[AXIS_F16]) ? 0
	       : dtype == DTYPE_F16                                                 ? 1
	                                                                            : 3;
}

/* What one vector of out takes. */
struct vector {
	double values; /* times a value is worked out: once, or for each element */
	double loads, lanes, arithmetic, instructions, turns;
};

/* A window that is not unrolled is one tap to compile. */
static void count_view(const struct map_context *c, const struct map *m,
        const struct map_view *view, struct vector *v)
{
	bool repeated = !view->free && !view->stride[m->plan.dims - 1].times && m->whole;
	double taps = view->free ? m->plan.taps : 1;
	double lanes = repeated ? 1 : view->share ? (double)m->vec / view->share : m->vec;
	double loads = lanes / fmin(m->lanes[view->tensor], lanes);
	double each = 4 * loads + unpacking(c, view->tensor) * lanes;

	v->loads += loads * taps;
	v->lanes += lanes * taps;
	v->arithmetic += each * taps;
	v->instructions += each * (taps > MAP_TAPS_UNROLLED ? 1 : fmax(1, taps));
}

static struct vector count_vector(const struct map_context *c, const struct map *m)
{
	const struct map_plan *plan = &m->plan;
	bool by_element = plan->separate && (!m->whole || !plan->view[0].share);
	double places = m->whole ? 1 : m->vec, packing = unpacking(c, c->tensor_count - 1);
	bool looped = plan->taps > MAP_TAPS_UNROLLED;
	struct vector v = {.values = by_element ? m->vec : 1, .loads = 1, .lanes = m->vec};

	v.instructions = 4 + 1.5 * packing * m->vec;
	if (!is_line(plan))
		v.instructions += 5 * (plan->dims - 1) * places;
	v.arithmetic = v.instructions + plan->cost * m->vec;
	v.instructions += looped ? 40 * v.values : plan->cost * v.values;
	v.turns = looped ? plan->taps * v.values : 0;
	for (uint32_t i = 0; i < plan->views; i++)
		count_view(c, m, &plan->view[i], &v);
	return v;
}

/* A gathered transpose uses few bytes of each line it reads. */
static struct work flat_work(const struct map_context *c, const struct map *m)
{
	struct vector v = count_vector(c, m);
	double turns = (double)m->vectors / m->unroll;

	return (struct work){.instructions = (uint32_t)fmin(1e6, 20 + m->unroll * v.instructions),
	        .arithmetic = 10 + v.arithmetic * m->vectors,
	        .loads = v.loads * m->vectors,
	        .lanes = v.lanes * m->vectors,
	        .turns = (turns > 1 ? turns : 0) + v.turns * m->vectors,
	        .registers = 4.0 * m->vec * m->unroll,
	        .parallel = fmin(4, m->unroll * m->vec),
	        .traffic_bytes = op_bytes(c->op) * (m->moved < m->plan.dims ? 4 : 1)};
}

static void flat_geometry(const struct map_context *c, const struct map *m, struct geometry *g)
{
	g->workgroup_size[0] = m->wg_x;
	g->workgroup_size[1] = 1;
	grid_fold(c->op, map_extent(m->plan.elements, (uint64_t)m->wg_x * m->vectors * m->vec),
	        g->grid);
}

static struct work tile_work(const struct map_context *c, const struct map *m)
{
	double vectors = m->form == MAP_STAGED ? m->tile_k : (double)m->tile_n * m->tile_k / m->vec;
	struct work work = {
	        .instructions = (uint32_t)(40 +
	                                   vectors * (16 + (6 + 4 * unpacking(c, 0)) * m->vec)),
	        .arithmetic = 40 + 12 * vectors,
	        .loads = 2 * vectors,
	        .lanes = 2 * vectors * m->vec,
	        .registers = vectors * m->vec,
	        .parallel = 2,
	        .traffic_bytes = op_bytes(c->op)};

	if (m->form == MAP_STAGED) {
		work.shared_loads = work.shared_lanes = 2 * vectors * m->vec;
		work.barriers = 1;
	}
	return work;
}

static void tile_geometry(const struct map *m, struct geometry *g)
{
	const struct map_plan *plan = &m->plan;
	struct map_size others = {.times = 1};

	for (uint32_t i = 0; i + 1 < plan->dims; i++)
		if (i != m->moved)
			others = map_times(others, plan->size[i]);
	if (m->form == MAP_STAGED)
		g->workgroup_bytes = 4 * m->block_n * (m->block_n + 1);
	g->workgroup_size[0] = m->wg_x;
	g->workgroup_size[1] = m->wg_y;
	g->grid[0] = map_extent(plan->size[plan->dims - 1], m->block_n);
	g->grid[1] = map_extent(plan->size[m->moved], m->block_k);
	g->grid[2] = map_extent(others, 1);
}

struct extent map_extent(struct map_size size, uint64_t over)
{
	return (struct extent){.times = size.times, .over = over, .dims = size.dims};
}

/* ---- All of it. */

static int derive_map(struct map_context *c, struct map *m)
{
	const uint16_t *s = c->axis;
	int r = check_axes(c);

	if (r)
		return r;
	m->form = s[AXIS_STAGE_A]                          ? MAP_STAGED
	          : s[AXIS_K_STEP] > 1 || s[AXIS_WG_Y] > 1 ? MAP_REGISTERS
	                                                   : MAP_FLAT;
	m->vec = s[AXIS_VEC];
	m->wg_x = s[AXIS_WG_X];
	m->wg_y = s[AXIS_WG_Y];
	m->vectors = (uint32_t)s[AXIS_TILE_M] * (s[AXIS_TILE_N] / m->vec);
	m->unroll = s[AXIS_UNROLL];
	m->strided = s[AXIS_TILE_M] > 1;
	m->tile_n = s[AXIS_TILE_N];
	m->tile_k = s[AXIS_K_STEP];
	m->block_n = m->wg_x * m->tile_n;
	m->block_k = m->wg_y * m->tile_k;
	m->moved = map_moved(c->op, &m->plan);
	derive_lanes(c, m);
	if (m->form == MAP_FLAT)
		return check_flat(c, m);
	m->lanes[0] = m->vec;
	return check_tiles(c, m);
}

static struct map_context context_of(
        const struct op *op, const struct schedule *schedule, struct error *err)
{
	struct map_context c = {.op = op, .axis = schedule->axis, .err = err};

	c.tensor_count = op_tensors(op, c.tensors);
	return c;
}

int map_derive(const struct op *op, const struct schedule *schedule, struct map *ret_map,
        struct error *err)
{
	struct map_context c = context_of(op, schedule, err);
	struct map m = {.plan = map_plan(op)};
	int r = derive_map(&c, &m);

	if (!r)
		*ret_map = m;
	return r;
}

/* A grid that is not folded must be small enough for every run-time dimension. */
static int check_grid(const struct map_context *c, const struct geometry *g)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0}, low;

	for (uint32_t i = 0; i < c->op->dynamic_count; i++)
		op_range(c->op, i, &low, &dims[i]);
	for (uint32_t i = 0; i < 3; i++)
		if (extent_at(&g->grid[i], dims) > 65535)
			return error_set(c->err, -ERANGE, "k_step",
			        "tiles would take more than 65535 workgroups in a dimension");
	return 0;
}

int map_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err)
{
	struct map_context c = context_of(op, schedule, err);
	struct map m = {.plan = map_plan(op)};
	struct geometry g = {.workgroup_size = {1, 1, 1}};
	int r = derive_map(&c, &m);

	if (r)
		return r;
	if (m.form == MAP_FLAT)
		flat_geometry(&c, &m, &g);
	else
		tile_geometry(&m, &g);
	g.features = schedule->axis[AXIS_F16] ? FEATURE_F16 : 0;
	r = m.form == MAP_FLAT ? 0 : check_grid(&c, &g);
	if (!r)
		*ret_geometry = g;
	return r;
}

void map_cost(const struct op *op, const struct schedule *schedule, struct work *ret_work)
{
	struct map_context c = context_of(op, schedule, NULL);
	struct map m = {.plan = map_plan(op)};

	if (!derive_map(&c, &m))
		*ret_work = m.form == MAP_FLAT ? flat_work(&c, &m) : tile_work(&c, &m);
}
