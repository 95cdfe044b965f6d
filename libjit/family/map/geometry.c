/* SPDX-License-Identifier: Apache-2.0
 *
 * What legality and the dispatch need to know of a map's schedule: workgroups, their memory,
 * features. Refuses what derive.c refuses, and a grid that run-time dimensions may outgrow.
 */
#include "family/map/shape.h"
#include "schedule/family.h"

#include "base/error.h"

#include <errno.h>

#include <string.h>

static void flat_geometry(const struct op *op, const struct map *m, struct geometry *g)
{
	g->workgroup_size[0] = m->wg_x;
	g->workgroup_size[1] = 1;
	grid_fold(
	        op, map_extent(m->plan.elements, (uint64_t)m->wg_x * m->vectors * m->vec), g->grid);
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

/* A grid that is not folded must be small enough for every run-time dimension. */
static int check_grid(const struct op *op, const struct geometry *g, struct error *err)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0}, low;

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		op_range(op, i, &low, &dims[i]);
	for (uint32_t i = 0; i < 3; i++)
		if (extent_at(&g->grid[i], dims) > 65535)
			return error_set(err, -ERANGE, "k_step",
			        "tiles would take more than 65535 workgroups in a dimension");
	return 0;
}

_Static_assert(sizeof(struct map) <= FAMILY_SHAPE_BYTES, "derive() hands it to cost()");

int map_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err)
{
	struct geometry g = {.workgroup_size = {1, 1, 1}};
	struct map m;
	int r = map_derive(op, schedule, &m, err);

	if (r)
		return r;
	if (m.form == MAP_FLAT)
		flat_geometry(op, &m, &g);
	else
		tile_geometry(&m, &g);
	g.features = schedule->axis[AXIS_F16] ? FEATURE_F16 : 0;
	r = m.form == MAP_FLAT ? 0 : check_grid(op, &g, err);
	if (r)
		return r;
	memcpy(ret_shape, &m, sizeof m);
	*ret_geometry = g;
	return 0;
}
