/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction being lowered, shared by the files that do it and by nobody else: contraction.c
 * (the loops), contraction_load.c (from memory to numbers in registers), contraction_stage.c
 * (through workgroup memory), contraction_flat.c (f16
 * pairs that run on from row to row), contraction_store.c (the split's sum and the epilogue).
 *
 * Words: an operand's *outer* dimension is m for a and n for b; a *ref* names one scalar within a
 * loaded vector; an operand's `lanes` are those of its vectors, the contraction's those of an
 * accumulator.
 */
#pragma once

#include "lower/lower.h"
#include "family/contraction/shape.h"

#define GEMM_TILE   CONTRACTION_TILE_MAX
#define GEMM_HELD   32 /* vectors of one load, at most: as many as elements */
#define GEMM_NONE   OP_TENSORS_MAX
#define GEMM_UNROLL 32 /* k of one turn, at most */

struct ref {
	ir_id vector;
	uint32_t lane;
};

struct operand {
	const struct contraction_operand *shape;
	uint32_t binding, shared;
	ir_id outer;                      /* extent of the outer dimension */
	ir_id stride;                     /* loads from one row of the stored matrix to the next */
	ir_id matrix;                     /* load index of this matrix's first */
	ir_id workgroup;                  /* first outer element of the workgroup's block */
	ir_id k;                          /* that fetch counts from; 0 where staged */
	ir_id origin[GEMM_TILE];          /* direct: load index of each tile element at k = 0 */
	ir_id place[GEMM_TILE];           /* staged: the same in the workgroup array */
	ir_id held[GEMM_TILE][GEMM_HELD]; /* the vectors last read; a quad's: of all of a turn */
	struct ref refs[GEMM_TILE];       /* the tile's elements at the k last fetched */
	/* Variables: the vectors of each copy of the next tile to be staged. */
	ir_id ahead[CONTRACTION_COPIES_MAX][GEMM_HELD];
};

/* 4-bit weights, one a column of the tile. */
struct weights {
	uint32_t scales, zeros; /* bindings; zeros may be GEMM_NONE */
	uint32_t blocks;        /* of a column */
	ir_id column[GEMM_TILE];
	ir_id scale[GEMM_TILE], zero[GEMM_TILE]; /* of the block last begun; zero: of four lanes */
};

/* Pairs that run on from row to row. */
struct flat {
	ir_id first, end;              /* element of out; elements of out */
	ir_id column[GEMM_TILE];       /* of each element, at most the last */
	ir_id inside[GEMM_TILE];       /* whether it is an element of the product */
	ir_id next_row[GEMM_TILE / 2]; /* of each pair: which of the two lie in the row after */
};

struct gemm {
	struct lower *l;
	struct ir_builder *b;
	const struct op *op;
	struct contraction c;
	struct operand left, right; /* a, b */
	struct weights weights;
	struct flat flat;
	uint32_t scales, bias, residual, out;    /* bindings; GEMM_NONE; scales of i8 weights */
	uint32_t reduce;                         /* workgroup array */
	ir_id m, n, k, batch;                    /* extents; k in elements of a load */
	ir_id matrix;                            /* which of the batch */
	ir_id local_x, local_y, local_k, thread; /* thread: linear within (x, y) */
	uint32_t vectors;                        /* accumulators in a row: tile_n / lanes */
	enum ir_scalar number;                   /* what sums are kept in */
	ir_id acc[GEMM_TILE][GEMM_TILE];         /* variables */
};

static inline bool gemm_dequantises(const struct gemm *g) /* while multiplying, not staging */
{
	return g->c.nbits && !g->c.b.staged;
}

/* Whether tile element i of x is another invocation's, swapped for. */
static inline bool gemm_swaps(const struct gemm *g, const struct operand *x, uint32_t i)
{
	return g->c.quad && x == &g->left && i % CONTRACTION_QUAD;
}

/* ---- contraction.c */
/* Extents, the invocation's place, the workgroup's matrix and blocks, once tensors are bound. */
void gemm_place_workgroup(struct gemm *g);
/* Ends the loops in which workgroups take turns. Workgroup memory is used again in the next. */
void gemm_end_turns(struct gemm *g);

/* ---- contraction_matrix.c */
void gemm_by_matrices(struct gemm *g); /* the whole kernel */

/* ---- contraction_load.c */
void gemm_bind_operands(struct gemm *g); /* a and b, the first tensors */
void gemm_bind_weights(struct gemm *g);  /* those right after them */
/* Outer elements that one load covers. */
uint32_t gemm_span(const struct contraction_operand *x);
/* min(position, last), left out where no workgroup passes the edge. */
ir_id gemm_clamp(struct gemm *g, const struct operand *x, ir_id position, uint32_t elements);
/* Load index at outer position `position` and k = 0. */
ir_id gemm_origin(struct gemm *g, const struct operand *x, ir_id position);
/* Outer position within the block of tile element i; of those swapped for, where they came from. */
ir_id gemm_tile_position(struct gemm *g, const struct operand *x, uint32_t i);
/* Loads what the tile needs of x at x->k + k + kk, from workgroup or from global memory. Vectors
 * along k are kept for the turns of kk that they cover. */
void gemm_fetch(struct gemm *g, struct operand *x, ir_id k, uint32_t kk);
/* Of a quad's a: row i alone, which must be asked for in ascending order of i, and for each of kk.
 */
struct ref gemm_fetch_row(struct gemm *g, struct operand *x, uint32_t i, ir_id k, uint32_t kk);
/* Scales and zero points of the tile's columns at k. */
void gemm_begin_block(struct gemm *g, ir_id k);
/* The vectors of the load at `at`; 4-bit weights less `zero`, or also times their scale. */
void gemm_load(struct gemm *g, const struct operand *x, ir_id at, ir_id zero, ir_id vectors[]);
void gemm_load_weights(
        struct gemm *g, const struct operand *x, ir_id column, ir_id k, ir_id at, ir_id vectors[]);

/* ---- contraction_stage.c */
/* All invocations copy the workgroup's tile of x at k into workgroup memory. */
void gemm_stage(struct gemm *g, struct operand *x, ir_id k);
/* The same in two halves, with time between them: from memory to variables, and on from there. */
void gemm_begin_ahead(struct gemm *g, struct operand *x); /* makes the variables */
void gemm_fetch_ahead(struct gemm *g, struct operand *x, ir_id k);
void gemm_put_ahead(struct gemm *g, struct operand *x);

/* ---- contraction_flat.c */
void gemm_place_flat(struct gemm *g);
/* What pair j of b is multiplied with. */
ir_id gemm_flat_left(struct gemm *g, uint32_t j);
void gemm_finish_flat(struct gemm *g);

/* ---- contraction_store.c */
void gemm_bind_outputs(struct gemm *g); /* the tensors after a, b and the weights' */
void gemm_reduce(struct gemm *g);       /* the split's sum: invocation 0 along k ends with it */
void gemm_finish(struct gemm *g);
/* Finishes out_width lanes of a sum at this row and column, unless they lie outside. */
void gemm_finish_vector(struct gemm *g, ir_id sum, ir_id row, ir_id column);
/* act(scale * sum + bias + residual) of out_width lanes: at these columns, at vector `at` of out.
 */
ir_id gemm_epilogue(struct gemm *g, ir_id sum, const ir_id columns[], ir_id at);
/* Writes of a pair only what is inside. */
void gemm_merge(struct gemm *g, ir_id at, ir_id pair, ir_id first, ir_id second);
