/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions in the full space: elements of a turn that cover the line well. For research alone: no
 * kernel is made from here.
 */
#include "family/reduction/shape.h"
#include "tools/lab/full_rows.h"

/* Elements of a turn: few, or so many that a number of invocations that is a power of two covers
 * the line with them. */
static bool may_be_legal(const struct op *op, enum axis axis, uint32_t value)
{
	struct schedule plain = schedule_initial();
	struct reduction r = reduction_derive(op, &plain);
	uint32_t n = reduction_tuned(op, r.count);

	if (axis != AXIS_TILE_N || full_is_power(value))
		return true;
	for (uint32_t lanes = 1; lanes <= 4; lanes *= 2)
		for (uint64_t along = lanes; along < 2ull * n; along *= 2)
			if ((n + along - 1) / along * lanes == value)
				return true;
	return false;
}

static const struct full_row rows[] = {
        {AXIS_WG_X, FULL_POWERS, 1, 1024},
        {AXIS_WG_Y, FULL_POWERS, 1, 1024},
        {AXIS_TILE_M, FULL_ALL, 1, 8},
        {AXIS_TILE_N, FULL_ALL, 1, 256},
        {AXIS_VEC, FULL_POWERS, 1, 4},
        {AXIS_K_STEP, FULL_POWERS, 1, 64},
        {AXIS_SUBGROUP, FULL_ALL, 0, 1},
        {AXIS_F16, FULL_ALL, 0, 1},
};

const struct full_rows full_reduction = {
        .count = sizeof rows / sizeof *rows,
        .rows = rows,
        .may_be_legal = may_be_legal,
};
