/* SPDX-License-Identifier: Apache-2.0
 *
 * One small kernel for each row of ir.def, each scalar it takes, and one, two and four lanes: 16
 * invocations each load the operands, compute, and store. What must come out is said in double.
 * After them the kernels of what is not lane by lane. Header-only, for tests.
 */
#pragma once

#include "base/half.h"
#include "ir/ir.h"

#include <math.h>
#include <string.h>

#define ROW_INVOCATIONS 16
#define ROW_SUBGROUP    4
#define ROW_BYTES       (3 * ROW_INVOCATIONS * 16) /* the operands; the result takes a third */

enum { ON_FLOATS = 1 << IR_F32 | 1 << IR_F16, ON_INTS = 1 << IR_I32 | 1 << IR_U32 };
enum { ON_NUMBERS = ON_FLOATS | ON_INTS, ON_BOOLS = 1 << IR_BOOL };

/* ROW(name, scalars, meaning, tolerance): the tolerance is relative and f32's; 0 means exact. */
/* clang-format off */
#define ROWS \
	ROW(ADD, ON_NUMBERS, a + b, 0) \
	ROW(SUB, ON_NUMBERS, a - b, 0) \
	ROW(MUL, ON_NUMBERS, a * b, 0) \
	ROW(MIN, ON_NUMBERS, fmin(a, b), 0) \
	ROW(MAX, ON_NUMBERS, fmax(a, b), 0) \
	ROW(FDIV, ON_FLOATS, a / b, 3e-7) \
	ROW(FNEG, ON_FLOATS, -a, 0) \
	ROW(FABS, ON_FLOATS, fabs(a), 0) \
	ROW(FMA, ON_FLOATS, a * b + c, 3e-7) \
	ROW(EXP, ON_FLOATS, exp(a), 2e-6) \
	ROW(LOG, ON_FLOATS, log(fabs(a) + 2), 2e-6) \
	ROW(SQRT, ON_FLOATS, sqrt(fabs(a) + 2), 3e-7) \
	ROW(RSQRT, ON_FLOATS, 1 / sqrt(fabs(a) + 2), 3e-7) \
	ROW(POW, ON_FLOATS, pow(fabs(a) + 2, b), 1e-5) \
	ROW(SIN, ON_FLOATS, sin(a), 2e-4) \
	ROW(COS, ON_FLOATS, cos(a), 2e-4) \
	ROW(FLOOR, ON_FLOATS, floor(a), 0) \
	ROW(CEIL, ON_FLOATS, ceil(a), 0) \
	ROW(TRUNC, ON_FLOATS, trunc(a), 0) \
	ROW(ROUND, ON_FLOATS, rint(a), 0) \
	ROW(DIV, ON_INTS, trunc(a / b), 0) \
	ROW(MOD, ON_INTS, fmod(a, b), 0) \
	ROW(AND, ON_INTS, (double)((int64_t)a & (int64_t)b), 0) \
	ROW(OR, ON_INTS, (double)((int64_t)a | (int64_t)b), 0) \
	ROW(XOR, ON_INTS, (double)((int64_t)a ^ (int64_t)b), 0) \
	ROW(SHL, ON_INTS, a * exp2(b), 0) \
	ROW(SHR, ON_INTS, floor(a / exp2(b)), 0) \
	ROW(EQ, ON_NUMBERS, a == b, 0) \
	ROW(NE, ON_NUMBERS, a != b, 0) \
	ROW(LT, ON_NUMBERS, a < b, 0) \
	ROW(GE, ON_NUMBERS, a >= b, 0) \
	ROW(LAND, ON_BOOLS, a != 0 && b != 0, 0) \
	ROW(LOR, ON_BOOLS, a != 0 || b != 0, 0) \
	ROW(LNOT, ON_BOOLS, a == 0, 0) \
	ROW(SELECT, ON_NUMBERS | ON_BOOLS, a != 0 ? b : c, 0) \
	ROW(CONVERT, ON_NUMBERS | ON_BOOLS, a, 0) \
	ROW(SUBGROUP_ADD, ON_NUMBERS, 0, 1e-6) \
	ROW(SUBGROUP_MUL, ON_NUMBERS, 0, 1e-6) \
	ROW(SUBGROUP_MIN, ON_NUMBERS, 0, 0) \
	ROW(SUBGROUP_MAX, ON_NUMBERS, 0, 0) \
	ROW(QUAD_SWAP_X, ON_NUMBERS, 0, 0) \
	ROW(QUAD_SWAP_Y, ON_NUMBERS, 0, 0) \
	ROW(QUAD_SWAP_DIAGONAL, ON_NUMBERS, 0, 0)

