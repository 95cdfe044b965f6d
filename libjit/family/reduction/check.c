/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules are well-formed for a reduction, and what is wrong with those that are not.
 * Derives nothing: the numbers are derive.c's. Invariant: what passes here may be lowered.
 */
#include "family/reduction/shape.h"

#include "base/error.h"

#include <errno.h>

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

int reduction_check(const struct reduction *r, struct error *err)
{
	int failed = check_numbers(r, err);

	failed = failed ? failed : check_joins(r, err);
	return failed ? failed : check_words(r, err);
}
