/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for a contraction: the numbers that legality, cost and lowering all need,
 * derived once here from (operator, schedule) and from nothing else.
 */
#pragma once

#include "op/op.h"
#include "space/schedule.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTRACTION_TILE_MAX 32 /* tile_m and tile_n; their product is at most 256 */

/* One of the two inputs. Its outer dimension is m for a, n for b. */
struct contraction_operand {
	bool along_k;   /* consecutive k are consecutive in memory; otherwise outer elements are */
	bool staged;    /* read through workgroup memory */
	uint32_t width; /* lanes of one load, along that direction */
	uint32_t outer; /* extent of the outer dimension */
	uint32_t tile;  /* outer elements of one invocation */
	uint32_t group; /* how many of those stand together */
	uint32_t block; /* outer elements of one workgroup */
	uint32_t pitch; /* staged: array elements (of `width` lanes) from one row to the next */
	uint32_t shared_length; /* staged: array elements of `width` lanes */
};

struct contraction {
	uint32_t m, n, k, batch;
	uint32_t wg_x, wg_y, split; /* invocations along n, m and k */
	uint32_t tile_m, tile_n,
	        vec; /* accumulators of an invocation: tile_m x tile_n/vec vectors */
	uint32_t k_step, unroll;
	bool subgroup;
	bool k_fastest; /* neighbouring invocations differ in k (else in n) */
	struct contraction_operand a, b;
	uint32_t out_width;       /* lanes of a load of bias and residual and of a store of out */
	uint32_t reduce_length;   /* workgroup array elements of `vec` lanes for the split's sum */
	uint32_t workgroup_bytes; /* all workgroup memory */
	uint32_t instructions;    /* roughly, in the unrolled body and the epilogue */
	uint32_t workgroup_size[3], workgroups[3];
};

/* Any values are safe to derive from; space_check says which make sense. */
struct contraction contraction_derive(const struct op *op, const struct schedule *schedule);
