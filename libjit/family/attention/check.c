/* SPDX-License-Identifier: Apache-2.0
 *
 * Which values of the axes make sense for attention, and what is wrong with those that do not,
 * before anything is divided or multiplied. Looks at the operator and the schedule alone.
 */
#include "family/attention/shape.h"

#include "base/error.h"

#include <errno.h>

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

static int refuse(struct error *err, const char *axis, const char *why)
{
	return error_set(err, -ERANGE, axis, "%s", why);
}

static int check_tiles(const uint16_t *s, struct error *err)
{
	if (s[AXIS_WG_Y] != 1 || s[AXIS_TILE_N] != 1 || s[AXIS_DOT4])
		return refuse(err, "schedule", "attention has no wg_y, tile_n and dot4");
	if (!power_of_two(s[AXIS_SPLIT_K]) || s[AXIS_SPLIT_K] > ATTENTION_SPLIT_MAX)
		return refuse(err, "split_k", "split_k must be a power of two, at most 256");
	if (!s[AXIS_WG_X] || (uint32_t)s[AXIS_WG_X] * s[AXIS_SPLIT_K] > 1024)
		return refuse(err, "wg_x", "wg_x * split_k must be 1 to 1024");
	if (!power_of_two(s[AXIS_TILE_M]) || s[AXIS_TILE_M] > ATTENTION_TILE_MAX)
		return refuse(err, "tile_m", "tile_m must be a power of two, at most 16");
	if (!power_of_two(s[AXIS_K_STEP]) || s[AXIS_K_STEP] > ATTENTION_STEP_MAX)
		return refuse(err, "k_step", "k_step must be a power of two, at most 32");
	if (s[AXIS_SUBGROUP] && (s[AXIS_SPLIT_K] < 2 || s[AXIS_WG_X] != 1))
		return refuse(err, "subgroup", "a subgroup needs a split_k and wg_x=1");
	return 0;
}

static int check_unroll(const uint16_t *s, struct error *err)
{
	if (s[AXIS_STAGE_A] > 1 || s[AXIS_STAGE_B] > 1)
		return refuse(err, "schedule", "stage_a and stage_b are 0 or 1");
	if (!s[AXIS_UNROLL] || s[AXIS_UNROLL] > 256)
		return refuse(err, "unroll", "unroll must be 1 to 256");
	if (s[AXIS_SPLIT_K] > 1)
		return 0;
	if (s[AXIS_STAGE_A])
		return refuse(err, "stage_a", "without split_k, q stands in registers");
	if (s[AXIS_K_STEP] % s[AXIS_UNROLL])
		return refuse(err, "unroll", "unroll must divide k_step");
	if (!s[AXIS_STAGE_B] && s[AXIS_UNROLL] != s[AXIS_K_STEP])
		return refuse(err, "unroll", "without stage_b, unroll equals k_step");
	return 0;
}

static int check_types(const struct op *op, const uint16_t *s, struct error *err)
{
	bool half = op->value[ATTENTION_DTYPE] == DTYPE_F16;

	if (!power_of_two(s[AXIS_VEC]) || s[AXIS_VEC] > 4 || op->value[ATTENTION_DIM] % s[AXIS_VEC])
		return refuse(err, "vec", "vec must be 1, 2 or 4 and divide dim");
	if (s[AXIS_F16] > half)
		return refuse(err, "f16", "f16 is 0 or, where dtype is f16, 1");
	if (!half || s[AXIS_F16] || s[AXIS_VEC] > 1)
		return 0;
	if (op->value[ATTENTION_DIM] % 2 == 0)
		return refuse(err, "vec",
		        "without f16=1, elements of f16 are written in pairs: vec 2 or 4");
	if (s[AXIS_SPLIT_K] == 1 || s[AXIS_WG_X] != 1 || s[AXIS_TILE_M] != 1)
		return refuse(err, "shader-f16",
		        "without f16=1, rows of an odd number of f16 need a split_k, wg_x=1 and "
		        "tile_m=1");
	return 0;
}

int attention_check(const struct op *op, const struct schedule *schedule, struct error *err)
{
	int r = check_tiles(schedule->axis, err);

	r = r ? r : check_unroll(schedule->axis, err);
	return r ? r : check_types(op, schedule->axis, err);
}