#define ROW(name, scalars, meaning, tolerance) \
	static inline double row_meaning_##name(double a, double b, double c) \
	{ \
		(void)a, (void)b, (void)c; \
		return meaning; \
	}
ROWS
#undef ROW

static const struct row {
	enum ir_op op;
	uint32_t scalars;
	double (*meaning)(double a, double b, double c);
	double tolerance;
} rows[] = {
#define ROW(name, scalars, meaning, tolerance) {IR_##name, scalars, row_meaning_##name, tolerance},
	ROWS
#undef ROW
};
/* clang-format on */
#define ROW_COUNT (sizeof rows / sizeof *rows)

struct row_case {
	const struct row *row;
	enum ir_scalar from, to; /* of the operands, of the result */
	uint32_t lanes;
	bool by_lane; /* a select's condition has as many lanes as its values */
};

/* Bools are in memory as u32. */
static inline enum ir_scalar row_stored(enum ir_scalar scalar)
{
	return scalar == IR_BOOL ? IR_U32 : scalar;
}

static inline bool row_compares(enum ir_op op)
{
	return op == IR_EQ || op == IR_NE || op == IR_LT || op == IR_GE;
}

static inline bool row_reduces(enum ir_op op)
{
	return ir_op_infos[op].class == IR_SUBGROUP_WIDE || ir_op_infos[op].class == IR_QUAD_WIDE;
}

/* The n-th of a row's variants with this scalar: each `to` for conversions, both kinds of condition
 * for selects. False where there are no more. */
static inline bool row_variant(const struct row *row, uint32_t n, struct row_case *c)
{
	c->row = row;
	c->by_lane = row->op == IR_SELECT && n;
	c->to = row_compares(row->op) ? IR_BOOL : c->from;
	if (row->op != IR_CONVERT)
		return n < (row->op == IR_SELECT && c->lanes > 1 ? 2 : 1);
	c->to = (enum ir_scalar)(IR_BOOL + n + (IR_BOOL + n >= c->from));
	return c->to < IR_MATRIX_A;
}

/* All cases, or as many as there is room for; how many. */
static inline uint32_t row_cases(struct row_case *cases, uint32_t room)
{
	static const uint32_t lanes[] = {1, 2, 4};
	uint32_t count = 0;

	for (size_t r = 0; r < ROW_COUNT; r++)
		for (uint32_t s = IR_BOOL; s < IR_MATRIX_A; s++)
			for (size_t l = 0; l < 3 && rows[r].scalars >> s & 1; l++) {
				struct row_case c = {.from = (enum ir_scalar)s, .lanes = lanes[l]};
				for (uint32_t n = 0; row_variant(&rows[r], n, &c); n++)
					if (count < room)
						cases[count++] = c;
			}
	return count;
}

/* ---- The kernel. */

static inline ir_id row_operand(
        struct ir_builder *b, const struct row_case *c, uint32_t binding, uint32_t n)
{
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX);

	i = ir_add(b, i, ir_u32(b, n * ROW_INVOCATIONS));
	return ir_convert(b, ir_load(b, binding, i), c->from);
}

/* |x| + 2 for the rows that need it above 0, as their meaning says. */
static inline ir_id row_positive(struct ir_builder *b, const struct row_case *c, ir_id x)
{
	enum ir_op op = c->row->op;

	if (op != IR_LOG && op != IR_SQRT && op != IR_RSQRT && op != IR_POW)
		return x;
	return ir_add(
	        b, ir_compute(b, IR_FABS, x, 0, 0), ir_splat(b, ir_float(b, c->from, 2), c->lanes));
}

static inline ir_id row_choice(
        struct ir_builder *b, const struct row_case *c, ir_id x, ir_id y, ir_id z)
{
	ir_id condition = ir_convert(b, x, IR_BOOL);

	return ir_select(b, c->by_lane ? condition : ir_extract(b, condition, 0), y, z);
}

