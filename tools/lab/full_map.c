/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps in the full space. For research alone: no kernel is made from here.
 */
#include "tools/lab/full_rows.h"

static const struct full_row rows[] = {
        {AXIS_WG_X, FULL_POWERS, 1, 1024},
        {AXIS_WG_Y, FULL_POWERS, 1, 64},
        {AXIS_TILE_M, FULL_POWERS, 1, 64},
        {AXIS_TILE_N, FULL_POWERS, 1, 256},
        {AXIS_VEC, FULL_POWERS, 1, 4},
        {AXIS_K_STEP, FULL_POWERS, 1, 32},
        {AXIS_STAGE_A, FULL_ALL, 0, 1},
        {AXIS_UNROLL, FULL_POWERS, 1, 16},
        {AXIS_F16, FULL_ALL, 0, 1},
};

const struct full_rows full_map = {
        .count = sizeof rows / sizeof *rows,
        .rows = rows,
};
