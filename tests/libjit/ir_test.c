/* SPDX-License-Identifier: Apache-2.0
 *
 * The IR: what the builder folds, simplifies and numbers, and what leaves its sight with a
 * block. Random expressions are built, run in the interpreter and compared
 * with the same expressions in C.
 */
#include "ir/builder.h" /* before the global that its parameters' name would shadow */

#include "building.h"
#include "emit/eval/eval.h"
#include "ir/ir.h"

#include "base/error.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a value turned out to be. Ends the module: the last thing to ask. */
static enum ir_op op_of(ir_id value)
{
	const struct ir_module *module;

	ir_store(b, ir_binding(b, "seen", ir_type_of(b, value), true, 1), ir_u32(b, 0), value);
	ck_assert_int_eq(ir_finish(b, &module), 0);
	return (enum ir_op)module->insts[value].op;
}

/* ---- Folding. */

static const struct {
	enum ir_op op;
	uint32_t x, y, result;
} u32_folds[] = {
        {IR_ADD, 3, 4, 7},
        {IR_ADD, UINT32_MAX, 2, 1},
        {IR_SUB, 3, 4, UINT32_MAX},
        {IR_MUL, 65536, 65537, 65536},
        {IR_MIN, 3, 4, 3},
        {IR_MAX, 3, UINT32_MAX, UINT32_MAX},
        {IR_DIV, 17, 5, 3},
        {IR_DIV, 17, 0, 0},
        {IR_MOD, 17, 5, 2},
        {IR_AND, 12, 10, 8},
        {IR_OR, 12, 10, 14},
        {IR_XOR, 12, 10, 6},
        {IR_SHL, 3, 31, 0x80000000u},
        {IR_SHR, 0x80000000u, 31, 1},
};

START_TEST(folds_u32)
{
	ck_assert_uint_eq(
	        compute(u32_folds[_i].op, ir_u32(b, u32_folds[_i].x), ir_u32(b, u32_folds[_i].y)),
	        ir_u32(b, u32_folds[_i].result));
}
END_TEST

static const struct {
	enum ir_op op;
	float x, y, z, result;
} f32_folds[] = {
        {IR_ADD, 0.5f, 0.25f, 0, 0.75f},
        {IR_SUB, 0.5f, 0.25f, 0, 0.25f},
        {IR_MUL, 1.5f, -2, 0, -3},
        {IR_FDIV, 1, 3, 0, 1.0f / 3},
        {IR_FNEG, 2, 0, 0, -2},
        {IR_FABS, -2, 0, 0, 2},
        {IR_MAX, -2, 3, 0, 3},
        {IR_FMA, 2, 3, 4, 10},
        {IR_SQRT, 2, 0, 0, 0x1.6a09e6p+0f},
        {IR_FLOOR, -1.5f, 0, 0, -2},
        {IR_CEIL, -1.5f, 0, 0, -1},
        {IR_TRUNC, -1.5f, 0, 0, -1},
        {IR_ROUND, 2.5f, 0, 0, 2},
};

START_TEST(folds_f32)
{
	uint32_t arity = ir_op_infos[f32_folds[_i].op].values;
	ir_id x = ir_f32(b, f32_folds[_i].x);
	ir_id y = arity > 1 ? ir_f32(b, f32_folds[_i].y) : 0;
	ir_id z = arity > 2 ? ir_f32(b, f32_folds[_i].z) : 0;

	ck_assert_uint_eq(
	        ir_compute(b, f32_folds[_i].op, x, y, z), ir_f32(b, f32_folds[_i].result));
}
END_TEST

static const struct {
	enum ir_op op;
	float x, y, result;
} f16_folds[] = {
        {IR_ADD, 2048, 1, 2048}, /* half way: to even */
        {IR_ADD, 2048, 3, 2052},
        {IR_MUL, 0x1p-14f, 0x1.8p-10f, 0x1p-23f}, /* among the subnormals */
        {IR_FDIV, 1, 3, 0x1.554p-2f},
        {IR_SQRT, 2, 0, 0x1.6ap+0f},
        {IR_MAX, -65504, 0.5f, 0.5f},
};

