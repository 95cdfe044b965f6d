/* SPDX-License-Identifier: Apache-2.0
 *
 * What the space and the dispatch need to know of a schedule of a contraction: workgroups, their
 * memory, features. Refuses what check.c refuses.
 */
#include "family/contraction/shape.h"
#include "schedule/family.h"

#include <string.h>

static uint32_t shared_bytes(const struct contraction *c)
{
	uint32_t number = c->half_sums ? 2 : 4;

	if (c->form == CONTRACTION_MATRIX)
		return contraction_matrix_bytes(c);
	return number * (c->a.shared_length * c->a.lanes + c->b.shared_length * c->b.lanes +
	                        c->reduce_length * c->lanes);
}

static struct extent along(const struct op *op, uint32_t value, uint32_t block, bool strided)
{
	struct extent extent = extent_of(op, value, block);

	extent.most = strided ? CONTRACTION_GRID_MAX : 0;
	return extent;
}

static void fill_grid(const struct contraction *c, const struct op *op, struct extent grid[3])
{
	const struct contraction_fields *f = contraction_fields(op);
	struct extent one = {.times = 1, .over = 1};

	if (c->form == CONTRACTION_FLAT) {
		struct extent all = extent_of(op, f->m, c->b.block);
		extent_times(op, &all, op->value[f->pitch] ? f->pitch : f->n);
		if (!c->nbits)
			extent_times(op, &all, f->batch);
		grid_fold(op, all, grid);
		return;
	}
	grid[0] = along(op, f->n, c->b.block, c->wg.strided[0]);
	grid[1] = along(op, f->m, c->a.block, c->wg.strided[1]);
	grid[2] = c->nbits ? one : along(op, f->batch, 1, c->wg.strided[2]);
}

_Static_assert(sizeof(struct contraction) <= FAMILY_SHAPE_BYTES, "derive() hands it to cost()");

int contraction_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err)
{
	struct contraction c = contraction_derive(op, schedule);
	int r = contraction_check(&c, op, schedule, err);

	if (r)
		return r;
	struct geometry g = {.workgroup_bytes = shared_bytes(&c),
	        .features = (c.subgroup || c.form == CONTRACTION_QUAD ? FEATURE_SUBGROUPS : 0u) |
	                    (schedule->axis[AXIS_F16] ? FEATURE_F16 : 0u) |
	                    (schedule->axis[AXIS_DOT4] ? FEATURE_DOT4 : 0u) |
	                    (c.form == CONTRACTION_MATRIX ? FEATURE_MATRIX : 0u),
	        .matrix = c.matrix.shape,
	        .subgroup = c.form == CONTRACTION_QUAD ? CONTRACTION_QUAD_SIZE
	                    : c.subgroup               ? c.wg.split
	                                               : 0};
	memcpy(g.workgroup_size, c.wg.size, sizeof g.workgroup_size);
	fill_grid(&c, op, g.grid);
	memcpy(ret_shape, &c, sizeof c);
	*ret_geometry = g;
	return 0;
}
