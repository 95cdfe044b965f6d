/* SPDX-License-Identifier: Apache-2.0
 *
 * Choosing points. Must not know a device. Invariant: no point is there twice, and each is within
 * the operator's ranges.
 */
#include "daemon/gpu/points.h"

#include <string.h>

static bool fits(const struct op *op, const uint32_t dims[OP_DYNAMIC_MAX], uint64_t most_bytes)
{
	struct tensor tensors[OP_TENSORS_MAX];
	struct op at = op_at(op, dims);
	uint32_t count = op_tensors(&at, tensors);

	for (uint32_t i = 0; i < count; i++)
		if (tensors[i].elements > OP_ELEMENTS_MAX || tensor_bytes(&tensors[i]) > most_bytes)
			return false;
	return true;
}

static bool is_there(const struct points *points, const uint32_t dims[OP_DYNAMIC_MAX])
{
	for (uint32_t i = 0; i < points->count; i++)
		if (!memcmp(points->dims[i], dims, sizeof points->dims[i]))
			return true;
	return false;
}

static void add(struct points *points, const uint32_t dims[OP_DYNAMIC_MAX])
{
	if (points->count < POINTS_MAX && !is_there(points, dims))
		memcpy(points->dims[points->count++], dims, sizeof points->dims[0]);
}

/* What it is tuned as, each dimension changed by `by` and kept in its range. */
static void near_hint(const struct op *op, int by, uint32_t ret_dims[OP_DYNAMIC_MAX])
{
	for (uint32_t i = 0; i < op->dynamic_count; i++) {
		uint32_t low, high, hint = op->value[op->dynamic[i].value];
		op_range(op, i, &low, &high);
		uint32_t dim = by < 0 && hint < (uint32_t)-by ? 0 : hint + (uint32_t)by;
		ret_dims[i] = dim < low ? low : dim > high ? high : dim;
	}
}

void points_choose(const struct op *op, uint64_t most_bytes, struct points *ret_points)
{
	uint32_t tuned[OP_POINTS_MAX][OP_DYNAMIC_MAX], dims[OP_DYNAMIC_MAX] = {0};
	uint32_t count = op_points(op, tuned);
	struct points points = {0};

	for (uint32_t i = 0; i < count; i++)
		if (fits(op, tuned[i], most_bytes))
			add(&points, tuned[i]);
	near_hint(op, 0, dims);
	if (!points.count)
		add(&points, dims);
	points.timed = points.count;
	static const int steps[] = {-(int)OP_DIM_MAX, -1, 1};
	for (uint32_t i = 0; op->dynamic_count && i < sizeof steps / sizeof *steps; i++) {
		near_hint(op, steps[i], dims);
		if (fits(op, dims, most_bytes))
			add(&points, dims);
	}
	*ret_points = points;
}
