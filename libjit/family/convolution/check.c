/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules are well-formed for a convolution, and what is wrong with those that are not.
 * Derives nothing: the numbers are derive.c's. Invariant: what passes here may be lowered.
 */
#include "family/convolution/shape.h"

#include "base/error.h"

#include <errno.h>

static uint32_t at_least_1(uint32_t value)
{
	return value ? value : 1;
}

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

int convolution_check_axes(const struct schedule *schedule, struct error *err)
{
	const uint16_t *s = schedule->axis;
	uint32_t rows = at_least_1(s[AXIS_CONVOLUTION_TILE_H]),
	         columns = at_least_1(s[AXIS_TILE_N]);
	uint64_t invocations = (uint64_t)at_least_1(s[AXIS_WG_X]) * at_least_1(s[AXIS_WG_Y]) *
	                       at_least_1(s[AXIS_SPLIT_K]);

	if (s[AXIS_TILE_M] > CONVOLUTION_TILE_MAX || rows > CONVOLUTION_TILE_MAX ||
	        columns > CONVOLUTION_TILE_MAX || at_least_1(s[AXIS_TILE_M]) * rows * columns > 256)
		return error_set(err, -ERANGE, "schedule",
		        "a tile is at most 64 any way and 256 outputs in all");
	if (!power_of_two(at_least_1(s[AXIS_WG_X])) || invocations > 1024)
		return error_set(err, -ERANGE, "schedule",
		        "wg_x is a power of two; wg_x * wg_y * split_k is at most 1024");
	if (s[AXIS_SPLIT_K] > 1 && !power_of_two(s[AXIS_SPLIT_K]))
		return error_set(err, -ERANGE, "split_k", "split_k is a power of two");
	if (s[AXIS_VEC] > 4 || s[AXIS_VEC] == 3)
		return error_set(err, -ERANGE, "vec", "vec must be 1, 2 or 4");
	if (s[AXIS_K_STEP] > 64 || s[AXIS_UNROLL] > CONVOLUTION_TAPS_MAX * CONVOLUTION_TAPS_MAX)
		return error_set(err, -ERANGE, "schedule", "k_step is at most 64, unroll 256");
	if (s[AXIS_SUBGROUP] || s[AXIS_DOT4])
		return error_set(err, -ERANGE, "schedule",
		        "a convolution's schedule has no subgroup and no dot4");
	if (s[AXIS_STAGE_A] > 1 || s[AXIS_STAGE_B] > 1 || s[AXIS_F16] > 1)
		return error_set(err, -ERANGE, "schedule", "stage_a, stage_b and f16 are 0 or 1");
	return 0;
}

static int check_flat(const struct convolution *c, struct error *err)
{
	if (c->rows.tile > 1 || c->wg_y > 1 || c->split > 1 || c->k_step > 1 || c->stage.x ||
	        c->stage.w || c->columns.unrolled > 1)
		return error_set(err, -ERANGE, "tile_m",
		        "tile_m=0 goes with wg_x and tile_n alone: outputs are computed on their "
		        "own");
	if (c->columns.tile > (c->numbers.f16 ? 2u : 1u))
		return error_set(err, -ERANGE, "tile_n",
		        "tile_m=0 takes one output an invocation, of f16 at most two");
	return 0;
}

static int check_taps(const struct convolution *c, struct error *err)
{
	const struct convolution_span *spans[] = {&c->rows, &c->columns};

	if (c->columns.taps % c->columns.unrolled)
		return error_set(err, -ERANGE, "unroll",
		        "unroll is all taps of the filter, or divides those of a row");
	for (uint32_t i = 0; i < 2; i++) {
		const struct convolution_span *s = spans[i];
		if (s->transposed && s->stride > 1 &&
		        (s->tile % s->stride || s->unrolled < s->taps))
			return error_set(err, -ERANGE, "unroll",
			        "transposed, a tile is a multiple of the stride and all taps are "
			        "unrolled");
		if (s->unrolled > CONVOLUTION_TAPS_MAX || s->lines > CONVOLUTION_LINES_MAX)
			return error_set(err, -ERANGE, "schedule",
			        "a turn takes at most %u taps and %u positions either way",
			        CONVOLUTION_TAPS_MAX, CONVOLUTION_LINES_MAX);
	}
	if (c->rows.lines * c->columns.lines > CONVOLUTION_CACHE_MAX)
		return error_set(err, -ERANGE, "schedule", "a turn reads at most %u elements of x",
		        CONVOLUTION_CACHE_MAX);
	if (c->sums.count * c->unrolled_k * c->rows.unrolled * c->columns.unrolled > 4096)
		return error_set(err, -ERANGE, "schedule", "a turn has at most 4096 multiply-adds");
	return 0;
}

static int check_channels(const struct convolution *c, struct error *err)
{
	if (c->rows.tile > c->rows.out || c->columns.tile > c->columns.out ||
	        c->tile_m > c->outputs)
		return error_set(err, -ERANGE, "schedule", "a tile is no larger than out");
	if (c->inputs % c->k_step)
		return error_set(err, -ERANGE, "k_step",
		        "k_step=%u must divide the %u input channels", c->k_step, c->inputs);
	if (c->diagonal && (c->tile_m > 4 || c->tile_m == 3 || c->w.c % c->tile_m))
		return error_set(err, -ERANGE, "tile_m",
		        "a depthwise tile has 1, 2 or 4 channels, a divisor of all");
	if (c->split > 1 && c->diagonal)
		return error_set(
		        err, -ERANGE, "split_k", "a depthwise filter has nothing to split");
	return 0;
}

static int check_stages(const struct convolution *c, struct error *err)
{
	bool all = c->rows.unrolled == c->rows.taps && c->columns.unrolled == c->columns.taps;

	if (!c->stage.x && !c->stage.w)
		return 0;
	if (c->diagonal || c->split > 1 || !all)
		return error_set(err, -ERANGE, "stage_a",
		        "staging needs all taps in a turn, no split_k, and is not for depthwise "
		        "filters");
	if (c->groups > 1 && c->tiles_m % c->wg_y)
		return error_set(
		        err, -ERANGE, "wg_y", "staging needs a workgroup within one group");
	if (c->stage.x && (uint64_t)c->rows.window * c->columns.window > 1 << 16)
		return error_set(err, -ERANGE, "stage_a", "a window is at most 65536 elements");
	return 0;
}

int convolution_check(const struct convolution *c, struct error *err)
{
	int r = c->flat.outputs ? check_flat(c, err) : check_channels(c, err);

	if (!r && !c->flat.outputs)
		r = check_taps(c, err);
	if (!r && !c->flat.outputs)
		r = check_stages(c, err);
	if (r)
		return r;
	if (c->numbers.native && !c->numbers.f16)
		return error_set(err, -ERANGE, "f16", "f16=1 is for an operator of f16");
	if (c->numbers.f16 && !c->numbers.native && c->out_width < 2)
		return error_set(err, -ERANGE, "schedule",
		        "two neighbours of f16 share a word, which needs one invocation to write "
		        "both, or f16=1 and shader-f16");
	return 0;
}
