/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function of scalar.def at the edges of its numbers: a kernel of one function over all
 * combinations of the values below, and what may come out by the double meaning. Header-only, for
 * tests on the interpreter and on devices.
 *
 * A denormal may count as 0: an operand that is one may lie anywhere from there to the least normal
 * number. So may a result.
 */
#pragma once

#include "ir/ir.h"
#include "lower/lower.h"
#include "op/op.h"
#include "reference/reference.h"

#include <float.h>
#include <math.h>

static const float edge_values[] = {-INFINITY, -FLT_MAX, -1e20f, -5.6e7f, -80, -20, -2.5f, -1,
        -0.5f, -1e-30f, -1e-40f, -0.0f, 0, 1e-40f, 1e-30f, 0.5f, 1, 2, 3, 20, 89, 104, 3e5f, 4.9e7f,
        5.6e7f, 1e20f, FLT_MAX, INFINITY, NAN};
#define EDGE_VALUES (sizeof edge_values / sizeof *edge_values)
/* Combinations of up to three operands; rounded up to whole workgroups. */
#define EDGE_GROUP 64
#define EDGE_MOST \
	((EDGE_VALUES * EDGE_VALUES * EDGE_VALUES + EDGE_GROUP - 1) / EDGE_GROUP * EDGE_GROUP)

struct edges {
	enum scalar function;
	uint32_t arity, count; /* combinations, a multiple of EDGE_GROUP */
};

static inline bool edge_is_logic(enum scalar function, uint32_t operand)
{
	const struct scalar_info *info = scalar_info(function);

	return info->takes == TAKES_LOGIC || (info->takes == TAKES_CHOICE && !operand);
}

static inline struct edges edges_of(enum scalar function)
{
	struct edges edges = {.function = function, .arity = scalar_info(function)->arity};
	uint32_t count = 1;

	for (uint32_t n = 0; n < edges.arity; n++)
		count *= EDGE_VALUES;
	edges.count = (count + EDGE_GROUP - 1) / EDGE_GROUP * EDGE_GROUP;
	return edges;
}

/* Operand `operand` of combination `index`. */
static inline float edge_input(const struct edges *edges, uint32_t operand, uint32_t index)
{
	for (uint32_t n = 0; n < operand; n++)
		index /= EDGE_VALUES;
	float value = edge_values[index % EDGE_VALUES];
	return edge_is_logic(edges->function, operand) ? value > 0 : value;
}

/* a holds the operands, one after another; out the results, truths as 0 and 1. */
static inline void edges_build(struct ir_builder *b, const struct edges *edges)
{
	ir_type number = IR_TYPE(IR_F32, 1);
	ir_id operands[3] = {0};

	ir_begin(b, (const uint32_t[3]){EDGE_GROUP, 1, 1});
	uint32_t from = ir_binding(b, "a", number, false, edges->arity * edges->count);
	uint32_t to = ir_binding(b, "out", number, true, edges->count);
	ir_id group = ir_mul(b, ir_builtin(b, IR_WORKGROUP_ID_X), ir_u32(b, EDGE_GROUP));
	ir_id index = ir_add(b, group, ir_builtin(b, IR_LOCAL_INDEX));
	for (uint32_t n = 0; n < edges->arity; n++) {
		operands[n] = ir_load(b, from, ir_add(b, index, ir_u32(b, n * edges->count)));
		if (edge_is_logic(edges->function, n))
			operands[n] = ir_convert(b, operands[n], IR_BOOL);
	}
	ir_id value = lower_scalar(b, edges->function, operands[0], operands[1], operands[2]);
	ir_store(b, to, index, ir_convert(b, value, IR_F32));
}

/* ---- What may come out. */

struct edge_range {
	double least, most;
	bool nan; /* NaN may come out; and nothing else where least > most */
};

static inline void edge_widen(struct edge_range *range, double value)
{
	float rounded = (float)value;

	if (isnan(rounded)) {
		range->nan = true;
		return;
	}
	range->least = fmin(range->least, (double)rounded);
	range->most = fmax(range->most, (double)rounded);
}

static inline bool edge_is_denormal(double x)
{
	return x != 0 && fabs(x) < (double)FLT_MIN;
}

/* The n-th of the three numbers that an operand may count as; false where it is no denormal. */
static inline bool edge_variant(double *x, uint32_t n)
{
	if (n && !edge_is_denormal(*x))
		return false;
	if (n)
		*x = copysign(n == 1 ? 0 : (double)FLT_MIN, *x);
	return true;
}

/* Neighbouring numbers are far apart on the circle: sin and cos are those of some number. */
static inline bool edge_is_any_angle(const struct edges *edges, double x)
{
	bool turns = edges->function == SCALAR_SIN || edges->function == SCALAR_COS;

	return turns && fabs(x) > 5e7 && !isinf(x);
}

static inline struct edge_range edge_expected(const struct edges *edges, uint32_t index)
{
	struct edge_range range = {.least = INFINITY, .most = -INFINITY};

	if (edge_is_any_angle(edges, (double)edge_input(edges, 0, index)))
		return (struct edge_range){.least = -1, .most = 1};
	for (uint32_t variants = 0; variants < 27; variants++) {
		bool exists = true;
		double x[3];
		for (uint32_t n = 0, rest = variants; n < 3; n++, rest /= 3) {
			x[n] = n < edges->arity ? (double)edge_input(edges, n, index) : 0;
			exists &= edge_variant(&x[n], rest % 3);
		}
		if (!exists)
			continue;
		edge_widen(&range, reference_scalar(edges->function, x[0], x[1], x[2]));
		if (edges->function == SCALAR_FMA)
			edge_widen(&range, (double)((float)(x[0] * x[1]) + (float)x[2]));
	}
	return range;
}

/* Relative to the result, or to 1 where it is small; a power's error grows with its logarithm. */
static inline bool edge_is_right(const struct edges *edges, uint32_t index, float got)
{
	struct edge_range range = edge_expected(edges, index);
	double tolerance = edges->function == SCALAR_POW ? 2e-4 : 1e-5;

	if (isnan(got))
		return range.nan;
	if (range.least > range.most)
		return false;
	if (range.least == -1 && range.most == 1)
		return got >= -1 && got <= 1;
	range.least -= isinf(range.least) ? 0 : tolerance * fmax(1, fabs(range.least));
	range.most += isinf(range.most) ? 0 : tolerance * fmax(1, fabs(range.most));
	return got >= (float)range.least && got <= (float)range.most;
}
