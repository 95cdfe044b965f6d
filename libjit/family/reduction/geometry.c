/* SPDX-License-Identifier: Apache-2.0
 *
 * What legality and the dispatch need to know of a reduction's schedule: workgroups, their memory,
 * features. Refuses what check.c refuses.
 */
#include "family/reduction/shape.h"
#include "schedule/family.h"

#include <string.h>

/* Invocations' shares: of a word each where words are owned, else of tile_m lines. */
static struct extent count_shares(const struct op *op, const struct reduction *r)
{
	struct op_extent factors[3] = {r->lines.rows, r->columns, r->lines.n};
	struct extent extent = {.times = 1, .over = (uint64_t)r->wg_y * r->tile_m};

	for (uint32_t i = 0; i < (r->owner == OWNER_WORDS ? 3 : 2); i++) {
		extent.times *= factors[i].times;
		if (factors[i].value != OP_CONSTANT)
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

_Static_assert(sizeof(struct reduction) <= FAMILY_SHAPE_BYTES, "derive() hands it to cost()");

int reduction_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err)
{
	struct reduction r = reduction_derive(op, schedule);
	int failed = reduction_check(&r, err);

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
	memcpy(ret_shape, &r, sizeof r);
	*ret_geometry = g;
	return 0;
}
