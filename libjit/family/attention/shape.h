/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for attention: the numbers that legality, cost and lowering share, derived
 * once here from (operator, schedule) and from nothing else.
 *
 * The heads of q that share a head of k and v are taken together: to a head of k and v belong
 * group * q *rows*, row number r being position r / group of its head number r % group. Whoever
 * owns neighbouring rows reads k and v once for all of them, also where q is 1. m is the rows, n
 * the elements of a head, k the keys:
 *   WG_X     row tiles of a workgroup
 *   TILE_M   rows of a tile
 *   SPLIT_K  invocations of a tile, a *team*. 1: each owns its tile alone, q and out in registers.
 *            More: each scores keys of its own, the weights go through workgroup memory, and then
 *            each accumulates elements of its own
 *   K_STEP   keys that an invocation scores in one turn; if it is alone and k and v are staged,
 *            the keys that are staged in one turn
 *   UNROLL   alone: keys scored at once, divides K_STEP. A team: vectors of a head that a turn of
 *            the scores' loop consumes at most
 *   VEC      lanes of a load along a head, divides dim
 *   STAGE_A, STAGE_B   q; k and v go through workgroup memory
 *   SUBGROUP a team is a subgroup, and takes maxima and sums by it
 */
#pragma once

#include "schedule/geometry.h"
#include "schedule/schedule.h"
#include "schedule/work.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTENTION_TILE_MAX         16
#define ATTENTION_STEP_MAX         32
#define ATTENTION_SPLIT_MAX        256
#define ATTENTION_ACCUMULATORS_MAX 512 /* vectors of an invocation */

struct error;
struct lower;
struct pool;

/* How the mask's rows are numbered: in the order of op.def's choice. */
enum attention_mask { MASK_NONE, MASK_KEY, MASK_PAIR, MASK_HEAD, MASK_FULL };

/* Who owns a tile of rows. A lowering each. */
enum attention_form {
	ATTENTION_ALONE, /* one invocation */
	ATTENTION_TEAM,  /* `split` invocations */
	ATTENTION_PAIR,  /* f16 in words, rows of odd length: a team that owns two rows of out which
	                  * are neighbours in memory, whosever they are, one after the other */
};

/* The operator, as it is tuned. */
struct attention_op {
	uint32_t batch, kv_heads, group, q, kv; /* group: heads of q to one of k and v */
	enum attention_mask mask;
	bool causal, positions_first /* bshd */;
};

/* How a team divides its work; of ATTENTION_ALONE all 0. */
struct attention_team {
	uint32_t inner;         /* vectors consumed by a turn of the scores' loop; divides chunks */
	uint32_t across, parts; /* split = across * parts: along a head, along the keys */
	uint32_t each;          /* vectors of a row that an invocation accumulates */
	uint32_t weight_width;  /* keys of one load of the weights */
	uint32_t weight_loads;  /* of a row, in one turn of the loop over the weights */
	uint32_t slots;         /* of a tile, where its invocations exchange maxima and sums */
};

/* Workgroup arrays, in elements. */
struct attention_arrays {
	uint32_t pitch;         /* of staged k and v: from one key to the next */
	uint32_t vector_length; /* of `width` lanes: staged k and v, or what is summed at the end */
	uint32_t q_length;      /* of `width` lanes */
	uint32_t weight_length; /* of `weight_width` lanes */
	uint32_t exchange_length; /* of `lanes` lanes: the slots of all tiles */
};

struct attention {
	enum attention_form form;
	struct attention_op op;
	uint32_t width, chunks; /* a head is `chunks` vectors of `width` lanes */
	uint32_t mask_width;    /* keys of one load of the mask */
	uint32_t tiles, tile, split, step, unroll;
	bool stage_q, stage_kv, subgroup, native /* f16 */;
	uint32_t lanes, packs; /* what every row has one of stands in `packs` vectors */
	uint32_t block;        /* keys a tile consumes in one turn */
	bool clamped, hidden;  /* keys may stand beyond kv; or beyond what a row sees */
	struct attention_team team;
	struct attention_arrays arrays;
	uint32_t workgroup_size[2];
};

/* 0, or -ERANGE and err where the axes' values make no sense for op, before anything is divided or
 * multiplied (check.c). */
int attention_check(const struct op *op, const struct schedule *schedule, struct error *err);
/* 0, or -ERANGE and err where the schedule is not well-formed for op; any values are safe. */
int attention_derive(const struct op *op, const struct schedule *schedule,
        struct attention *ret_attention, struct error *err);

/* Instructions once unrolled, where a driver sees vectors; and lanes of loads, stores and, at a
 * quarter, products, where it takes vectors apart (cost.c). */
uint32_t attention_instructions(const struct attention *a, const struct op *op);
uint32_t attention_lanes(const struct attention *a);

/* ---- The family's functions, as schedule/family.h has them; family.c lists them. */

/* Kinds of schedules: by who owns a tile, and through what k and v go. */
enum attention_kind {
	ATTENTION_KIND_ALONE,
	ATTENTION_KIND_ALONE_STAGED,
	ATTENTION_KIND_TEAM,
	ATTENTION_KIND_TEAM_STAGED,
	ATTENTION_KIND_COUNT
};
union family_shape;
int attention_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err);
void attention_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work);
void attention_offer(struct pool *pool);
struct schedule attention_baseline(const struct op *op);
bool attention_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule);
void attention_lower(struct lower *l);
