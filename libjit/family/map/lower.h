/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the map family's lowering: a position in out, operands read there, and one
 * function a signature of op.def that computes the values of a position. Calls go down only:
 * lower.c to flat and transpose, flat to value and window, all of them to load.
 */
#pragma once

#include "lower/lower.h"
#include "family/map/shape.h"

struct mapper {
	struct lower *l;
	struct ir_builder *b;
	struct map map;
	bool guarded; /* the grid may pass the end */
};

/* Neighbouring elements of out. */
struct position {
	uint32_t lanes;              /* how many: map.vec, or 1 */
	ir_id vector;                /* number of the vector they are in */
	ir_id index;                 /* their number, counted in `lanes` */
	ir_id at[MAP_DIMS_MAX];      /* their position; of the last dimension counted in `lanes` */
	uint32_t lane;               /* lanes 1: which of the vector */
	const struct position *each; /* where they differ in more than the last dimension by 1: the
	                              * position of each */
};

/* ---- Numbers and operands (lower_load.c). */
/* size / by, where that is whole. */
static inline struct map_size map_divided(struct map_size size, uint32_t by)
{
	return (struct map_size){size.times / by, size.dims};
}
/* `size` as a value. */
ir_id map_size_value(struct mapper *m, struct map_size size);
/* The operand's elements at a position, as many as it has. */
ir_id map_load(struct mapper *m, uint32_t view, const struct position *p);
/* Neighbouring elements of a free operand's tensor: number `at`, counted in `lanes` of them. */
ir_id map_load_run(struct mapper *m, uint32_t tensor, ir_id at, uint32_t lanes);
/* The number as out's element type holds it, in `lanes` lanes. */
ir_id map_literal(struct mapper *m, double value, uint32_t lanes);

/* ---- Values (lower_value.c, lower_window.c). */
/* The values of a position: of all its lanes, or, where plan.separate, of a position without
 * `each`. */
typedef ir_id map_value(struct mapper *m, const struct position *p);
map_value map_value_elementwise, map_value_cast, map_value_batchnorm, map_value_quantise,
        map_value_gate, map_value_operand, map_value_rotary, map_value_gather, map_value_concat,
        map_value_pad, map_value_resize, map_value_window;

/* Whether a part of a table has what the position asks for. */
ir_id map_gather_finds(struct mapper *m, const struct position *p);

/* ---- The forms of a schedule (lower_flat.c, lower_transpose.c). */
void map_lower_flat(struct mapper *m);
void map_lower_transpose(struct mapper *m);
