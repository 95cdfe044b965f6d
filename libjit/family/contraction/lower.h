/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction being lowered, for the lower*.c of this room and nobody else. lower.c strings the
 * steps together; each section below is one file's, and a file calls only those further up here.
 * The whole kernel of cooperative matrices is lower_matrix.c's.
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
#define GEMM_UNROLL 32         /* k of one turn, at most */
#define GEMM_2_23   8388608.0f /* what unpacked integers are relative to */

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
	ir_id slot[GEMM_TILE];            /* staged: the same in the workgroup array */
	ir_id held[GEMM_TILE][GEMM_HELD]; /* the vectors last read; a quad's: of all of a turn */
	struct ref refs[GEMM_TILE];       /* the tile's elements at the k last fetched */
};

/* 4-bit weights, one a column of the tile. */
struct weights {
	uint32_t scales, zeros; /* bindings; zeros may be GEMM_NONE */
	uint32_t blocks;        /* of a column */
	ir_id column[GEMM_TILE];
	ir_id scale[GEMM_TILE], zero[GEMM_TILE]; /* of the block last begun; zero: of four lanes */
};

/* CONTRACTION_FLAT: pairs that run on from row to row. */
struct flat {
	ir_id first, end;              /* element of out; elements of out */
	ir_id column[GEMM_TILE];       /* of each element, at most the last */
	ir_id inside[GEMM_TILE];       /* whether it is an element of the product */
	ir_id next_row[GEMM_TILE / 2]; /* of each pair: which of the two lie in the row after */
};

/* This invocation, within its workgroup. */
struct local {
	ir_id x, y, k; /* along n, m and k */
	ir_id thread;  /* linear within (x, y) */
};

/* Bindings of what comes after the product; GEMM_NONE where there is no such tensor. */
struct epilogue {
	uint32_t scales; /* of i8 weights */
	uint32_t bias, residual, out;
};

struct gemm {
	struct lower *l;
	struct ir_builder *b;
	const struct op *op;
	struct contraction c;
	const struct gemm_form *form; /* NULL: matrices */
	struct operand left, right;   /* a, b */
	struct weights weights;
	struct flat flat;
	struct epilogue epilogue;
	uint32_t reduce;      /* workgroup array */
	ir_id m, n, k, batch; /* extents; k in elements of a load */
	ir_id matrix;         /* which of the batch */
	struct local local;
	uint32_t vectors;                /* accumulators in a row: tile_n / lanes */
	enum ir_scalar number;           /* what sums are kept in */
	ir_id acc[GEMM_TILE][GEMM_TILE]; /* variables */
};

/* What a form does in a way of its own. */
struct gemm_form {
	/* Where in memory the workgroup's matrix, blocks and tile elements are. */
	void (*position)(struct gemm *g);
	/* Row of the block that row i of the tile is; NULL: no row is one invocation's. */
	ir_id (*row)(struct gemm *g, uint32_t i);
	/* sum += a x b over from..to of the turn at k. */
	void (*multiply)(
	        struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE]);
	void (*store)(struct gemm *g);
};

static inline bool gemm_dequantises(const struct gemm *g) /* while multiplying, not staging */
{
	return g->c.nbits && !g->c.b.staged;
}

/* ---- lower_position.c */
/* Local ids and extents. */
void gemm_measure(struct gemm *g);
void gemm_measure_operands(struct gemm *g); /* the operands' strides */
/* The workgroup's matrix and blocks. Opens the loops in which workgroups take turns. */
void gemm_position_blocks(struct gemm *g);
/* Ends them. Workgroup memory is used again in the next turn. */
void gemm_end_turns(struct gemm *g);
/* Outer elements that one load covers. */
uint32_t gemm_span(const struct contraction_operand *x);
/* min(position, last), left out where no workgroup passes the edge. */
ir_id gemm_clamp(struct gemm *g, const struct operand *x, ir_id position, uint32_t elements);
/* Load index at outer position `position` and k = 0. */
ir_id gemm_origin(struct gemm *g, const struct operand *x, ir_id position);
/* Loads of one matrix of x, and which of them matrix number `matrix` of out is made of. */
ir_id gemm_matrix_size(struct gemm *g, const struct operand *x);
ir_id gemm_matrix_of(struct gemm *g, const struct operand *x, ir_id matrix);
/* Column of the block that column i of the tile is. */
ir_id gemm_column(struct gemm *g, uint32_t i);
/* Where every `each`-th read of the tile's elements is, from the first. */
void gemm_position_operand(struct gemm *g, struct operand *x, uint32_t each);

/* ---- lower_load.c */
void gemm_bind_operands(struct gemm *g); /* a and b, the first tensors */
/* The vectors of the load at `at`; of 4-bit weights less `zero`. */
void gemm_load(struct gemm *g, const struct operand *x, ir_id at, ir_id zero, ir_id vectors[]);

/* ---- lower_weights.c */
void gemm_bind_weights(struct gemm *g); /* the tensors right after a and b */
/* Scales and zero points of the tile's columns at k. */
void gemm_begin_block(struct gemm *g, ir_id k);
/* What makes numbers of a load of weights of one column: (load - zero) * factor. */
struct dequant {
	ir_id zero, factor; /* of four lanes */
};
struct dequant gemm_dequant(struct gemm *g, ir_id column, ir_id k);
/* `width` elements of a at kk, kk + 1, ... made as much smaller as unscaled weights are too large.
 */
