/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule comes to, whatever the family: all that legality and dispatch need. Sizes of a
 * dispatch are formulas of the operator's dynamic dimensions, so that one kernel serves them all.
 */
#pragma once

#include "op/op.h"
#include "device/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* Workgroups along one dimension of the dispatch: ceil(times * product / over), at most `most`
 * unless that is 0. The product is of the operator's dynamic dimensions whose bits are set. */
struct extent {
	uint64_t times, over; /* over > 0 */
	uint32_t most;
	uint8_t dims; /* bit n: dynamic dimension n */
};
static inline uint64_t extent_at(const struct extent *extent, const uint32_t dims[OP_DYNAMIC_MAX])
{
	uint64_t count = extent->times;

	for (uint32_t i = 0; i < OP_DYNAMIC_MAX; i++)
		if (extent->dims >> i & 1)
			count *= dims[i];
	count = count / extent->over + (count % extent->over != 0);
	return extent->most && count > extent->most ? extent->most : count;
}
/* ceil(op.value[value] / over): a constant, or a formula where that dimension is dynamic. */
struct extent extent_of(const struct op *op, uint32_t value, uint64_t over);
/* *extent with one more factor, op.value[value]. */
void extent_times(const struct op *op, struct extent *extent, uint32_t value);

/* One long line of workgroups, folded where it may pass what a dispatch allows: workgroup x, y is
 * number y * GRID_FOLD + x. `total` may then be passed: kernels must guard. */
#define GRID_FOLD 32768
void grid_fold(const struct op *op, struct extent total, struct extent ret_grid[static 3]);
bool grid_is_folded(const struct extent grid[static 3]);

struct geometry {
	uint32_t workgroup_size[3];
	struct extent grid[3];
	uint32_t workgroup_bytes;   /* workgroup memory */
	uint32_t features;          /* enum feature bits the code needs */
	uint32_t subgroup;          /* the subgroup size it is made for; 0: any. Then a divisor of
	                             * workgroup_size[0]: drivers need not make one of others */
	struct matrix_shape matrix; /* of FEATURE_MATRIX */
};
