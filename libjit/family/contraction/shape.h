/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for a contraction, out = act(scale * a x b + bias + residual): the numbers
 * that legality, cost and lowering all need, derived from (operator, schedule) and from nothing
 * else. The axes:
 *   WG_X, WG_Y      invocations along n and m; of cooperative matrices, subgroups
 *   TILE_M, TILE_N  rows and columns of out that one of them computes
 *   SPLIT_K         invocations that divide a tile's k; of matrices, the size of a subgroup
 *   SUBGROUP        these are a subgroup
 *   VEC             the widest load, in words
 *   K_STEP, UNROLL  k of one turn of the main loop, and of one stretch of straight code in it
 *   STAGE_A, STAGE_B   a, b go through workgroup memory
 *   F16, DOT4       the features
 *   CONTRACTION_*   MATRIX and SLABS, QUAD, AHEAD: see enum contraction_form, and `ahead`
 */
#pragma once

#include "schedule/geometry.h"
#include "schedule/schedule.h"
#include "schedule/work.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTRACTION_TILE_MAX 32 /* tile_m and tile_n; their product is at most 256 */
#define CONTRACTION_GRID_MAX \
	65535 /* workgroups in a dimension: where more are needed, they take turns */

#define CONTRACTION_COPIES_MAX 16 /* loads of an invocation to stage a tile, in straight code */
#define CONTRACTION_QUAD_SIZE  4  /* invocations that swap */

struct error;
struct lower;
struct pool;

/* Who computes which of out's elements. A lowering each, in files of their own. */
enum contraction_form {
	CONTRACTION_TILE,   /* an invocation, a tile of tile_m x tile_n */
	CONTRACTION_QUAD,   /* the same; invocation l of four holds row i ^ l of a where others hold
	                     * row i: it loads each fourth row, and swaps for the three after it */
	CONTRACTION_FLAT,   /* rows of f16 pairs are odd: an invocation's pairs run on from row to
	                     * row */
	CONTRACTION_MATRIX, /* a subgroup, a tile of cooperative matrices */
};

/* What a multiply-add is. */
enum contraction_sum {
	CONTRACTION_FLOAT, /* in f32 or f16 */
	CONTRACTION_INT,   /* in i32 */
	CONTRACTION_DOT4,  /* of words of four bytes, in i32 */
};

/* What is loaded. */
enum contraction_load {
	CONTRACTION_NUMBERS, /* elements, as lower_load gives them */
	CONTRACTION_PACKED,  /* words, taken apart in registers */
	CONTRACTION_WORDS,   /* words, multiplied as they are: each counts as one element */
};

/* One of the two inputs. Its outer dimension is m for a, n for b. Vectors of its elements run along
 * k or along the outer dimension. */
struct contraction_operand {
	enum contraction_load load;
	bool along_k;   /* consecutive k are consecutive in memory; otherwise outer elements are */
	bool staged;    /* read through workgroup memory */
	bool exact;     /* no workgroup passes the edge of the outer dimension */
	uint32_t bits;  /* of an element, as stored */
	uint32_t words; /* of one packed load */
	uint32_t width; /* elements of one load */
	uint32_t lanes; /* of the vectors they are held in, in registers or workgroup memory */
	uint32_t row;   /* elements from one row of the stored matrix to the next; 0: dynamic */
	uint32_t run;   /* what divides it and the row's own elements; 0: dynamic */
	uint32_t outer; /* extent of the outer dimension, as tuned */
	uint32_t tile;  /* outer elements of one invocation */
	uint32_t group; /* how many of those stand together */
	uint32_t block; /* outer elements of one workgroup */
	uint32_t matrices;      /* matrix i of out uses i % matrices; 0: i */
	uint32_t pitch;         /* staged: vectors from one row of the array to the next */
	uint32_t shared_length; /* staged: vectors */
};

/* Where an operand of cooperative matrices stands in workgroup memory: rows of neighbouring
 * elements as the tensor has them, along k or along the outer dimension. */
struct contraction_slab {
	uint32_t rows, columns; /* in elements */
	uint32_t width;         /* elements of a vector: 8, 4 or 2 in words, or 1 as f16 */
	uint32_t pitch;  /* vectors from row to row: 16 bytes more than the row, so that eight rows
	                  * begin in different banks */
	uint32_t length; /* vectors in all slabs */
	uint32_t copies; /* vectors that an invocation fetches; the last may be left out */
};

/* Products of cooperative matrices: a subgroup computes a tile of tile_m x tile_n of out as whole
 * matrices. wg_x and wg_y count subgroups, split_k is the size of one. */
struct contraction_matrix {
	struct matrix_shape shape;
	uint32_t slabs; /* of workgroup memory, filled in turns: 1 or 2 */
	struct contraction_slab a, b;
	uint32_t sum_pitch, sum_length; /* workgroup f32s that sums go through on their way out */
};

/* A workgroup, and the turns that it takes where there are too few of them. */
struct contraction_workgroup {
	uint32_t x, y, split; /* invocations along n, m and k */
	bool k_fastest;       /* neighbouring invocations differ in k (else in n) */
	bool strided[3]; /* turns along n, m, batch: CONTRACTION_GRID_MAX workgroups take them */
	uint32_t size[3];
};