static inline ir_id row_value(struct ir_builder *b, const struct row_case *c, uint32_t binding)
{
	enum ir_op op = c->row->op;
	uint32_t arity = ir_op_infos[op].values;
	ir_id x = row_positive(b, c, row_operand(b, c, binding, 0));
	ir_id y = arity > 1 ? row_operand(b, c, binding, 1) : 0;
	ir_id z = arity > 2 ? row_operand(b, c, binding, 2) : 0;

	if (op == IR_SELECT)
		return row_choice(b, c, x, y, z);
	if (op == IR_CONVERT)
		return ir_convert(b, x, c->to);
	return row_reduces(op) ? ir_subgroup(b, op, x) : ir_compute(b, op, x, y, z);
}

static inline void row_build(struct ir_builder *b, const struct row_case *c)
{
	enum ir_scalar stored = row_stored(c->to);

	ir_begin(b, (const uint32_t[3]){ROW_INVOCATIONS, 1, 1});
	uint32_t in = ir_binding(
	        b, "a", IR_TYPE(row_stored(c->from), c->lanes), false, 3 * ROW_INVOCATIONS);
	uint32_t out = ir_binding(b, "out", IR_TYPE(stored, c->lanes), true, ROW_INVOCATIONS);
	ir_id value = row_value(b, c, in);
	ir_store(b, out, ir_builtin(b, IR_LOCAL_INDEX), ir_convert(b, value, stored));
}

/* ---- Its memory. */

static inline double row_read(const void *data, enum ir_scalar scalar, uint32_t n)
{
	switch (scalar) {
	case IR_F32:
		return ((const float *)data)[n];
	case IR_F16:
		return half_to_float(((const uint16_t *)data)[n]);
	case IR_I32:
		return ((const int32_t *)data)[n];
	default:
		return ((const uint32_t *)data)[n];
	}
}

/* Integers wrap around. */
static inline void row_write(void *data, enum ir_scalar scalar, uint32_t n, double value)
{
	if (scalar == IR_F32)
		((float *)data)[n] = (float)value;
	else if (scalar == IR_F16)
		((uint16_t *)data)[n] = half_of_float((float)value);
	else
		((uint32_t *)data)[n] = (uint32_t)(int64_t)value;
}

/* Operand k of an invocation. The first has all signs and fractions its scalar knows, the second is
 * a small whole number above 0, so that it may divide and shift. */
static inline double row_datum(const struct row_case *c, uint32_t k, uint32_t i, uint32_t lane)
{
	static const double values[] = {0.5, -1.5, 2, -2.5, 3, 0, -0.25, 6.75, 1.5, -7};
	double x = values[(i * 3 + lane * 7) % 10];

	if (c->from == IR_BOOL)
		return (i >> k ^ lane) & 1;
	if (k)
		return 1 + (i * 5 + lane + k) % 4;
	if (c->to == IR_U32 || c->from == IR_U32)
		x = fabs(x) * (c->row->op == IR_CONVERT ? 1 : 5);
	return c->from == IR_F32 || c->from == IR_F16 ? x : trunc(x);
}

static inline void row_fill(const struct row_case *c, void *in)
{
	for (uint32_t k = 0; k < 3; k++)
		for (uint32_t i = 0; i < ROW_INVOCATIONS; i++)
			for (uint32_t lane = 0; lane < c->lanes; lane++)
				row_write(in, row_stored(c->from),
				        (k * ROW_INVOCATIONS + i) * c->lanes + lane,
				        row_datum(c, k, i, lane));
}

static inline double row_reduced(const struct row_case *c, uint32_t i, uint32_t lane)
{
	uint32_t first = i / ROW_SUBGROUP * ROW_SUBGROUP;
	static const uint8_t ways[IR_OP_COUNT] = {
	        [IR_QUAD_SWAP_X] = 1, [IR_QUAD_SWAP_Y] = 2, [IR_QUAD_SWAP_DIAGONAL] = 3};
	double x = row_datum(c, 0, first, lane);

	if (ways[c->row->op])
		return row_datum(c, 0, i ^ ways[c->row->op], lane);
	for (uint32_t j = first + 1; j < first + ROW_SUBGROUP; j++) {
		double y = row_datum(c, 0, j, lane);
		x = c->row->op == IR_SUBGROUP_ADD   ? x + y
		    : c->row->op == IR_SUBGROUP_MUL ? x * y
		    : c->row->op == IR_SUBGROUP_MIN ? fmin(x, y)
		                                    : fmax(x, y);
	}
	return x;
}