void gemm_shrink(struct gemm *g, ir_id vectors[], uint32_t width, uint32_t kk);

/* ---- lower_fetch.c */
/* Loads what the tile needs of x at x->k + k + kk, from workgroup or from global memory. Vectors
 * along k are kept for the turns of kk that they cover. */
void gemm_fetch(struct gemm *g, struct operand *x, ir_id k, uint32_t kk);
/* Of an operand along k: how far the load at k + kk is from an element's load at k = 0. */
struct step {
	ir_id vectors;
	uint32_t kk;
};
struct step gemm_step_along_k(struct gemm *g, const struct operand *x, ir_id k, uint32_t kk);
/* The vectors of element i there. */
void gemm_read_along_k(struct gemm *g, const struct operand *x, uint32_t i, const struct step *step,
        ir_id vectors[]);

/* ---- lower_multiply.c */
void gemm_begin_sums(struct gemm *g);
/* `lanes` neighbouring elements of the tile of b, those of vector j, as one. */
ir_id gemm_right(struct gemm *g, uint32_t j);
/* A scalar in all lanes of an accumulator. */
ir_id gemm_splat(struct gemm *g, struct ref ref);
/* sum + left * right; sum may be 0. */
ir_id gemm_multiply_add(struct gemm *g, ir_id left, ir_id right, ir_id sum);
void gemm_multiply_tile(
        struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE]);
/* acc += a[k..k+count) x b[k..k+count) */
void gemm_multiply(struct gemm *g, ir_id k, uint32_t count);
/* for (k = from; k < to; k += step) multiply(step) */
void gemm_multiply_range(struct gemm *g, ir_id from, ir_id to, uint32_t step);

/* ---- lower_direct.c: the loops over k where nothing is staged. */
void gemm_accumulate_direct(struct gemm *g);

/* ---- lower_copy.c: a tile's way into workgroup memory. */
/* What an invocation copies of the tile of x at k: loads first + i * threads for i < count. */
struct copies {
	const struct operand *x;
	ir_id k, first;
	uint32_t count, sure; /* those from `sure` on are copied if there are that many */
};
/* Where one load comes from and goes to. */
struct copy {
	ir_id position, k; /* of the outer dimension; along k */
	ir_id inside;      /* whether k is; 0: it always is */
	ir_id slot;        /* vector of the workgroup array */
};
struct copies gemm_copies(struct gemm *g, const struct operand *x, ir_id k); /* all of them */
/* Begins copy i, inside an IF where it may not be there. */
struct copy gemm_begin_copy(struct gemm *g, const struct copies *all, uint32_t i);
void gemm_end_copy(struct gemm *g, const struct copies *all, uint32_t i);
/* From memory to registers, and on to workgroup memory. */
void gemm_copy_in(
        struct gemm *g, const struct operand *x, const struct copy *copy, ir_id ret_vectors[]);
void gemm_copy_out(
        struct gemm *g, const struct operand *x, const struct copy *copy, const ir_id vectors[]);

/* ---- lower_stage.c: the loop over k where operands are staged. */
void gemm_accumulate_staged(struct gemm *g);
/* A turn of it: an operand that is not staged is read at k; then the multiplication, once the
 * tiles are in workgroup memory. */
void gemm_begin_turn(struct gemm *g, ir_id k);
void gemm_multiply_staged(struct gemm *g);

/* ---- lower_ahead.c: the same, with the next tiles on their way meanwhile. */
void gemm_accumulate_ahead(struct gemm *g);

/* ---- lower_store.c */
void gemm_bind_outputs(struct gemm *g); /* the tensors after a, b and the weights' */
void gemm_reduce(struct gemm *g);       /* the split's sum: invocation 0 along k ends with it */
void gemm_store_tile(struct gemm *g);
/* Stores out.width lanes of a sum at this row and column, unless they lie outside. */
void gemm_store_vector(struct gemm *g, ir_id sum, ir_id row, ir_id column);
/* act(scale * sum + bias + residual) of out.width lanes: at these columns, at vector `at` of out.
 */
ir_id gemm_epilogue(struct gemm *g, ir_id sum, const ir_id columns[], ir_id at);
/* Writes of a pair only what is inside. */
void gemm_merge(struct gemm *g, ir_id at, ir_id pair, ir_id first, ir_id second);

/* ---- The forms: lower_position.c (the tile's), lower_quad.c, lower_flat.c, lower_matrix.c */
void gemm_position_tile(struct gemm *g);
ir_id gemm_tile_row(struct gemm *g, uint32_t i);
void gemm_position_quad(struct gemm *g);
ir_id gemm_quad_row(struct gemm *g, uint32_t i);
void gemm_multiply_quad(
        struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE]);
void gemm_position_flat(struct gemm *g);
void gemm_multiply_flat(
        struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE]);
void gemm_store_flat(struct gemm *g);
void gemm_by_matrices(struct gemm *g); /* the whole kernel */
