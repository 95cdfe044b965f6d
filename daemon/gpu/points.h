/* SPDX-License-Identifier: Apache-2.0
 *
 * With which dimensions a dynamic operator is tried.
 */
#pragma once

#include "nnjit.h"

#define POINTS_MAX 8

struct points {
	uint32_t count,
	        timed; /* the first `timed` are timed and verified, the rest only verified */
	uint32_t dims[POINTS_MAX][OP_DYNAMIC_MAX];
};

/* Timed: op_points. Beside them the least of every range, and one less and one more than the
 * operator is tuned as: what fits a tile there does not here. Points with a tensor of more than
 * `most_bytes` are left out, but never what the operator is tuned as; a static operator has one
 * point. */
void points_choose(const struct op *op, uint64_t most_bytes, struct points *ret_points);