START_TEST(folds_f16)
{
	uint32_t arity = ir_op_infos[f16_folds[_i].op].values;
	ir_id x = ir_float(b, IR_F16, f16_folds[_i].x);
	ir_id y = arity > 1 ? ir_float(b, IR_F16, f16_folds[_i].y) : 0;

	ck_assert_uint_eq(
	        compute(f16_folds[_i].op, x, y), ir_float(b, IR_F16, f16_folds[_i].result));
}
END_TEST

START_TEST(converts_f16)
{
	ir_id half = ir_float(b, IR_F16, 2.5f);

	ck_assert_uint_eq(ir_convert(b, half, IR_F32), ir_f32(b, 2.5f));
	ck_assert_uint_eq(ir_convert(b, half, IR_I32), ir_i32(b, 2));
	ck_assert_uint_eq(ir_convert(b, ir_i32(b, -3), IR_F16), ir_float(b, IR_F16, -3));
	ck_assert_uint_eq(ir_convert(b, ir_f32(b, 0.1f), IR_F16), ir_float(b, IR_F16, 0.1f));
	ck_assert_uint_eq(compute(IR_LT, half, ir_float(b, IR_F16, 3)),
	        compute(IR_LT, ir_u32(b, 1), ir_u32(b, 2)));
	ck_assert_uint_eq(ir_convert(b, ir_f32(b, 65520), IR_F16), ir_float(b, IR_F16, INFINITY));
}
END_TEST

START_TEST(keeps_bits)
{
	ir_id x = ir_builtin(b, IR_LOCAL_INDEX), as_float = ir_bitcast(b, x, F32);

	ck_assert_uint_eq(ir_bitcast(b, ir_f32(b, 1), U32), ir_u32(b, 0x3f800000));
	ck_assert_uint_eq(ir_bitcast(b, ir_u32(b, 0xc0000000), F32), ir_f32(b, -2));
	ck_assert_uint_eq(ir_bitcast(b, ir_i32(b, -1), U32), ir_u32(b, UINT32_MAX));
	ck_assert_uint_eq(ir_bitcast(b, x, U32), x);
	ck_assert_uint_eq(ir_bitcast(b, as_float, U32), x);
	ck_assert_uint_eq(ir_bitcast(b, ir_u32(b, 0x7f800000), F32), ir_f32(b, INFINITY));
	ck_assert_uint_eq(ir_bitcast(b, ir_u32(b, 0xffc12345), F32), ir_f32(b, NAN));
}
END_TEST

/* What gives no number: WGSL refuses expressions of constants that do, so none may be left. */
static const struct {
	enum ir_op op;
	float x, y, result;
} special_folds[] = {
        {IR_MUL, 3e38f, 3e38f, INFINITY},
        {IR_FDIV, 1, -0.0f, -INFINITY},
        {IR_FDIV, 0, 0, NAN},
        {IR_SQRT, -1, 0, NAN},
        {IR_SUB, INFINITY, INFINITY, NAN},
        {IR_MUL, INFINITY, 0, NAN},
        {IR_MAX, -INFINITY, -3e38f, -3e38f},
        {IR_EXP, 89, 0, INFINITY},
        {IR_LOG, 0, 0, -INFINITY},
        {IR_LOG, -1, 0, NAN},
        {IR_RSQRT, 0, 0, INFINITY},
        {IR_POW, 0, -1, INFINITY},
        {IR_SIN, INFINITY, 0, NAN},
};

START_TEST(folds_to_specials)
{
	enum ir_op op = special_folds[_i].op;
	ir_id x = ir_f32(b, special_folds[_i].x), y = ir_f32(b, special_folds[_i].y);

	ck_assert_uint_eq(compute(op, x, ir_op_infos[op].values > 1 ? y : 0),
	        ir_f32(b, special_folds[_i].result));
}
END_TEST

/* EXP and its like have no certain last bit: they are left to the device. */
static const struct {
	enum ir_op op;
	float x, y;
} unsafe_floats[] = {
        {IR_EXP, 0, 0},
        {IR_LOG, 1, 0},
        {IR_RSQRT, 1, 0},
        {IR_POW, 1, 1},
        {IR_SIN, 0, 0},
        {IR_COS, 0, 0},
};

