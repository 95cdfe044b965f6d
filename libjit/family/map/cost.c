/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the work of one invocation of a map, and how much a driver has to compile. Counts only:
 * libjit/cost says what a count is worth on a device.
 */
#include "family/map/shape.h"
#include "schedule/family.h"

#include <math.h>
#include <string.h>

struct counting {
	const struct op *op;
	struct map map;
	bool native; /* f16 is read as such, not as halves of words */
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t out; /* which of them is written */
};

/* Instructions that take an element out of its word, or put it there. */
static double unpacking(const struct counting *c, uint32_t tensor)
{
	enum dtype dtype = c->tensors[tensor].dtype;

	if (dtype_bits(dtype) == 32 || (dtype == DTYPE_F16 && c->native))
		return 0;
	return dtype == DTYPE_F16 ? 1 : 3;
}

/* What one vector of out takes. */
struct vector {
	double values; /* times a value is worked out: once, or for each element */
	double loads, lanes, arithmetic, instructions, turns;
};

/* A window that is not unrolled is one tap to compile. */
static void count_view(const struct counting *c, const struct map_view *view, struct vector *v)
{
	const struct map *m = &c->map;
	bool repeated = !view->free && !view->stride[m->plan.dims - 1].times && m->whole;
	double taps = view->free ? m->plan.taps : 1;
	double lanes = repeated ? 1 : view->lanes_each ? (double)m->vec / view->lanes_each : m->vec;
	double loads = lanes / fmin(m->lanes[view->tensor], lanes);
	double each = 4 * loads + unpacking(c, view->tensor) * lanes;

	v->loads += loads * taps;
	v->lanes += lanes * taps;
	v->arithmetic += each * taps;
	v->instructions += each * (taps > MAP_TAPS_UNROLLED ? 1 : fmax(1, taps));
}

static struct vector count_vector(const struct counting *c)
{
	const struct map *m = &c->map;
	const struct map_plan *plan = &m->plan;
	bool by_element = plan->separate && (!m->whole || !plan->view[0].lanes_each);
	double positions = m->whole ? 1 : m->vec, packing = unpacking(c, c->out);
	bool looped = plan->taps > MAP_TAPS_UNROLLED;
	struct vector v = {.values = by_element ? m->vec : 1, .loads = 1, .lanes = m->vec};

	v.instructions = 4 + 1.5 * packing * m->vec;
	if (!m->line)
		v.instructions += 5 * (plan->dims - 1) * positions;
	v.arithmetic = v.instructions + plan->cost * m->vec;
	v.instructions += looped ? 40 * v.values : plan->cost * v.values;
	v.turns = looped ? plan->taps * v.values : 0;
	for (uint32_t i = 0; i < plan->views; i++)
		count_view(c, &plan->view[i], &v);
	return v;
}

/* A gathered transpose uses few bytes of each line it reads. */
static struct work count_flat(const struct counting *c)
{
	const struct map *m = &c->map;
	struct vector v = count_vector(c);
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

static struct work count_tiles(const struct counting *c)
{
	const struct map *m = &c->map;
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

void map_cost(const struct op *op, const struct schedule *schedule, const union family_shape *shape,
        struct work *ret_work)
{
	struct counting c = {.op = op, .native = schedule->axis[AXIS_F16]};

	memcpy(&c.map, shape, sizeof c.map);
	c.out = op_tensors(op, c.tensors) - 1;
	*ret_work = c.map.form == MAP_FLAT ? count_flat(&c) : count_tiles(&c);
}
