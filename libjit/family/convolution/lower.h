/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution lowering's inside, shared by its files; nobody else includes this. Calls
 * go down only: lower.c to flat or tile, tile to place, image, filter and out, these to copy and
 * epilogue. The v of every function is the kernel being built.
 *
 * Words: a *line* is a row or a column of x (or, where loads run along columns, as many columns as
 * a load has lanes) that a tile reads; a *meeting* is an output of the tile and a tap, and the line
 * where they meet.
 */
#pragma once

#include "lower/lower.h"
#include "family/convolution/shape.h"

#define TILE_MAX  CONVOLUTION_TILE_MAX
#define TAPS_MAX  CONVOLUTION_TAPS_MAX
#define LINES_MAX CONVOLUTION_LINES_MAX

struct line {
	int32_t offset; /* from the tile's base, in loads */
	ir_id at;       /* where it lies from the image's first, kept in bounds: at + plus ... */
	uint32_t plus;  /* ... elements of x's binding */
	ir_id inside;   /* whether it lies in the image; 0: it does, or nothing needs to know */
};

struct meeting {
	uint8_t line; /* NO_LINE: they do not meet */
	uint8_t lane;
};
#define NO_LINE UINT8_MAX

struct direction {
	const struct convolution_span *span;
	ir_id tile;     /* the invocation's, kept in bounds */
	ir_id first;    /* the workgroup's first */
	ir_id within;   /* whether the invocation's own is in bounds; 0: it is */
	uint32_t pitch; /* elements of x's binding from one load's position to the next */
	uint32_t count;
	struct line lines[LINES_MAX];
	struct meeting meetings[TILE_MAX][TAPS_MAX];
};

/* Of the tile's output channels, in the group: as in direction. */
struct channels {
	ir_id tile, first, within;
	ir_id local;      /* local id along them */
	ir_id first_tile; /* as first, groups not told apart */
};

struct convolving {
	struct lower *l;
	struct ir_builder *b;
	struct convolution c;
	struct {
		uint32_t x, w, bias, residual, out;
	} bound; /* bindings; OP_TENSORS_MAX: there is none */
	struct {
		uint32_t x, w, sum, out;
	} shared; /* workgroup arrays */
	ir_id image, group;
	ir_id local_k, thread; /* thread: linear within all but the split */
	struct channels m;
	struct direction rows, columns;
	ir_id sums[256];   /* variables, by convolution_sum */
	ir_id values[256]; /* what they hold */
	struct {
		ir_id k;        /* its first input channel, from the group's first */
		ir_id staged_k; /* the same from the first one staged */
		ir_id ky, kx;   /* its first tap */
	} turn;                 /* the one at hand */
	struct {
		ir_id base;           /* where the invocation's output channels begin */
		ir_id turn;           /* the load at the turn's first element */
		ir_id staged;         /* the vector that was read last */
		ir_id rows[TILE_MAX]; /* to be added, by output channel, where those overhang */
	} filter;
	struct {
		ir_id origin;  /* of x's binding: where the invocation's image and channels begin */
		ir_id at;      /* element of x's binding where it begins ... */
		uint32_t plus; /* ... to be added */
		uint32_t lane; /* which lane of loads along channels */
		ir_id elements[CONVOLUTION_CACHE_MAX]; /* loads, by row and column; 0: not yet */
	} plane;                                       /* the channel of x at hand */
};

/* A tap of one input channel of the turn at hand. */
struct tap {
	uint32_t kk, ky, kx;
};

/* The variable of the tile's output channel m, row r, column j. */
static inline uint32_t convolution_sum(
        const struct convolution *c, uint32_t m, uint32_t r, uint32_t j)
{
	uint32_t columns = c->sums.along_m ? c->columns.tile : c->columns.tile / c->sums.vec;

	m = c->sums.along_m ? m / c->sums.vec : m;
	j = c->sums.along_m ? j : j / c->sums.vec;
	return (m * c->rows.tile + r) * columns + j;
}

/* ---- The two kernels (lower_flat.c, lower_tile.c). */
void convolution_lower_flat(struct convolving *v);
void convolution_lower_tiled(struct convolving *v);

/* ---- lower_place.c: workgroup arrays, and where the invocation stands. A folded grid opens a
 * block for those within. */
void convolution_place(struct convolving *v);

/* ---- lower_image.c: x. */
void image_begin(struct convolving *v);
/* Finds the lines of a direction and keeps them in bounds; `tap` is the first of the turn. */
void image_find_lines(struct convolving *v, struct direction *d, ir_id tap);
/* Makes the turn's channel k + kk (diagonal NCHW: output channel m) the one at hand. */
void image_choose_channel(struct convolving *v, uint32_t kk, uint32_t m);
/* x at the meetings of row r and column j with a tap: vec of them along the row or, along output
 * channels, the one for all. 0: there is none. */
ir_id image_vector(struct convolving *v, uint32_t r, uint32_t j, const struct tap *tap);
void image_stage(struct convolving *v);

/* ---- lower_filter.c */
void filter_begin(struct convolving *v);
/* Makes the turn's first tap and channel the base of what follows. */
void filter_begin_turn(struct convolving *v);
/* The filter of output channels m (and vec of them along output channels) at a tap. */
ir_id filter_vector(struct convolving *v, uint32_t m, const struct tap *tap);
void filter_stage(struct convolving *v);

/* ---- lower_out.c */
void out_reduce(struct convolving *v); /* the split's sum, in its first invocation */
void out_store(struct convolving *v);

/* ---- lower_copy.c: copies `count` elements by all invocations of a workgroup; one is asked for
 * each in turn. */
void convolution_copy(
        struct convolving *v, uint32_t count, void (*copy)(struct convolving *v, ir_id element));

/* ---- lower_epilogue.c: stores the sums of out_width neighbours at `index`, their bias (read only
 * where there is one) and the rest of the epilogue applied. */
void convolution_conclude(struct convolving *v, const ir_id *sums, const ir_id *bias, ir_id index);

/* b > 0 */
static inline int32_t floor_over(int32_t a, int32_t b)
{
	return a >= 0 ? a / b : -((b - 1 - a) / b);
}
