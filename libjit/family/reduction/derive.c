/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for a reduction, whether it is well-formed, and its dispatch. Pure
 * arithmetic; makes no choice (offer.c does) and counts no work (cost.c does). Invariant: any
 * values of the axes are safe to derive from.
 */
#include "family/reduction/shape.h"

#include "base/error.h"

#include <errno.h>

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

/* ---- Well-formedness. */

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

static int check_numbers(const struct reduction *r, struct error *err)
{
	if (!power_of_two(r->vec) || r->vec > 4)
		return error_set(err, -ERANGE, "vec", "vec must be 1, 2 or 4");
	if (!power_of_two(r->wg_x) || r->wg_x > 1024 || r->wg_y > 1024)
		return error_set(err, -ERANGE, "wg_x",
		        "wg_x must be a power of two, and wg_x and wg_y at most 1024");
	if (!r->vectors)
		return error_set(err, -ERANGE, "vec",
		        "vec must divide tile_n and n (where inner is 1), else inner");
	if (r->tile_m > REDUCTION_TILE_MAX || r->vectors > REDUCTION_VECTORS_MAX ||
	        r->tile_m * r->vectors > REDUCTION_VECTORS_MAX)
		return error_set(err, -ERANGE, "tile_n",
		        "tile_m is at most %u, and a turn has at most %u vectors",
		        REDUCTION_TILE_MAX, REDUCTION_VECTORS_MAX);
	return 0;
}

static int check_joins(const struct reduction *r, struct error *err)
{
	if (r->subgroup && (r->wg_x < 2 || r->wg_y > 1 || r->row->output == OUTPUT_RUNNING))
		return error_set(err, -ERANGE, "subgroup",
		        "subgroup operations need wg_x > 1 and wg_y=1, and join no running sums");
	if (r->wg_x > 1 && !r->subgroup &&
	        (!power_of_two(r->radix) || r->radix < 2 || r->radix > r->wg_x ||
	                r->radix > REDUCTION_RADIX_MAX))
		return error_set(err, -ERANGE, "k_step",
		        "where wg_x > 1, k_step must be a power of two from 2 to wg_x, at most %u",
		        REDUCTION_RADIX_MAX);
	if ((r->wg_x == 1 || r->subgroup) && r->radix > 1)
		return error_set(err, -ERANGE, "k_step",
		        "k_step says nothing without partial results in workgroup memory");
	return 0;
}

static int check_words(const struct reduction *r, struct error *err)
{
	bool scalars = r->row->output == OUTPUT_RESULTS && r->out_width == 2 && !r->across;

	if (r->row->output == OUTPUT_RESULTS && r->across && r->vec == 1 && r->out_width == 2)
		scalars = true;
	if (scalars && r->tile_m % 2)
		return error_set(err, -ERANGE, "tile_m",
		        "without shader-f16 an invocation writes two neighbouring results: tile_m "
		        "must be even");
	if (r->owner != OWNER_LINES && r->tile_m != 2)
		return error_set(err, -ERANGE, "tile_m",
		        "without shader-f16 lines that share a word are written two at a time: "
		        "tile_m must be 2 (or vec 2 or 4)");
	if (r->owner != OWNER_LINES && r->wg_x > 1 &&
	        (r->owner == OWNER_WORDS || r->row->output == OUTPUT_RUNNING))
		return error_set(err, -ERANGE, "wg_x",
		        "without shader-f16 wg_x must be 1 where lines share a word");
	return 0;
}

/* ---- The dispatch. */

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

int reduction_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err)
{
	struct reduction r = reduction_derive(op, schedule);
	int failed = check_numbers(&r, err);

	failed = failed ? failed : check_joins(&r, err);
	failed = failed ? failed : check_words(&r, err);
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
	*ret_geometry = g;
	return 0;
}