/* What lane `lane` of invocation i must store: read back as its stored scalar. */
static inline double row_expected(const struct row_case *c, uint32_t i, uint32_t lane)
{
	uint32_t condition_lane = c->row->op == IR_SELECT && !c->by_lane ? 0 : lane;
	enum ir_scalar stored = row_stored(c->to);
	double value;
	uint32_t cell = 0;

	if (row_reduces(c->row->op))
		value = row_reduced(c, i, lane);
	else
		value = c->row->meaning(row_datum(c, 0, i, condition_lane),
		        row_datum(c, 1, i, lane), row_datum(c, 2, i, lane));
	row_write(&cell, stored, 0, c->to == IR_BOOL ? value != 0 : value);
	return row_read(&cell, stored, 0);
}

static inline double row_tolerance(const struct row_case *c)
{
	bool is_half = c->from == IR_F16 || c->to == IR_F16;

	return c->row->tolerance ? (is_half ? 4e-3 : c->row->tolerance) : 0;
}

/* ---- What is not lane by lane. */

static const struct {
	ir_type from, to;
} row_bitcasts[] = {
        {IR_TYPE(IR_F32, 1), IR_TYPE(IR_U32, 1)},
        {IR_TYPE(IR_F32, 4), IR_TYPE(IR_I32, 4)},
        {IR_TYPE(IR_I32, 2), IR_TYPE(IR_F32, 2)},
        {IR_TYPE(IR_I32, 1), IR_TYPE(IR_U32, 1)},
        {IR_TYPE(IR_U32, 2), IR_TYPE(IR_F32, 2)},
        {IR_TYPE(IR_U32, 4), IR_TYPE(IR_I32, 4)},
        {IR_TYPE(IR_F16, 2), IR_TYPE(IR_F32, 1)},
        {IR_TYPE(IR_F16, 2), IR_TYPE(IR_I32, 1)},
        {IR_TYPE(IR_F16, 2), IR_TYPE(IR_U32, 1)},
        {IR_TYPE(IR_F16, 4), IR_TYPE(IR_F32, 2)},
        {IR_TYPE(IR_F16, 4), IR_TYPE(IR_I32, 2)},
        {IR_TYPE(IR_F16, 4), IR_TYPE(IR_U32, 2)},
        {IR_TYPE(IR_F32, 1), IR_TYPE(IR_F16, 2)},
        {IR_TYPE(IR_I32, 1), IR_TYPE(IR_F16, 2)},
        {IR_TYPE(IR_U32, 1), IR_TYPE(IR_F16, 2)},
        {IR_TYPE(IR_F32, 2), IR_TYPE(IR_F16, 4)},
        {IR_TYPE(IR_I32, 2), IR_TYPE(IR_F16, 4)},
        {IR_TYPE(IR_U32, 2), IR_TYPE(IR_F16, 4)},
};
#define ROW_BITCASTS (sizeof row_bitcasts / sizeof *row_bitcasts)

/* Eight elements as other ones. */
static inline void row_build_bitcast(struct ir_builder *b, uint32_t n)
{
	ir_begin(b, (const uint32_t[3]){8, 1, 1});
	uint32_t from = ir_binding(b, "a", row_bitcasts[n].from, false, 8);
	uint32_t to = ir_binding(b, "out", row_bitcasts[n].to, true, 8);
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX);
	ir_store(b, to, i, ir_bitcast(b, ir_load(b, from, i), row_bitcasts[n].to));
}

/* out[i] = a[i] . a[i + 4], as bytes. */
static inline void row_build_dot(struct ir_builder *b)
{
	ir_type word = IR_TYPE(IR_U32, 1);

	ir_begin(b, (const uint32_t[3]){4, 1, 1});
	uint32_t from = ir_binding(b, "a", word, false, 8);
	uint32_t to = ir_binding(b, "out", IR_TYPE(IR_I32, 1), true, 4);
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX), x = ir_load(b, from, i);
	ir_id y = ir_load(b, from, ir_add(b, i, ir_u32(b, 4)));
	ir_store(b, to, i, ir_dot4i8(b, x, y));
}

