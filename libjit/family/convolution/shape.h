/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for a convolution: the numbers that legality, cost and lowering all need,
 * derived once here from (operator, schedule) and from nothing else.
 *
 * An invocation computes tile_m output channels of tile_h x tile_n output pixels, over k_step input
 * channels a turn. The axes here:
 *   WG_X       invocations along pixels; the derivation arranges them in rows and columns
 *   WG_Y       invocations along output channels
 *   SPLIT_K    invocations that share the input channels of one tile
 *   TILE_M     output channels; 0: out's elements are taken as they lie in memory, tile_n
 *              neighbours an invocation, whatever channel and row they are of (`flat`)
 *   TILE_N     output pixels along a row; TILE_H output rows (0: one)
 *   VEC        the widest load
 *   K_STEP     input channels of a turn; divides those of a group
 *   UNROLL     taps of the filter in one turn: all, those of a row, or a divisor of these
 *   STAGE_A    x goes through workgroup memory, STAGE_B the filter; they need all taps in a turn
 * A 1x1 convolution without stride or padding is one of a single row of all pixels.
 */
#pragma once

#include "schedule/geometry.h"
#include "schedule/schedule.h"
#include "schedule/work.h"

#include <stdbool.h>
#include <stdint.h>

#define CONVOLUTION_TILE_MAX  64  /* tile_m, tile_h and tile_n; their product is at most 256 */
#define CONVOLUTION_TAPS_MAX  16  /* along either direction, in one turn */
#define CONVOLUTION_LINES_MAX 96  /* rows, or columns, of x that a turn reads */
#define CONVOLUTION_CACHE_MAX 768 /* elements of x that a turn reads from a channel */

/* One direction of the image: rows or columns. */
struct convolution_span {
	uint32_t in, out; /* extents of x and of out */
	uint32_t taps, stride, dilation, before;
	bool transposed;
	uint32_t tile;     /* of out, one invocation's */
	uint32_t tiles;    /* invocations that cover out */
	uint32_t group;    /* of them, one workgroup's; a power of two */
	uint32_t unrolled; /* taps in one turn */
	uint32_t width;    /* lanes of a load of x, where they run along this direction; else 1 */
	uint32_t lines;    /* distinct positions of x, in such loads, that a turn reads: at most */
	int32_t low;       /* staged: the first one a workgroup reads, from its first tile's base */
	uint32_t window;   /* staged: how many */
};

/* TILE_M = 0: outputs computed each on its own. */
struct convolution_flat {
	uint32_t outputs; /* an invocation's; 0: it has a tile instead */
};

/* How numbers are kept: tensors are f16; read as such, not as words; computed so too. */
struct convolution_numbers {
	bool f16, native, half;
};

/* The accumulators: `count` vectors of `vec` lanes. */
struct convolution_sums {
	uint32_t vec, count;
	bool along_m; /* lanes run along output channels, else along a row's pixels */
};

/* Elements of the filter from one output channel, input channel and tap to the next. */
struct convolution_filter {
	uint64_t m, k;
	uint32_t tap;
	uint32_t width; /* lanes of a load */
};

/* What goes through workgroup memory: x, the filter; and out, where no tile's words are its own but
 * the workgroup's whole channels are. */
struct convolution_stage {
	bool x, w, out;
	uint32_t x_length, w_length; /* workgroup arrays: vectors */
	uint32_t sum_length;         /* the same for the split's sums */
	uint32_t out_length;         /* the same: numbers */
	uint32_t w_width;            /* lanes, along output channels, of the filter's elements */
};

struct convolution {
	struct op_window w;                  /* what is computed: batch 1 where `merged` */
	const struct op_convolution *fields; /* where it stands in op.value */
	bool merged;                         /* the batch is part of the row of all pixels */
	bool diagonal;                       /* output channel i sees input channel i alone */
	uint32_t groups, inputs, outputs; /* groups; channels of one. A diagonal one is one group */
	struct convolution_span rows, columns;
	struct convolution_flat flat;
	uint32_t tile_m, tiles_m; /* tiles_m: of one group */
	uint32_t wg_x, wg_y, split, k_step;
	uint32_t unrolled_k; /* staged: input channels of one turn of the inner loop */
	bool channels_first; /* a workgroup's neighbours differ in output channels (else pixels) */
	uint32_t workgroup_size[3];
	struct convolution_numbers numbers;
	struct convolution_sums sums;
	struct convolution_filter filter;
	struct convolution_stage stage;
	uint32_t x_width, out_width; /* lanes of a load of x, of a store */
};

/* Where tap `tap` meets x for output `at` of a tile, from the tile's base (its first output times
 * the stride, or over it where transposed). False: it does not, whatever tile it is. */
bool convolution_meets(
        const struct convolution_span *span, uint32_t at, uint32_t tap, int32_t *ret_offset);
/* The position of tile number `tile`'s base. */
static inline uint64_t convolution_base(const struct convolution_span *span, uint64_t tile)
{
	return span->transposed ? tile * span->tile / span->stride
	                        : tile * span->tile * span->stride;
}

/* What a schedule comes to (derive.c), and whether it is well-formed (check.c): 0, or -ERANGE and
 * err. The axes must have passed convolution_check_axes before anything is derived from them. */
struct error;
int convolution_check_axes(const struct schedule *schedule, struct error *err);
struct convolution convolution_derive(const struct op *op, const struct schedule *schedule);
int convolution_check(const struct convolution *c, struct error *err);

/* Workgroups along pixels' columns and rows and along output channels, of one image. */
struct convolution_blocks {
	uint32_t columns, rows, channels;
};
struct convolution_blocks convolution_blocks(const struct convolution *c);

/* ---- The family's functions, as schedule/family.h has them; family.c lists them. */

/* Schedules differ in kind by where x and the filter are read, and who shares input channels. */
enum convolution_kind {
	CONVOLUTION_KIND_DIRECT,
	CONVOLUTION_KIND_STAGED,
	CONVOLUTION_KIND_SPLIT,
	CONVOLUTION_KIND_COUNT
};

struct lower;
struct pool;
union family_shape;
int convolution_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err);
void convolution_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work);
void convolution_offer(struct pool *pool);
struct schedule convolution_baseline(const struct op *op);
bool convolution_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule);
void convolution_lower(struct lower *l);
