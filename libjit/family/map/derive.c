/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for a map: how wide each tensor is read, whether the schedule is
 * well-formed. Pure arithmetic; makes no choice (offer.c does) and counts no work
 * (cost.c does). Invariant: an invocation writes whole words, and what it reads stands within the
 * tensors, whatever the run-time dimensions are.
 */
#include "family/map/shape.h"

#include "base/error.h"
#include "device/limits.h"

#include <errno.h>

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
	if (!view->lanes_each || m->plan.unit % m->vec)
		return 1;
	return m->vec > view->lanes_each ? m->vec / view->lanes_each : 1;
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
	m->line = is_line(&m->plan);
	m->whole = m->plan.unit % m->vec == 0 || m->line;
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
	if (m->plan.partial && !m->whole)
		return error_set(c->err, -ERANGE, "vec", "vec must divide the rows of a part");
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

/* ---- A schedule's meaning. */

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

int map_derive(const struct op *op, const struct schedule *schedule, struct map *ret_map,
        struct error *err)
{
	struct map_context c = {.op = op, .axis = schedule->axis, .err = err};
	struct map m = {.plan = map_plan(op)};

	c.tensor_count = op_tensors(op, c.tensors);
	int r = derive_map(&c, &m);
	if (!r)
		*ret_map = m;
	return r;
}
