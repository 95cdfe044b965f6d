/* SPDX-License-Identifier: Apache-2.0
 *
 * What the space and the dispatch need to know of a schedule of attention: workgroups, their
 * memory, features. Refuses what is not well-formed, and what would unroll beyond all measure.
 */
#include "family/attention/shape.h"
#include "schedule/family.h"

#include "base/error.h"

#include <errno.h>

#include <string.h>

#define INSTRUCTIONS_MAX 2048 /* of anything at all; what is offered is far below */

/* Row tiles along x; heads of k and v along y and z. Where there may be more row tiles than a
 * dispatch takes, workgroups take every GRID_FOLD-th; lowering guards against heads past the end.
 * Pairs of rows are numbered through, whosever they are. */
static void fill_grid(const struct op *op, const struct attention *a, struct geometry *g)
{
	struct extent rows = {.times = a->op.group, .over = (uint64_t)a->tile * a->tiles};
	struct extent heads = {.times = a->op.kv_heads, .over = 1};
	struct extent folded[3];

	extent_times(op, &rows, ATTENTION_Q);
	extent_times(op, &heads, ATTENTION_BATCH);
	if (a->form == ATTENTION_PAIR) {
		struct extent pairs = {.times = op->value[ATTENTION_HEADS], .over = 2};
		extent_times(op, &pairs, ATTENTION_Q);
		extent_times(op, &pairs, ATTENTION_BATCH);
		grid_fold(op, pairs, g->grid);
		return;
	}
	grid_fold(op, heads, folded);
	g->grid[1] = folded[0];
	g->grid[2] = folded[1];
	grid_fold(op, rows, folded);
	g->grid[0] = folded[0];
}

_Static_assert(sizeof(struct attention) <= FAMILY_SHAPE_BYTES, "derive() hands it to cost()");

int attention_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err)
{
	struct attention a;
	bool native = schedule->axis[AXIS_F16];
	int r = attention_derive(op, schedule, &a, err);

	if (r)
		return r;
	struct geometry g = {.workgroup_size = {a.workgroup_size[0], a.workgroup_size[1], 1},
	        .workgroup_bytes = 4 * (a.width * (a.arrays.vector_length + a.arrays.q_length) +
	                                       a.team.weight_width * a.arrays.weight_length +
	                                       a.lanes * a.arrays.exchange_length),
	        .features = (a.subgroup ? FEATURE_SUBGROUPS : 0u) | (native ? FEATURE_F16 : 0u),
	        .subgroup = a.subgroup ? a.split : 0};
	if (attention_instructions(&a, op) > INSTRUCTIONS_MAX)
		return error_set(err, -ERANGE, "schedule",
		        "too much is unrolled: tile_m, k_step or unroll must be smaller");
	fill_grid(op, &a, &g);
	memcpy(ret_shape, &a, sizeof a);
	*ret_geometry = g;
	return 0;
}