START_TEST(leaves_unsafe_floats)
{
	enum ir_op op = unsafe_floats[_i].op;
	ir_id x = ir_f32(b, unsafe_floats[_i].x), y = ir_f32(b, unsafe_floats[_i].y);

	ck_assert_uint_eq(op_of(compute(op, x, ir_op_infos[op].values > 1 ? y : 0)), op);
}
END_TEST

START_TEST(leaves_float_algebra)
{
	ir_id zero = ir_f32(b, 0);
	ir_id x = ir_load(b, ir_binding(b, "a", F32, false, 4), ir_u32(b, 0));

	ck_assert_uint_ne(compute(IR_ADD, x, zero), x);    /* -0 + 0 is 0 */
	ck_assert_uint_ne(compute(IR_MUL, x, zero), zero); /* inf * 0 is NaN */
	ck_assert_uint_eq(op_of(compute(IR_SUB, x, x)), IR_SUB);
}
END_TEST

START_TEST(folds_signed_conversions_compares_and_bools)
{
	ir_id minus = ir_convert(b, ir_f32(b, -7.5f), IR_I32);
	ir_id two = ir_convert(b, ir_u32(b, 2), IR_I32);
	ir_id yes = compute(IR_LT, minus, two), no = compute(IR_GE, minus, two);

	ck_assert_uint_eq(ir_convert(b, compute(IR_DIV, minus, two), IR_F32), ir_f32(b, -3));
	ck_assert_uint_eq(ir_convert(b, compute(IR_SHL, minus, two), IR_F32), ir_f32(b, -28));
	ck_assert_uint_eq(ir_convert(b, compute(IR_SHR, minus, two), IR_F32), ir_f32(b, -2));
	ck_assert_uint_eq(ir_convert(b, yes, IR_U32), ir_u32(b, 1));
	ck_assert_uint_eq(ir_convert(b, no, IR_F32), ir_f32(b, 0));
	ck_assert_uint_eq(compute(IR_LAND, yes, no), no);
	ck_assert_uint_eq(compute(IR_LOR, yes, no), yes);
	ck_assert_uint_eq(compute(IR_LNOT, no, 0), yes);
	ck_assert_uint_eq(compute(IR_NE, minus, two), yes);
	ck_assert_uint_eq(ir_select(b, ir_splat(b, no, 4), minus, two), two);
	ck_assert_uint_eq(ir_select(b, yes, minus, two), minus);
	ck_assert_uint_eq(compute(IR_LT, ir_f32(b, 1), ir_f32(b, 2)), yes);
}
END_TEST

/* ---- Simplifying: x op c is y op2 d, or x itself where op2 is NOP and d is 0. */

static const struct {
	enum ir_op op;
	uint32_t c;
	enum ir_op op2;
	uint32_t d;
} simplifications[] = {
        {IR_ADD, 0, IR_NOP, 0},
        {IR_SUB, 0, IR_NOP, 0},
        {IR_MUL, 1, IR_NOP, 0},
        {IR_DIV, 1, IR_NOP, 0},
        {IR_OR, 0, IR_NOP, 0},
        {IR_XOR, 0, IR_NOP, 0},
        {IR_AND, UINT32_MAX, IR_NOP, 0},
        {IR_SHL, 0, IR_NOP, 0},
        {IR_MAX, 0, IR_NOP, 0},
        {IR_MUL, 0, IR_CONST, 0},
        {IR_MOD, 1, IR_CONST, 0},
        {IR_AND, 0, IR_CONST, 0},
        {IR_MIN, 0, IR_CONST, 0},
        {IR_MUL, 8, IR_SHL, 3},
        {IR_MUL, 0x80000000u, IR_SHL, 31},
        {IR_DIV, 16, IR_SHR, 4},
        {IR_MOD, 16, IR_AND, 15},
        {IR_MUL, 12, IR_MUL, 12},
        {IR_DIV, 12, IR_DIV, 12},
};

