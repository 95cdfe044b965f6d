/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the reduction family share: where an invocation's lines stand, their elements,
 * walks along them, and joins. Calls go down only: lower.c to pass, scan and write; these to join
 * and walk; all of them to line. Words as in shape.h; a *position* counts vectors from a tensor's
 * start, *k* vectors along a line.
 */
#pragma once

#include "lower/lower.h"
#include "family/reduction/shape.h"

#define TILE_MAX    REDUCTION_TILE_MAX
#define VECTORS_MAX REDUCTION_VECTORS_MAX

struct line {
	ir_id at;        /* its number; past the last line, the last one's */
	ir_id base;      /* position of its first vector */
	ir_id addend;    /* the same in the mask or residual */
	ir_id channel;   /* of its first element, where weights are by channel */
	ir_id shift;     /* what elements are relative to, as many lanes as they; 0: to nothing */
	ir_id result[2]; /* of each pass */
};

struct reducing {
	struct lower *l;
	struct ir_builder *b;
	struct reduction s;
	uint32_t x, addend, weight, bias, out; /* tensors; OP_TENSORS_MAX: there is none */
	ir_id along, side;                     /* local ids: along the line, from line to line */
	ir_id rows, count, columns;            /* see struct reduction */
	ir_id lines, first; /* how many there are; the first of this invocation's */
	bool ragged;        /* `first` and what follows may be past the last */
	struct line line[TILE_MAX];
	ir_id inverse;          /* 1 / n */
	ir_id acc[TILE_MAX][2]; /* values where the walk is straight, else variables */
	uint32_t pass;          /* which of the row's the walk is for */
};

/* ---- Lines (lower_line.c). */
/* Where the invocation's lines stand, and what their elements are relative to. */
void reduction_place_lines(struct reducing *r);
/* Vector k of the line as numbers: scaled, masked, relative to the shift. `k` must be within. */
ir_id reduction_fetch(struct reducing *r, const struct line *line, ir_id k);
/* min(k, count - 1) where `valid` says it may be beyond. */
ir_id reduction_within(struct reducing *r, ir_id k, ir_id valid);
ir_id reduction_position(struct reducing *r, const struct line *line, ir_id k);
/* Opens a block for invocations whose first line exists, where some might not; reduction_close ends
 * it. Within, lines past the last are the last once more, and writing them does no harm. */
void reduction_open(struct reducing *r);
void reduction_close(struct reducing *r);
/* A value of each line that the table's steps make of an element (or 0) and the results. */
ir_id reduction_evaluate(
        struct reducing *r, const struct line *line, const uint8_t *steps, ir_id element);

/* ---- Walks (lower_walk.c). */
/* Some vectors of every line, by k. valid[j] is a condition, or 0: surely within the line. */
struct chunk {
	uint32_t count;
	ir_id k[VECTORS_MAX], valid[VECTORS_MAX];
};
typedef void reduction_body(struct reducing *r, const struct chunk *chunk);
/* Calls `body` for all of this invocation's vectors, in order, unrolled as the schedule says. */
void reduction_walk(struct reducing *r, reduction_body *body);

/* ---- Joins (lower_join.c). */
ir_id reduction_join(struct reducing *r, enum reduction_join join, ir_id a, ir_id b);
/* What joins with anything to that thing, like `like`. */
ir_id reduction_neutral(struct reducing *r, enum reduction_join join, ir_id like);
ir_id reduction_join_many(
        struct reducing *r, enum reduction_join join, const ir_id *values, uint32_t count);
/* Of value[i] of every line i: joined over the lanes (where they are along the line) and over the
 * invocations that share the line, all of which get the result. Uniform control flow. */
void reduction_join_line(
        struct reducing *r, enum reduction_join join, ir_id value[static TILE_MAX]);
/* Element of a workgroup array that belongs to `along` of this invocation's line i. */
ir_id reduction_slot(struct reducing *r, uint32_t i, ir_id along);
uint32_t reduction_array(struct reducing *r, ir_id like); /* a workgroup array with a slot each */
/* Value i of every line into this invocation's slot; then a barrier. */
void reduction_publish(struct reducing *r, uint32_t array, const ir_id value[static TILE_MAX]);

/* ---- Passes (lower_pass.c). */
void reduction_run(struct reducing *r); /* all of them; results stand in each line */
/* The indices of the extremes instead. */
void reduction_run_index(struct reducing *r, ir_id ret_index[static TILE_MAX]);

/* ---- Writing (lower_write.c). */
void reduction_write_elements(struct reducing *r);
void reduction_write_results(struct reducing *r, const ir_id value[static TILE_MAX]);
/* Vector k of every line. condition 0: always. */
void reduction_store(
        struct reducing *r, ir_id condition, ir_id k, const ir_id value[static TILE_MAX]);
/* Element `at` of two neighbouring lines, counted from the first one's start: the line it is in,
 * and where in it. */
struct line reduction_of_pair(struct reducing *r, ir_id at, ir_id *ret_k);
/* Stores word `word` of the two lines, where it lies within out and `condition` is true. */
void reduction_store_pair(struct reducing *r, ir_id condition, ir_id word, const ir_id pair[2]);
/* Where in its line element `half` of this invocation's word of out is. */
ir_id reduction_k_of_word(struct reducing *r, uint32_t half);
void reduction_store_word(struct reducing *r, const ir_id pair[2]);

/* ---- Running sums (lower_scan.c). */
void reduction_scan(struct reducing *r);
