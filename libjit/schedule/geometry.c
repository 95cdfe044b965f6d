/* SPDX-License-Identifier: Apache-2.0
 *
 * Dispatch sizes as formulas of the dynamic dimensions: made of an operator's values here, computed
 * for one dispatch by extent_at. A line of workgroups is folded only where it may be too long.
 */
#include "schedule/geometry.h"

void extent_times(const struct op *op, struct extent *extent, uint32_t value)
{
	int n = op_dynamic_at(op, value);

	if (n < 0)
		extent->times *= op->value[value];
	else
		extent->dims |= (uint8_t)(1u << n);
}

struct extent extent_of(const struct op *op, uint32_t value, uint64_t over)
{
	struct extent extent = {.times = 1, .over = over ? over : 1};

	extent_times(op, &extent, value);
	return extent;
}

/* The greatest that `extent` may come to. */
static uint64_t greatest(const struct op *op, const struct extent *extent)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0}, low;

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		op_range(op, i, &low, &dims[i]);
	return extent_at(extent, dims);
}

void grid_fold(const struct op *op, struct extent total, struct extent ret_grid[static 3])
{
	struct extent one = {.times = 1, .over = 1};

	ret_grid[0] = total;
	ret_grid[1] = ret_grid[2] = one;
	if (greatest(op, &total) <= 65535)
		return;
	ret_grid[0].most = GRID_FOLD;
	ret_grid[1] = total;
	ret_grid[1].over *= GRID_FOLD;
}

bool grid_is_folded(const struct extent grid[static 3])
{
	return grid[0].most == GRID_FOLD;
}