START_TEST(simplifies)
{
	ir_id x = ir_builtin(b, IR_LOCAL_INDEX), expected = x;
	ir_id y = compute(simplifications[_i].op, x, ir_u32(b, simplifications[_i].c));

	if (simplifications[_i].op2 == IR_CONST)
		expected = ir_u32(b, simplifications[_i].d);
	else if (simplifications[_i].op2 != IR_NOP)
		expected = compute(simplifications[_i].op2, x, ir_u32(b, simplifications[_i].d));
	ck_assert_uint_eq(y, expected);
}
END_TEST

START_TEST(joins_constants)
{
	ir_id x = ir_builtin(b, IR_LOCAL_INDEX);
	ir_id sum = ir_add(b, ir_add(b, x, ir_u32(b, 3)), ir_u32(b, 4));
	ir_id product = ir_mul(b, ir_mul(b, x, ir_u32(b, 4)), ir_u32(b, 3));
	ir_id shifted = compute(IR_SHR, compute(IR_SHR, x, ir_u32(b, 20)), ir_u32(b, 20));

	ck_assert_uint_eq(sum, ir_add(b, x, ir_u32(b, 7)));
	ck_assert_uint_eq(product, ir_mul(b, ir_u32(b, 12), x));
	ck_assert_uint_ne(shifted, compute(IR_SHR, x, ir_u32(b, 8)));
	ck_assert_uint_eq(ir_add(b, ir_add(b, x, ir_u32(b, 1)), ir_u32(b, UINT32_MAX)), x);
	ck_assert_uint_eq(compute(IR_SUB, x, x), ir_u32(b, 0));
	ck_assert_uint_eq(compute(IR_XOR, x, x), ir_u32(b, 0));
}
END_TEST

START_TEST(simplifies_logic)
{
	ir_id x = ir_builtin(b, IR_LOCAL_INDEX), c = compute(IR_LT, x, ir_u32(b, 2));
	ir_id yes = compute(IR_EQ, x, x), no = compute(IR_NE, x, x);

	ck_assert_uint_eq(compute(IR_LAND, yes, c), c);
	ck_assert_uint_eq(compute(IR_LAND, c, no), no);
	ck_assert_uint_eq(compute(IR_LOR, c, yes), yes);
	ck_assert_uint_eq(compute(IR_LOR, no, c), c);
	ck_assert_uint_eq(compute(IR_LOR, c, c), c);
}
END_TEST

START_TEST(takes_vectors_apart)
{
	ir_id x = ir_builtin(b, IR_LOCAL_ID_X), y = ir_builtin(b, IR_LOCAL_ID_Y);
	ir_id xy = ir_compose(b, (const ir_id[]){x, y}, 2);
	ir_id vector = ir_load(b, ir_binding(b, "a", IR_TYPE(IR_F32, 2), false, 4), ir_u32(b, 0));
	ir_id lanes[2] = {ir_extract(b, vector, 0), ir_extract(b, vector, 1)};

	ck_assert_uint_eq(ir_extract(b, xy, 0), x);
	ck_assert_uint_eq(ir_extract(b, xy, 1), y);
	ck_assert_uint_eq(ir_extract(b, ir_splat(b, y, 4), 3), y);
	ck_assert_uint_eq(ir_compose(b, (const ir_id[]){x, x}, 2), ir_splat(b, x, 2));
	ck_assert_uint_eq(ir_compose(b, lanes, 2), vector);
	ck_assert_uint_eq(ir_splat(b, x, 1), x);
	ck_assert_uint_eq(ir_extract(b, x, 0), x);
}
END_TEST

/* ---- Numbering. */

