/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for a reduction. Pure arithmetic; makes no choice (offer.c does) and counts
 * no work (cost.c does). Invariant: any values of the axes are safe to derive from.
 */
#include "family/reduction/shape.h"

/* ---- Sizes. */

static uint32_t extent_with(struct op_extent extent, uint32_t value)
{
	uint64_t product = (uint64_t)extent.times * value;

	return product > UINT32_MAX ? UINT32_MAX : (uint32_t)product;
}

uint32_t reduction_tuned(const struct op *op, struct op_extent extent)
{
	return extent.value == OP_CONSTANT ? extent.times
	                                   : extent_with(extent, op->value[extent.value]);
}

uint32_t reduction_most(const struct op *op, struct op_extent extent)
{
	uint32_t low, high;

	if (reduction_is_constant(op, extent))
		return reduction_tuned(op, extent);
	op_range(op, (uint32_t)op_dynamic_at(op, extent.value), &low, &high);
	return extent_with(extent, high);
}

/* The extent in vectors, where every value it may take is a whole number of them; else false. */
static bool divide(
        const struct op *op, struct op_extent extent, uint32_t by, struct op_extent *ret_quotient)
{
	if (reduction_is_constant(op, extent))
		extent = (struct op_extent){reduction_tuned(op, extent), OP_CONSTANT};
	if (extent.times % by)
		return false;
	extent.times /= by;
	*ret_quotient = extent;
	return true;
}

/* ---- A schedule's meaning. */

static uint32_t at_least_1(uint32_t value)
{
	return value ? value : 1;
}

static bool is_single(const struct op *op, struct op_extent extent)
{
	return reduction_is_constant(op, extent) && reduction_tuned(op, extent) == 1;
}

/* Left 0 vectors long where the lanes do not divide what they should. */
static void find_vectors(const struct op *op, struct reduction *r, uint32_t tile_n)
{
	struct op_extent count = r->lines.n, columns = r->lines.inner;

	r->across = !is_single(op, r->lines.inner);
	r->vectors = r->across ? tile_n : tile_n % r->vec ? 0 : tile_n / r->vec;
	if (!divide(op, r->across ? columns : count, r->vec, r->across ? &columns : &count))
		r->vectors = 0;
	r->count = count;
	r->columns = columns;
}

static enum dtype in_dtype(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];

	op_tensors(op, tensors);
	return tensors[0].dtype;
}

/* How words of f16 come to be written by one invocation each. */
static void find_owner(struct reduction *r)
{
	if (r->row->output == OUTPUT_RESULTS) {
		r->out_width = r->across && r->vec > 1 ? r->vec : 2;
		return;
	}
	r->out_width = r->vec > 1 ? r->vec : 2;
	if (r->vec == 1)
		r->owner = r->across ? OWNER_WORDS : OWNER_PAIRS;
}

struct reduction reduction_derive(const struct op *op, const struct schedule *schedule)
{
	const uint16_t *s = schedule->axis;
	struct reduction r = {.row = reduction_row(op),
	        .lines = op_lines(op),
	        .wg_x = at_least_1(s[AXIS_WG_X]),
	        .wg_y = at_least_1(s[AXIS_WG_Y]),
	        .tile_m = at_least_1(s[AXIS_TILE_M]),
	        .vec = at_least_1(s[AXIS_VEC]),
	        .radix = at_least_1(s[AXIS_K_STEP]),
	        .subgroup = s[AXIS_SUBGROUP]};

	find_vectors(op, &r, at_least_1(s[AXIS_TILE_N]));
	r.straight = (uint64_t)r.wg_x * r.vectors >= reduction_most(op, r.count);
	r.lines_fastest = r.wg_x == 1 || (r.across && !r.subgroup);
	r.out_width = r.row->output == OUTPUT_ELEMENTS || r.row->output == OUTPUT_RUNNING ||
	                              r.across
	                      ? r.vec
	                      : 1;
	if (in_dtype(op) == DTYPE_F16 && !s[AXIS_F16] && r.row->output != OUTPUT_INDICES)
		find_owner(&r);
	return r;
}