/* Each half of a word, doubled: no f16 in the module. */
static inline void row_build_halves(struct ir_builder *b)
{
	ir_type word = IR_TYPE(IR_U32, 1);

	ir_begin(b, (const uint32_t[3]){2, 1, 1});
	uint32_t from = ir_binding(b, "a", word, false, 2);
	uint32_t to = ir_binding(b, "out", IR_TYPE(IR_F32, 2), true, 2);
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX), x = ir_unpack_half(b, ir_load(b, from, i));
	ir_store(b, to, i, ir_add(b, x, x));
}

/* The sum of the first dims.y numbers, times dims.w. */
static inline void row_build_uniforms(struct ir_builder *b)
{
	ir_type word = IR_TYPE(IR_U32, 1);

	ir_begin(b, (const uint32_t[3]){1, 1, 1});
	uint32_t from = ir_binding(b, "a", word, false, 8);
	uint32_t to = ir_binding(b, "out", word, true, 1);
	ir_id sum = ir_var(b, ir_u32(b, 0)), end = ir_uniform(b, 1);
	ir_id i = ir_loop(b, ir_u32(b, 0), end, 1), x = ir_load(b, from, i);
	ir_set(b, sum, ir_add(b, x, ir_get(b, sum)));
	ir_end(b);
	ir_id factor = ir_uniform(b, 3);
	ir_store(b, to, ir_u32(b, 0), ir_mul(b, ir_get(b, sum), factor));
}

/* Five f16 or vectors of them through workgroup memory, turned around. */
static inline void row_build_memory(struct ir_builder *b, uint32_t lanes)
{
	ir_type type = IR_TYPE(IR_F16, lanes);

	ir_begin(b, (const uint32_t[3]){5, 1, 1});
	uint32_t from = ir_binding(b, "a", type, false, 5);
	uint32_t to = ir_binding(b, "out", type, true, 5), tile = ir_shared(b, type, 5);
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX);
	ir_shared_store(b, tile, i, ir_load(b, from, i));
	ir_barrier(b);
	ir_id turned = ir_compute(b, IR_SUB, ir_u32(b, 4), i, 0);
	ir_store(b, to, turned, ir_shared_load(b, tile, i));
}

/* Both infinities and a NaN, as constants: alone and in all lanes. */
static inline void row_build_specials(struct ir_builder *b, enum ir_scalar scalar)
{
	static const float values[] = {INFINITY, -INFINITY, NAN};
	ir_type type = IR_TYPE(scalar, 4);

	ir_begin(b, (const uint32_t[3]){1, 1, 1});
	uint32_t from = ir_binding(b, "a", type, false, 1);
	uint32_t to = ir_binding(b, "out", type, true, 5);
	ir_id specials[4] = {0};
	for (uint32_t i = 0; i < 3; i++) {
		specials[i] = ir_float(b, scalar, values[i]);
		ir_store(b, to, ir_u32(b, i), ir_splat(b, specials[i], 4));
	}
	specials[3] = ir_float(b, scalar, 1);
	ir_id mixed = ir_compose(b, specials, 4), number = ir_load(b, from, ir_u32(b, 0));
	ir_store(b, to, ir_u32(b, 3), mixed);
	ir_id low = ir_splat(b, specials[1], 4);
	ir_store(b, to, ir_u32(b, 4), ir_compute(b, IR_MAX, low, number, 0));
}

/* The n-th of them all; false where there is none. */
static inline bool row_build_other(struct ir_builder *b, uint32_t n)
{
	if (n < ROW_BITCASTS)
		row_build_bitcast(b, n);
	else if (n < ROW_BITCASTS + 3)
		row_build_memory(b, 1u << (n - ROW_BITCASTS));
	else if (n == ROW_BITCASTS + 3)
		row_build_dot(b);
	else if (n == ROW_BITCASTS + 4)
		row_build_halves(b);
	else if (n == ROW_BITCASTS + 5)
		row_build_uniforms(b);
	else if (n < ROW_BITCASTS + 8)
		row_build_specials(b, n == ROW_BITCASTS + 6 ? IR_F32 : IR_F16);
	else
		return false;
	return true;
}