START_TEST(numbers_values)
{
	uint32_t a = ir_binding(b, "a", F32, false, 4), out = ir_binding(b, "out", F32, true, 4);
	uint32_t tile = ir_shared(b, F32, 4);
	ir_id x = ir_builtin(b, IR_LOCAL_ID_X), y = ir_builtin(b, IR_LOCAL_ID_Y);
	ir_id variable = ir_var(b, x);

	ck_assert_uint_eq(ir_builtin(b, IR_LOCAL_ID_X), x);
	ck_assert_uint_eq(ir_add(b, x, y), ir_add(b, y, x));
	ck_assert_uint_ne(compute(IR_SUB, x, y), compute(IR_SUB, y, x));
	ck_assert_uint_eq(ir_load(b, a, x), ir_load(b, a, x));
	ck_assert_uint_ne(ir_load(b, out, x), ir_load(b, out, x));
	ck_assert_uint_ne(ir_shared_load(b, tile, x), ir_shared_load(b, tile, x));
	ck_assert_uint_ne(ir_get(b, variable), ir_get(b, variable));
	ck_assert_uint_ne(ir_u32(b, 0), ir_f32(b, 0));
}
END_TEST

START_TEST(forgets_what_a_block_defined)
{
	ir_id x = ir_builtin(b, IR_LOCAL_ID_X), y = ir_builtin(b, IR_LOCAL_ID_Y);
	ir_id outer = ir_add(b, x, y);
	ir_id i = ir_loop(b, ir_u32(b, 0), ir_u32(b, 4), 1);
	ir_id inner = ir_mul(b, x, y);

	ck_assert_uint_eq(ir_add(b, x, y), outer);
	ir_if(b, compute(IR_LT, i, x));
	ck_assert_uint_eq(ir_mul(b, x, y), inner);
	ir_id in_if = compute(IR_MIN, x, y);
	ir_else(b);
	ir_id in_else = compute(IR_MIN, x, y);
	ck_assert_uint_ne(in_if, in_else);
	ir_end(b);
	ck_assert_uint_ne(compute(IR_MIN, x, y), in_else);
	ir_end(b);
	ck_assert_uint_ne(ir_mul(b, x, y), inner);
	ck_assert_uint_eq(ir_add(b, x, y), outer);
	finish();
}
END_TEST

/* Many values, then many modules: growth and reuse must not lose or invent any. */
START_TEST(keeps_numbering_as_it_grows)
{
	for (int round = 0; round < 3; round++) {
		ir_begin(b, (const uint32_t[3]){1, 1, 1});
		ir_id x = ir_builtin(b, IR_LOCAL_ID_X), first[5000];

		for (uint32_t i = 0; i < 5000; i++) {
			if (i == 100)
				ir_if(b, compute(IR_LT, x, ir_u32(b, 7)));
			first[i] = ir_add(b, x, ir_u32(b, i + 1));
		}
		for (uint32_t i = 0; i < 5000; i++)
			ck_assert_uint_eq(ir_add(b, ir_u32(b, i + 1), x), first[i]);
		ir_end(b);
		for (uint32_t i = 0; i < 5000; i++)
			ck_assert_int_eq(ir_add(b, x, ir_u32(b, i + 1)) == first[i], i < 100);
	}
}
END_TEST

START_TEST(counts_uses_and_drops_the_dead)
{
	uint32_t out = ir_binding(b, "out", U32, true, 4);
	ir_id x = ir_builtin(b, IR_LOCAL_INDEX), y = ir_add(b, x, ir_u32(b, 5));
	ir_id dead = compute(IR_MIN, compute(IR_MUL, y, y), x);

	ir_store(b, out, x, y);
	const struct ir_module *module = finish();
	ck_assert_uint_eq(module->insts[x].uses, 2);
	ck_assert_uint_eq(module->insts[y].uses, 1);
	ck_assert_uint_eq(module->insts[dead].op, IR_NOP);
}
END_TEST

/* A condition that is never true, a loop that ends before it begins, and all that is in them; what
 * stands under other conditions stays. */
