/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution lowering's inside, shared by its files; nobody else includes this.
 * convolution.c has the loops, _image reads x, _filter the filter, _out writes, _flat is the kernel
 * that computes each output on its own.
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

struct convolving {
	struct lower *l;
	struct ir_builder *b;
	struct convolution c;
	uint32_t x, w, bias, residual, out; /* bindings; OP_TENSORS_MAX: there is none */
	uint32_t shared_x, shared_w, shared_sum, shared_out; /* workgroup arrays */
	ir_id image, group;
	ir_id tile_m, first_m, within_m; /* of output channels, in the group: as in direction */
	ir_id first_tile;                /* the same as first_m, groups not told apart */
	ir_id local_m, local_k, thread;  /* thread: linear within all but the split */
	struct direction rows, columns;
	ir_id origin;      /* of x's binding: where the invocation's image and channels begin */
	ir_id filter;      /* the same of the filter's */
	ir_id sums[256];   /* variables, by convolution_sum */
	ir_id values[256]; /* what they hold */
	/* The turn at hand: */
	ir_id k;                     /* its first input channel, from the group's first */
	ir_id staged_k;              /* the same from the first one staged */
	ir_id ky, kx;                /* its first tap */
	ir_id turn_filter;           /* the filter's load at its first element */
	ir_id staged_filter;         /* the vector that was read last */
	ir_id filter_rows[TILE_MAX]; /* to be added, by output channel, where those overhang */
	/* The channel of x at hand: */
	ir_id plane;                           /* element of x's binding where it begins ... */
	uint32_t plane_plus;                   /* ... to be added */
	uint32_t plane_lane;                   /* which lane of loads along channels */
	ir_id elements[CONVOLUTION_CACHE_MAX]; /* loads, by row and column; 0: not yet */
};

/* The variable of the tile's output channel m, row r, column j. */
static inline uint32_t convolution_sum(
        const struct convolution *c, uint32_t m, uint32_t r, uint32_t j)
{
	uint32_t columns = c->along_m ? c->columns.tile : c->columns.tile / c->vec;

	m = c->along_m ? m / c->vec : m;
	j = c->along_m ? j : j / c->vec;
	return (m * c->rows.tile + r) * columns + j;
}

/* ---- convolution_image.c */
void image_begin(struct convolving *v);
/* Finds the lines of a direction and keeps them in bounds; `tap` is the first of the turn. */
void image_find_lines(struct convolving *v, struct direction *d, ir_id tap);
/* Makes the turn's channel k + kk (diagonal NCHW: output channel m) the one at hand. */
void image_choose_channel(struct convolving *v, uint32_t kk, uint32_t m);
/* x at the meetings of row r and column j with taps ky and kx of the turn: vec of them along the
 * row or, along output channels, the one for all. 0: there is none. */
ir_id image_vector(struct convolving *v, uint32_t r, uint32_t j, uint32_t ky, uint32_t kx);
void image_stage(struct convolving *v);

/* ---- convolution_filter.c */
void filter_begin(struct convolving *v);
/* Makes the turn's first tap and channel the base of what follows. */
void filter_begin_turn(struct convolving *v);
/* The filter of output channels m (and vec of them along output channels), turn's channel kk. */
ir_id filter_vector(struct convolving *v, uint32_t m, uint32_t kk, uint32_t ky, uint32_t kx);
void filter_stage(struct convolving *v);

/* ---- convolution_out.c */
void out_reduce(struct convolving *v); /* the split's sum, in its first invocation */
void out_store(struct convolving *v);

/* ---- convolution_flat.c */
void lower_convolution_flat(struct convolving *v);

/* Copies `count` elements by all invocations of a workgroup; one is asked for each in turn. */
void convolution_copy(
        struct convolving *v, uint32_t count, void (*copy)(struct convolving *v, ir_id element));
/* b > 0 */
static inline int32_t floor_over(int32_t a, int32_t b)
{
	return a >= 0 ? a / b : -((b - 1 - a) / b);
}
