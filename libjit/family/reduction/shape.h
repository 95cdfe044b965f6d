/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions as data, and what a schedule means for one: the numbers that legality, cost and
 * lowering all need, derived once here from (operator, schedule) and from nothing else.
 *
 * Words: x is [rows,n,inner]; a *line* is what is reduced, n elements of one row and one column of
 * inner; *vectors* are `vec` neighbours: along the line where inner is 1 (each line then has
 * n / vec of them), else across it (vec lines side by side, with n vectors).
 *
 * The axes:
 *   wg_x     invocations that share a line (a power of two); they take its vectors in turn
 *   wg_y     lines of a workgroup, times tile_m
 *   tile_m   neighbouring lines of an invocation
 *   tile_n   elements of a line that an invocation takes in one turn of its loop. A line that one
 *            turn of all invocations covers is read once and stays in registers
 *   vec      lanes of a load
 *   k_step   with wg_x > 1: partial results that an invocation joins between two barriers; 2 is
 *            the textbook's tree, wg_x needs a single barrier
 *   subgroup partial results are joined by subgroup operations; the workgroup is one subgroup
 *   f16      as ever; without it f16 is written in pairs, see enum reduction_owner
 */
#pragma once

#include "schedule/geometry.h"
#include "schedule/schedule.h"
#include "schedule/work.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- The table: one row an operator. */

/* TOP is a maximum that something is measured against: no less than -FLT_MAX, even of nothing but
 * -inf. It may pass NaN over, which what is measured shows anyway. */
enum reduction_join { JOIN_NONE, JOIN_ADD, JOIN_MUL, JOIN_MIN, JOIN_MAX, JOIN_TOP };

/* Steps of enum scalar in reverse Polish notation. Their operands: X the element (scaled, masked,
 * the residual added), Y and Z the results of the first and second pass, ALPHA the operator's eps,
 * BETA 1 / n. */
#define REDUCTION_STEPS 10
struct reduction_pass {
	enum reduction_join join;        /* NONE: there is no such pass */
	uint8_t term[REDUCTION_STEPS];   /* what is joined */
	uint8_t result[REDUCTION_STEPS]; /* what becomes of what was joined; empty: nothing */
	float least;                     /* 0: as it is; else what was joined counts as no less,
	                                  * and as NaN where it is no finite number */
};

/* What is written: a number a line (`write` of the results), the index of the first pass's
 * extreme, `write` of every element, or the running sum at every element. */
enum reduction_output { OUTPUT_RESULTS, OUTPUT_INDICES, OUTPUT_ELEMENTS, OUTPUT_RUNNING };

/* How the second pass can be done along with the first, so that a line too long to be kept is read
 * once less: it sums exponentials relative to the maximum so far, and shrinks the sum as that grows
 * (Milakov and Gimelshein 2018); or `pass[2]` stands for it, whose term needs no result. */
enum reduction_online { ONLINE_NONE, ONLINE_EXPONENTIALS, ONLINE_APART };

struct reduction_row {
	enum reduction_output output;
	enum reduction_online online;
	struct reduction_pass pass[3];
	uint8_t write[REDUCTION_STEPS];
	/* Elements are taken relative to one of the line's own, which leaves nothing to cancel
	 * where the mean is far from 0 (Chan, Golub and LeVeque 1983). */
	bool shifted;
};
const struct reduction_row *reduction_row(const struct op *op);

/* ---- A schedule's meaning. */

#define REDUCTION_TILE_MAX    8  /* tile_m */
#define REDUCTION_VECTORS_MAX 64 /* of a turn, all lines of the invocation together */
#define REDUCTION_RADIX_MAX   64 /* k_step */

/* Who writes what. A word of f16 pairs must be written by one invocation: where lines have odd
 * lengths that is one that has both lines beside a seam (PAIRS, inner 1), or one that has a word of
 * out and finds the results of its two lines anew (WORDS: slow, and the last resort). */
enum reduction_owner { OWNER_LINES, OWNER_PAIRS, OWNER_WORDS };

struct reduction {
	const struct reduction_row *row;
	struct op_lines lines;
	struct op_extent count, columns; /* vectors of a line; of a row's columns */
	uint32_t wg_x, wg_y, tile_m, vec, radix;
	uint32_t vectors;   /* of a line and a turn, for one invocation */
	bool across;        /* vectors stand across the line */
	bool lines_fastest; /* neighbouring invocations have neighbouring lines */
	bool straight;      /* one turn covers any line */
	bool subgroup;
	enum reduction_owner owner;
	uint32_t out_width; /* lanes of a store */
};
/* Any values are safe to derive from; reduction_check says which are well-formed: 0, or -ERANGE and
 * err. */
struct error;
struct reduction reduction_derive(const struct op *op, const struct schedule *schedule);
int reduction_check(const struct reduction *r, struct error *err);

static inline bool reduction_is_constant(const struct op *op, struct op_extent extent)
{
	return extent.value == OP_CONSTANT || op_dynamic_at(op, extent.value) < 0;
}
/* As it is tuned, or, where it is no constant, at its greatest. */
uint32_t reduction_tuned(const struct op *op, struct op_extent extent);
uint32_t reduction_most(const struct op *op, struct op_extent extent);

/* ---- The family's functions, as schedule/family.h has them; family.c lists them. */

/* Schedules differ in kind by who has a line. */
enum reduction_kind {
	REDUCTION_KIND_ALONE,
	REDUCTION_KIND_WORKGROUP,
	REDUCTION_KIND_SUBGROUP,
	REDUCTION_KIND_COUNT
};

struct lower;
struct pool;
union family_shape;
int reduction_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err);
void reduction_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work);
void reduction_offer(struct pool *pool);
struct schedule reduction_baseline(const struct op *op);
bool reduction_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule);
void reduction_lower(struct lower *l);