START_TEST(drops_what_is_never_entered)
{
	uint32_t out = ir_binding(b, "out", U32, true, 4), count[IR_OP_COUNT] = {0};
	ir_id x = ir_builtin(b, IR_LOCAL_INDEX), two = ir_u32(b, 2);
	ir_id never = compute(IR_LT, two, two), maybe = compute(IR_LT, x, two);
	struct error err = {0};

	ir_if(b, never);
	ir_if(b, maybe);
	ir_store(b, out, ir_u32(b, 9), x);
	ir_end(b);
	ir_end(b);
	ir_id i = ir_loop(b, ir_u32(b, 9), ir_u32(b, 5), 1);
	ir_store(b, out, i, x);
	ir_end(b);
	ir_if(b, maybe);
	ir_store(b, out, x, two);
	ir_end(b);
	const struct ir_module *module = finish();
	ck_assert_msg(!ir_check(module, &err), "%s", err.text);
	for (ir_id id = 1; id < module->count; id++)
		count[module->insts[id].op]++;
	ck_assert_uint_eq(count[IR_IF], 1);
	ck_assert_uint_eq(count[IR_END], 1);
	ck_assert_uint_eq(count[IR_LOOP], 0);
	ck_assert_uint_eq(count[IR_STORE], 1);
	ck_assert_uint_eq(module->insts[x].uses, 2);
}
END_TEST

/* ---- Random expressions: built and run against the same in C. */

static uint32_t random_state;

static uint32_t random_u32(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 16 | random_state << 16;
}

static uint32_t eval_u32(enum ir_op op, uint32_t x, uint32_t y)
{
	switch (op) {
	case IR_ADD:
		return x + y;
	case IR_SUB:
		return x - y;
	case IR_MUL:
		return x * y;
	case IR_MIN:
		return x < y ? x : y;
	case IR_MAX:
		return x > y ? x : y;
	case IR_DIV:
		return y ? x / y : 0;
	case IR_MOD:
		return y ? x % y : 0;
	case IR_AND:
		return x & y;
	case IR_OR:
		return x | y;
	case IR_XOR:
		return x ^ y;
	case IR_SHL:
		return x << (y & 31);
	default:
		return x >> (y & 31);
	}
}

/* ---- Leaving out, for benchmarks. */

START_TEST(leaves_out_folding)
{
	b->left_out = IR_LEAVE_OUT_FOLDING;
	ir_id x = ir_f32(b, 1);
	ir_id pair = ir_compose(b, (const ir_id[]){x, x}, 2), lane = ir_extract(b, pair, 0);
	ir_id sum = compute(IR_ADD, ir_u32(b, 3), ir_u32(b, 4));

	ck_assert_int_eq(ir_at(b, pair)->op, IR_COMPOSE);
	ck_assert_int_eq(ir_at(b, lane)->op, IR_EXTRACT);
	ck_assert_int_eq(ir_at(b, ir_select(b, ir_constant(b, IR_BOOL, 1), x, x))->op, IR_SELECT);
	ck_assert_int_eq(ir_at(b, ir_convert(b, x, IR_U32))->op, IR_CONVERT);
	ck_assert_uint_eq(sum, compute(IR_ADD, ir_u32(b, 4), ir_u32(b, 3)));
	ck_assert_int_eq(op_of(sum), IR_ADD);
}
END_TEST

START_TEST(leaves_out_numbering)
{
	b->left_out = IR_LEAVE_OUT_NUMBERING;
	uint32_t in = ir_binding(b, "in", U32, false, 1);
	ir_id x = ir_load(b, in, ir_u32(b, 0)), y = ir_load(b, in, ir_u32(b, 0));

	ck_assert_uint_ne(x, y);
	ck_assert_uint_ne(compute(IR_ADD, x, y), compute(IR_ADD, x, y));
	ck_assert_uint_eq(ir_bits(b, compute(IR_ADD, ir_u32(b, 3), ir_u32(b, 4))), 7);
	finish();
}
END_TEST

START_TEST(leaves_out_dropping)
{
	b->left_out = IR_LEAVE_OUT_DROPPING;
	ir_id unused = ir_builtin(b, IR_LOCAL_ID_X);

	ck_assert_int_eq(finish()->insts[unused].op, IR_BUILTIN);
	ir_begin(b, (const uint32_t[3]){1, 1, 1});
	ck_assert_uint_eq(b->left_out, IR_LEAVE_OUT_DROPPING);
}
END_TEST

/* Whatever is left out, the module means the same: the last of these leave out each combination. */
#define RANDOM_WHOLE 200
#define RANDOM_ALL   (RANDOM_WHOLE + 7 * 20)

#define LEAVES 8
#define NODES  40

