/* SPDX-License-Identifier: Apache-2.0
 *
 * Contractions in the full space. For research alone: no kernel is made from here.
 */
#include "tools/lab/full_rows.h"

static const struct full_row rows[] = {
        {AXIS_WG_X, FULL_POWERS, 1, 256},
        {AXIS_WG_Y, FULL_POWERS, 1, 256},
        {AXIS_TILE_M, FULL_ALL, 1, 8},
        {AXIS_TILE_M, FULL_HALVES, 8, 32},
        {AXIS_TILE_M, FULL_POWERS, 64, 128},
        {AXIS_TILE_N, FULL_ALL, 1, 8},
        {AXIS_TILE_N, FULL_HALVES, 8, 32},
        {AXIS_TILE_N, FULL_POWERS, 64, 128},
        {AXIS_VEC, FULL_POWERS, 1, 4},
        {AXIS_K_STEP, FULL_POWERS, 1, 64},
        {AXIS_STAGE_A, FULL_ALL, 0, 1},
        {AXIS_STAGE_B, FULL_ALL, 0, 1},
        {AXIS_UNROLL, FULL_POWERS, 1, 32},
        {AXIS_SPLIT_K, FULL_POWERS, 1, 256},
        {AXIS_SUBGROUP, FULL_ALL, 0, 1},
        {AXIS_F16, FULL_ALL, 0, 1},
        {AXIS_DOT4, FULL_ALL, 0, 1},
        {AXIS_CONTRACTION_MATRIX, FULL_ALL, 0, 0},
        {AXIS_CONTRACTION_MATRIX, FULL_ALL, 111, 111},
        {AXIS_CONTRACTION_MATRIX, FULL_ALL, 211, 212},
        {AXIS_CONTRACTION_MATRIX, FULL_ALL, 222, 222},
        {AXIS_CONTRACTION_SLABS, FULL_ALL, 0, 0},
        {AXIS_CONTRACTION_SLABS, FULL_ALL, 2, 2},
        {AXIS_CONTRACTION_QUAD, FULL_ALL, 0, 1},
        {AXIS_CONTRACTION_AHEAD, FULL_ALL, 0, 1},
};

const struct full_rows full_contraction = {
        .count = sizeof rows / sizeof *rows,
        .rows = rows,
};
