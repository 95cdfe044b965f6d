/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions in the full space: tiles that divide the image or are powers of two. For research
 * alone: no kernel is made from here.
 */
#include "family/convolution/shape.h"
#include "tools/lab/full_rows.h"

/* A tile along an extent is a power of two or divides it; transposed, in whole strides. */
static bool tiles(const struct convolution_span *span, uint32_t tile)
{
	uint32_t unit = span->transposed ? span->stride : 1, extent = (span->out + unit - 1) / unit;

	if (full_is_power(tile))
		return true;
	return tile % unit == 0 && (full_is_power(tile / unit) || extent % (tile / unit) == 0);
}

static bool may_be_legal(const struct op *op, enum axis axis, uint32_t value)
{
	struct schedule plain = schedule_initial();
	struct convolution c = convolution_derive(op, &plain);

	switch (axis) {
	case AXIS_TILE_M:
		return value <= c.outputs && (!c.diagonal || value <= 4);
	case AXIS_CONVOLUTION_TILE_H:
		return value <= c.rows.out && tiles(&c.rows, value);
	case AXIS_TILE_N:
		return value <= 2 || (value <= c.columns.out && tiles(&c.columns, value));
	case AXIS_K_STEP:
		return c.inputs % value == 0;
	case AXIS_STAGE_A:
	case AXIS_STAGE_B:
		return !value || !c.diagonal;
	case AXIS_UNROLL:
		return value == c.w.kh * c.w.kw || c.w.kw % value == 0;
	default:
		return true;
	}
}

static const struct full_row rows[] = {
        {AXIS_WG_X, FULL_POWERS, 1, 256},
        {AXIS_WG_Y, FULL_POWERS, 1, 64},
        {AXIS_TILE_M, FULL_ALL, 0, 4},
        {AXIS_TILE_M, FULL_POWERS, 8, 64},
        {AXIS_TILE_N, FULL_ALL, 1, 64},
        {AXIS_CONVOLUTION_TILE_H, FULL_ALL, 0, 0},
        {AXIS_CONVOLUTION_TILE_H, FULL_ALL, 2, 64},
        {AXIS_VEC, FULL_POWERS, 1, 4},
        {AXIS_K_STEP, FULL_ALL, 1, 64},
        {AXIS_STAGE_A, FULL_ALL, 0, 1},
        {AXIS_STAGE_B, FULL_ALL, 0, 1},
        {AXIS_UNROLL, FULL_ALL, 1, 256},
        {AXIS_SPLIT_K, FULL_POWERS, 1, 64},
        {AXIS_F16, FULL_ALL, 0, 1},
};

const struct full_rows full_convolution = {
        .count = sizeof rows / sizeof *rows,
        .rows = rows,
        .may_be_legal = may_be_legal,
};