START_TEST(random_expressions)
{
	static const enum ir_op ops[] = {IR_ADD, IR_ADD, IR_SUB, IR_MUL, IR_MUL, IR_MIN, IR_MAX,
	        IR_DIV, IR_MOD, IR_AND, IR_OR, IR_XOR, IR_SHL, IR_SHR};
	static const uint32_t constants[] = {0, 1, 2, 3, 4, 7, 8, 12, 31, 16, UINT32_MAX, 1000003};
	uint32_t in[LEAVES], results[1], values[LEAVES + NODES];
	ir_id ids[LEAVES + NODES];

	random_state = (uint32_t)_i * 7919 + 1;
	b->left_out = _i < RANDOM_WHOLE ? 0 : 1 + (uint32_t)_i % 7;
	uint32_t a = ir_binding(b, "a", U32, false, LEAVES),
	         out = ir_binding(b, "out", U32, true, 1);
	for (uint32_t i = 0; i < LEAVES; i++) {
		bool is_const = i >= LEAVES / 2;
		values[i] = is_const ? constants[random_u32() % (sizeof constants / 4)]
		                     : random_u32() >> random_u32() % 32;
		in[i] = values[i];
		ids[i] = is_const ? ir_u32(b, values[i]) : ir_load(b, a, ir_u32(b, i));
	}
	for (uint32_t i = LEAVES; i < LEAVES + NODES; i++) {
		enum ir_op op = ops[random_u32() % (sizeof ops / sizeof *ops)];
		uint32_t x = random_u32() % i, y = random_u32() % i;
		if (op == IR_SHL || op == IR_SHR) /* shift counts are below 32 */
			y = LEAVES - 1, values[y] %= 32, ids[y] = ir_u32(b, values[y]);
		values[i] = eval_u32(op, values[x], values[y]);
		ids[i] = compute(op, ids[x], ids[y]);
	}
	ir_store(b, out, ir_u32(b, 0), ids[LEAVES + NODES - 1]);
	struct emit_eval run = {.workgroups = {1, 1, 1}, .buffers = {in, results}};
	const struct ir_module *module;
	ck_assert_int_eq(ir_finish(b, &module), 0);
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_uint_eq(run.out_of_bounds, 0);
	ck_assert_uint_eq(results[0], values[LEAVES + NODES - 1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ir");
	TCase *tcase = tcase_create("ir");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, folds_u32, 0, (int)(sizeof u32_folds / sizeof *u32_folds));
	tcase_add_loop_test(tcase, folds_f32, 0, (int)(sizeof f32_folds / sizeof *f32_folds));
	tcase_add_loop_test(tcase, folds_f16, 0, (int)(sizeof f16_folds / sizeof *f16_folds));
	tcase_add_test(tcase, converts_f16);
	tcase_add_test(tcase, keeps_bits);
	tcase_add_loop_test(
	        tcase, folds_to_specials, 0, (int)(sizeof special_folds / sizeof *special_folds));
	tcase_add_loop_test(tcase, leaves_unsafe_floats, 0,
	        (int)(sizeof unsafe_floats / sizeof *unsafe_floats));
	tcase_add_test(tcase, leaves_float_algebra);
	tcase_add_test(tcase, folds_signed_conversions_compares_and_bools);
	tcase_add_loop_test(
	        tcase, simplifies, 0, (int)(sizeof simplifications / sizeof *simplifications));
	tcase_add_test(tcase, joins_constants);
	tcase_add_test(tcase, simplifies_logic);
	tcase_add_test(tcase, takes_vectors_apart);
	tcase_add_test(tcase, numbers_values);
	tcase_add_test(tcase, forgets_what_a_block_defined);
	tcase_add_test(tcase, keeps_numbering_as_it_grows);
	tcase_add_test(tcase, counts_uses_and_drops_the_dead);
	tcase_add_test(tcase, drops_what_is_never_entered);
	tcase_add_test(tcase, leaves_out_folding);
	tcase_add_test(tcase, leaves_out_numbering);
	tcase_add_test(tcase, leaves_out_dropping);
	tcase_add_loop_test(tcase, random_expressions, 0, RANDOM_ALL);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
