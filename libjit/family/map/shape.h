/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule means for a map: which positions out has, where each operand's elements stand,
 * and how out is cut into vectors. Out is one flat line of vectors of `vec` elements; n is the
 * position on it, m counts vectors of one invocation that stand a workgroup apart, and k is the
 * direction in which x's neighbours stand where a transpose moves them.
 *   tile_m = 1   an invocation does tile_n neighbouring elements
 *   tile_n = vec an invocation does tile_m vectors, neighbouring invocations neighbouring ones
 * A transpose whose last dimension moves may instead go in tiles: k_step by tile_n elements of one
 * invocation in registers, or (stage_a) square tiles of a workgroup through its memory.
 */
#pragma once

#include "schedule/geometry.h"
#include "schedule/schedule.h"
#include "schedule/work.h"

#define MAP_DIMS_MAX      12 /* tile makes two of each */
#define MAP_VIEWS_MAX     6
#define MAP_TAPS_UNROLLED 16 /* windows of more are loops */

/* `times`, times those of the operator's dynamic dimensions whose bits are set. */
struct map_size {
	uint32_t times;
	uint8_t dims;
};

/* How an operand is read. Its element for a position of out is offset + sum of position[i] *
 * stride[i]; or, if it is free, wherever the operator's value function says. */
struct map_view {
	uint32_t tensor;
	bool flat; /* as out lies: no position is needed */
	bool free;
	uint32_t lanes_each; /* free: lanes of out for each lane of it; 0: elements one by one */
	struct map_size offset, stride[MAP_DIMS_MAX];
};

/* What an operator says (map_plan.c). */
struct map_plan {
	uint32_t dims; /* of out, outermost first; neighbours that all operands treat alike are one
	                */
	struct map_size size[MAP_DIMS_MAX];
	struct map_size elements;
	uint32_t unit; /* a vector may be computed at once where its length divides this, which
	                * divides the last dimension; at least the static part of it */
	bool moves;    /* out's elements are operands' elements as they are, or constants */
	bool separate; /* otherwise values are computed one by one, not their operands gathered */
	bool partial;  /* some rows of out are another kernel's: vectors stay within a row */
	uint32_t views;
	struct map_view view[MAP_VIEWS_MAX];
	uint32_t before[MAP_DIMS_MAX], extent[MAP_DIMS_MAX]; /* of pad: x within out */
	double cost; /* of one element's value, in multiply-adds; loads left out */
	double taps; /* elements that it takes of each free operand */
};
struct map_plan map_plan(const struct op *op);

enum map_form { MAP_FLAT, MAP_REGISTERS, MAP_STAGED };

struct map {
	struct map_plan plan;
	enum map_form form;
	uint32_t vec;                   /* lanes of a store */
	uint32_t lanes[OP_TENSORS_MAX]; /* of a load or store of each tensor */
	bool whole;  /* a vector's elements differ in the last dimension alone, by 1 each */
	bool ragged; /* the last vector may be partly behind the end */
	bool line;   /* all operands are flat or a single number: no vector needs a position */
	/* Flat. */
	uint32_t wg_x;
	uint32_t vectors,
	        unroll; /* of an invocation: in all, in one turn; unroll divides vectors */
	bool strided;   /* they stand wg_x apart, else side by side */
	/* Transposes in tiles. */
	uint32_t moved; /* the dimension in which x's neighbours stand */
	uint32_t wg_y;
	uint32_t tile_n, tile_k;   /* elements of one invocation in registers, or rows staged */
	uint32_t block_n, block_k; /* elements of a workgroup */
};

/* 0, or -ERANGE and err where the schedule is not well-formed for op. */
struct error;
int map_derive(const struct op *op, const struct schedule *schedule, struct map *ret_map,
        struct error *err);

/* The dimension in which x's neighbours stand, of a transpose that moves them; else plan->dims. */
uint32_t map_moved(const struct op *op, const struct map_plan *plan);
/* x as one dimension's size times another's. */
struct map_size map_times(struct map_size x, struct map_size y);
/* Workgroups that do `over` elements each. */
struct extent map_extent(struct map_size size, uint64_t over);

/* ---- The family's functions, as schedule/family.h has them; family.c lists them. */

/* Schedules differ in kind by how an invocation's vectors stand. */
enum map_kind {
	MAP_KIND_STRIDED,
	MAP_KIND_CHUNK,
	MAP_KIND_STAGED,
	MAP_KIND_REGISTERS,
	MAP_KIND_COUNT
};

struct lower;
struct pool;
union family_shape;
int map_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err);
void map_cost(const struct op *op, const struct schedule *schedule, const union family_shape *shape,
        struct work *ret_work);
void map_offer(struct pool *pool);
struct schedule map_baseline(const struct op *op);
bool map_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule);
void map_lower(struct lower *l);