/* How out is written. */
struct contraction_out {
	bool pairs;            /* f16 as pairs, one word each */
	bool ragged;           /* pairs, and n may be odd: a row's last pair is half outside */
	bool keeps;            /* what lies outside must be kept */
	bool one_row;          /* out is a single row */
	uint32_t pitch;        /* elements from one row to the next; 0: n, which is dynamic */
	uint32_t width;        /* lanes of a store, and of a load of residual */
	uint32_t column_width; /* lanes of a load of bias and scales */
};

struct contraction {
	enum contraction_form form;
	bool nbits;       /* matmul_nbits, else matmul */
	uint32_t m, n, k; /* as tuned; k in elements of a load */
	uint32_t batch;   /* as tuned */
	bool dynamic_k;
	struct contraction_workgroup wg;
	uint32_t tile_m, tile_n; /* outputs of an invocation: tile_m x tile_n/lanes vectors */
	uint32_t vec, lanes;     /* most words of a load; lanes of an accumulator */
	uint32_t k_step, unroll;
	uint32_t scale_step; /* nbits: k that a scale is loaded for; else 0 */
	enum contraction_sum sum;
	bool half_sums; /* in f16, natively */
	bool subgroup;  /* the split's sum is a subgroup operation */
	bool ahead;     /* what is staged next is loaded before what was is multiplied */
	struct contraction_operand a, b;
	struct contraction_out out;
	struct contraction_matrix matrix; /* of CONTRACTION_MATRIX; else all 0 */
	uint32_t reduce_length; /* workgroup array elements of `lanes` lanes for the split's sum */
};

/* ---- The two operators (operators.c). */

/* Fields that both have, as values of op; those that one lacks are CONTRACTION_NONE. */
#define CONTRACTION_NONE UINT32_MAX
struct contraction_fields {
	uint32_t m, n, k, batch, bias, residual, act, pitch, scale;
};
const struct contraction_fields *contraction_fields(const struct op *op);
bool contraction_has(const struct op *op, uint32_t value);       /* false for CONTRACTION_NONE */
uint32_t contraction_known(const struct op *op, uint32_t value); /* an extent; 0: dynamic */
enum dtype contraction_dtype_a(const struct op *op);
enum dtype contraction_dtype_out(const struct op *op);
bool contraction_has_half(const struct op *op); /* some tensor is f16 */
/* A single row or column lies along k however it is stored. */
bool contraction_a_along_k(const struct op *op);
bool contraction_b_along_k(const struct op *op);
bool contraction_may_dot4(const struct op *op); /* words along k hold four products */

/* ---- What a schedule means (derive.c), and whether it makes sense (check.c). */

/* Loads that stage a tile of x, of all invocations and of one. */
static inline uint32_t contraction_loads(
        const struct contraction *c, const struct contraction_operand *x)
{
	return x->staged ? x->block * c->k_step / x->width : 0;
}
static inline uint32_t contraction_copies(
        const struct contraction *c, const struct contraction_operand *x)
{
	uint32_t threads = c->wg.x * c->wg.y;

	return (contraction_loads(c, x) + threads - 1) / threads;
}

/* Any values are safe to derive from; contraction_check says which make sense: 0, or -ERANGE and
 * err. */
struct contraction contraction_derive(const struct op *op, const struct schedule *schedule);
int contraction_check(const struct contraction *c, const struct op *op,
        const struct schedule *schedule, struct error *err);

/* ---- Cooperative matrices (matrix.c). */

bool contraction_may_matrix(const struct op *op); /* f16 by f16 of static k */
/* Once the operands are derived. */
struct contraction_matrix contraction_matrix_derive(
        const struct contraction *c, const struct schedule *schedule);
int contraction_matrix_check(const struct contraction *c, const struct op *op,
        const struct schedule *schedule, struct error *err);
uint32_t contraction_matrix_bytes(const struct contraction *c);
uint32_t contraction_matrix_instructions(const struct contraction *c);
struct work contraction_matrix_work(const struct contraction *c, const struct op *op);
/* Fills *ret_schedule with number `i` of those worth offering for matrices of this shape in
 * subgroups of this size. False: no more. */
bool contraction_matrix_offer(
        struct matrix_shape shape, uint32_t subgroup, uint32_t i, struct schedule *ret_schedule);

/* ---- The family's functions, as schedule/family.h has them; family.c lists them. */

/* Schedules differ in kind by where their operands come from and how k is split. */
enum contraction_kind {
	CONTRACTION_KIND_DIRECT,
	CONTRACTION_KIND_STAGED,
	CONTRACTION_KIND_SPLIT,
	CONTRACTION_KIND_SUBGROUP,
	CONTRACTION_KIND_MATRIX,
	CONTRACTION_KIND_QUAD,
	CONTRACTION_KIND_COUNT
};
union family_shape;
int contraction_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err);
void contraction_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work);
void contraction_offer(struct pool *pool);
struct schedule contraction_baseline(const struct op *op);
bool contraction_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule);
void contraction_lower(struct lower *l);
