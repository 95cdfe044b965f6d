/* SPDX-License-Identifier: Apache-2.0
 *
 * What the builder knows of algebra: constants fold by ir.def's expressions, integer operations
 * with a constant become cheaper ones, operands get a fixed order. Exact in every bit and the
 * same on every machine; float algebra is never reordered nor taken for that of real numbers, so
 * that infinities and NaN stay what they are, and what has no certain last bit (EXP, LOG, SIN, ...)
 * is left to the device.
 */
#include "ir/builder.h"

#include "base/half.h"

#include <math.h>
#include <string.h>

enum kind { STRUCT, ARITH, FLOAT, INT, COMPARE, LOGIC };

static const uint8_t kinds[IR_OP_COUNT] = {
#define IR_ARITH(name, ...)   [IR_##name] = ARITH,
#define IR_FLOAT(name, ...)   [IR_##name] = FLOAT,
#define IR_INT(name, ...)     [IR_##name] = INT,
#define IR_COMPARE(name, ...) [IR_##name] = COMPARE,
#define IR_LOGIC(name, ...)   [IR_##name] = LOGIC,
#include "ir/ir.def"
};

/* ---- Folding: ir.def's expressions over one lane. */

static float fold_f32(enum ir_op op, float a, float b, float c)
{
	switch (op) {
#define IR_ARITH(name, arity, text, spv_float, spv_int, spv_uint, expression) \
	case IR_##name:                                                       \
		return expression;
#define IR_FLOAT(name, arity, text, spv_float, expression) \
	case IR_##name:                                    \
		return expression;
#include "ir/ir.def"
	default:
		return NAN;
	}
}

static uint32_t fold_u32(enum ir_op op, uint32_t a, uint32_t b)
{
	switch (op) {
#define IR_ARITH(name, arity, text, spv_float, spv_int, spv_uint, expression) \
	case IR_##name:                                                       \
		return expression;
#define IR_INT(name, arity, text, spv_int, spv_uint, expression) \
	case IR_##name:                                          \
		return expression;
#include "ir/ir.def"
	default:
		return 0;
	}
}

/* In 64 bits, so that nothing overflows before it is cut to 32. */
static uint32_t fold_i32(enum ir_op op, int64_t a, int64_t b)
{
	if (op == IR_SHL) /* shifting a negative to the left has no meaning in C */
		return (uint32_t)a << b;
	switch (op) {
#define IR_ARITH(name, arity, text, spv_float, spv_int, spv_uint, expression) \
	case IR_##name:                                                       \
		return (uint32_t)(expression);
#define IR_INT(name, arity, text, spv_int, spv_uint, expression) \
	case IR_##name:                                          \
		return (uint32_t)(expression);
#include "ir/ir.def"
	default:
		return 0;
	}
}

static bool compare_f32(enum ir_op op, float a, float b)
{
	switch (op) {
#define IR_COMPARE(name, text, spv_float, spv_int, spv_uint, expression) \
	case IR_##name:                                                  \
		return expression;
#include "ir/ir.def"
	default:
		return false;
	}
}

static bool compare_int(enum ir_op op, int64_t a, int64_t b)
{
	switch (op) {
#define IR_COMPARE(name, text, spv_float, spv_int, spv_uint, expression) \
	case IR_##name:                                                  \
		return expression;
#include "ir/ir.def"
	default:
		return false;
	}
}

static bool fold_bool(enum ir_op op, bool a, bool b)
{
	switch (op) {
#define IR_LOGIC(name, arity, text, spv_bool, expression) \
	case IR_##name:                                   \
		return expression;
#include "ir/ir.def"
	default:
		return false;
	}
}

static float float_of(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static bool is_float(enum ir_scalar scalar)
{
	return scalar == IR_F32 || scalar == IR_F16;
}

/* A constant of either kind of float, widened. */
static float widened(enum ir_scalar scalar, uint32_t bits)
{
	return scalar == IR_F16 ? half_to_float((uint16_t)bits) : float_of(bits);
}

/* Whether IEEE 754 says what the last bit is, so that all machines agree. */
static bool is_exact(enum ir_op op)
{
	switch (op) {
	case IR_EXP:
	case IR_LOG:
	case IR_RSQRT:
	case IR_POW:
	case IR_SIN:
	case IR_COS:
		return false;
	default:
		return true;
	}
}

/* f16 is computed in f32 and rounded once more: exact but for FMA, whose last bit is then that of
 * the interpreter. An infinity and a NaN have no last bit, and WGSL refuses an expression of
 * constants that gives one: those are folded always. */
static ir_id fold_float(
        struct ir_builder *b, enum ir_op op, enum ir_scalar scalar, const uint32_t bits[3])
{
	float value = fold_f32(
	        op, widened(scalar, bits[0]), widened(scalar, bits[1]), widened(scalar, bits[2]));
	if (scalar == IR_F16)
		value = half_to_float(half_of_float(value));
	return is_exact(op) || !isfinite(value) ? ir_float(b, scalar, value) : 0;
}

static ir_id fold_compare(
        struct ir_builder *b, enum ir_op op, enum ir_scalar scalar, const uint32_t bits[3])
{
	bool value;

	if (is_float(scalar))
		value = compare_f32(op, widened(scalar, bits[0]), widened(scalar, bits[1]));
	else if (scalar == IR_I32)
		value = compare_int(op, (int32_t)bits[0], (int32_t)bits[1]);
	else
		value = compare_int(op, bits[0], bits[1]);
	return ir_constant(b, IR_BOOL, value);
}

static ir_id fold(
        struct ir_builder *b, enum ir_op op, enum ir_scalar scalar, const uint32_t bits[3])
{
	uint32_t second = op == IR_SHL || op == IR_SHR ? bits[1] & 31 : bits[1];

	if (kinds[op] == COMPARE)
		return fold_compare(b, op, scalar, bits);
	if (kinds[op] == LOGIC)
		return ir_constant(b, IR_BOOL, fold_bool(op, bits[0], bits[1]));
	if (is_float(scalar))
		return fold_float(b, op, scalar, bits);
	if (scalar == IR_I32)
		return ir_constant(b, IR_I32, fold_i32(op, (int32_t)bits[0], (int32_t)second));
	return ir_u32(b, fold_u32(op, bits[0], second));
}

/* A float to an integer: toward zero. */
static bool truncate_bits(enum ir_scalar to, double value, uint32_t *ret_bits)
{
	if (to == IR_I32 && value > -2147483649.0 && value < 2147483648.0)
		*ret_bits = (uint32_t)(int32_t)value;
	else if (to == IR_U32 && value > -1 && value < 4294967296.0)
		*ret_bits = (uint32_t)value;
	else
		return false;
	return true;
}

bool ir_convert_bits(enum ir_scalar from, enum ir_scalar to, uint32_t bits, uint32_t *ret_bits)
{
	double value = is_float(from)   ? widened(from, bits)
	               : from == IR_I32 ? (int32_t)bits
	                                : (double)bits;
	float rounded = (float)value;

	if (to == IR_BOOL)
		*ret_bits = value != 0;
	else if (to == IR_F32)
		memcpy(ret_bits, &rounded, sizeof *ret_bits);
	else if (to == IR_F16)
		*ret_bits = half_of_float(rounded);
	else if (is_float(from))
		return truncate_bits(to, value, ret_bits);
	else
		*ret_bits = bits;
	return true;
}

/* ---- Integer algebra. Each answers the simpler value, or 0 for none. */

static inline bool is_power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

/* x is itself `inner` of a value and a constant: which. */
static bool is_of_const(
        const struct ir_builder *b, ir_id x, enum ir_op inner, ir_id *ret_value, uint32_t *ret_bits)
{
	const struct ir_inst *inst = ir_at(b, x);

	if (inst->op != inner || !ir_is_const(b, inst->arg[1]))
		return false;
	*ret_value = inst->arg[0];
	*ret_bits = ir_bits(b, inst->arg[1]);
	return true;
}

static ir_id with_const(struct ir_builder *b, enum ir_op op, ir_id x, uint32_t c)
{
	return ir_compute(b, op, x, ir_u32(b, c), 0);
}

static ir_id multiply_const(struct ir_builder *b, ir_id x, uint32_t c)
{
	uint32_t inner_bits;
	ir_id inner;

	if (is_of_const(b, x, IR_MUL, &inner, &inner_bits))
		return with_const(b, IR_MUL, inner, c * inner_bits);
	if (is_of_const(b, x, IR_SHL, &inner, &inner_bits) && inner_bits < 32)
		return with_const(b, IR_MUL, inner, c << inner_bits);
	return is_power_of_two(c) ? with_const(b, IR_SHL, x, (uint32_t)__builtin_ctz(c)) : 0;
}

/* (x op c1) op c: the same operation again adds its constants up, a shift's only below 32. */
static ir_id join_const(struct ir_builder *b, enum ir_op op, ir_id x, uint32_t c)
{
	uint32_t inner_bits;
	ir_id inner;

	if (!is_of_const(b, x, op, &inner, &inner_bits))
		return 0;
	if (op != IR_ADD && (uint64_t)c + inner_bits > 31)
		return 0;
	return with_const(b, op, inner, c + inner_bits);
}

/* x op c for u32, c being neither 0 nor 1. */
static ir_id simplify_u32(struct ir_builder *b, enum ir_op op, ir_id x, uint32_t c)
{
	switch (op) {
	case IR_ADD:
	case IR_SHL:
	case IR_SHR:
		return join_const(b, op, x, c);
	case IR_MUL:
		return multiply_const(b, x, c);
	case IR_DIV:
		return is_power_of_two(c) ? with_const(b, IR_SHR, x, (uint32_t)__builtin_ctz(c))
		                          : 0;
	case IR_MOD:
		return is_power_of_two(c) ? with_const(b, IR_AND, x, c - 1) : 0;
	case IR_AND:
		return c == UINT32_MAX ? x : 0;
	default:
		return 0;
	}
}

/* x op `zero`, whose value is 0. */
static ir_id simplify_zero(
        struct ir_builder *b, enum ir_op op, ir_id x, ir_id zero, bool is_unsigned)
{
	switch (op) {
	case IR_ADD:
	case IR_SUB:
	case IR_OR:
	case IR_XOR:
	case IR_SHL:
	case IR_SHR:
		return x;
	case IR_MUL:
	case IR_AND:
		return zero;
	case IR_MIN:
		return is_unsigned ? zero : 0;
	case IR_MAX:
		return is_unsigned ? x : 0;
	case IR_LT:
	case IR_GE:
		return is_unsigned ? ir_constant(b, IR_BOOL, op == IR_GE) : 0;
	default:
		return 0;
	}
}

/* x op y for integers, y being the constant c. */
static ir_id simplify_const(
        struct ir_builder *b, const struct ir_inst *inst, enum ir_scalar scalar, uint32_t c)
{
	enum ir_op op = (enum ir_op)inst->op;
	ir_id x = inst->arg[0];

	if (c == 0)
		return simplify_zero(b, op, x, inst->arg[1], scalar == IR_U32);
	if (c == 1 && (op == IR_MUL || op == IR_DIV))
		return x;
	if (c == 1 && op == IR_MOD)
		return ir_constant(b, scalar, 0);
	return scalar == IR_U32 ? simplify_u32(b, op, x, c) : 0;
}

/* x op x for integers. */
static ir_id simplify_same(struct ir_builder *b, enum ir_op op, ir_id x, enum ir_scalar scalar)
{
	switch (op) {
	case IR_SUB:
	case IR_XOR:
		return ir_constant(b, scalar, 0);
	case IR_MIN:
	case IR_MAX:
	case IR_AND:
	case IR_OR:
		return x;
	case IR_EQ:
	case IR_GE:
		return ir_constant(b, IR_BOOL, true);
	case IR_NE:
	case IR_LT:
		return ir_constant(b, IR_BOOL, false);
	default:
		return 0;
	}
}

/* The low bits of a word, and all above them put down and up again: the word. */
static ir_id simplify_rejoined(const struct ir_builder *b, ir_id x, ir_id y)
{
	uint32_t mask, up, down;
	ir_id low, lowered, high;

	if (ir_at(b, x)->op == IR_SHL) {
		ir_id other = x;
		x = y;
		y = other;
	}
	if (!is_of_const(b, x, IR_AND, &low, &mask) || !is_of_const(b, y, IR_SHL, &lowered, &up) ||
	        !is_of_const(b, lowered, IR_SHR, &high, &down))
		return 0;
	return low == high && up == down && up < 32 && mask == (1u << up) - 1 ? low : 0;
}

static ir_id simplify_logic(const struct ir_builder *b, const struct ir_inst *inst)
{
	if (ir_is_const(b, inst->arg[1]))
		return inst->arg[(ir_bits(b, inst->arg[1]) != 0) == (inst->op == IR_LAND) ? 0 : 1];
	return inst->arg[0] == inst->arg[1] ? inst->arg[0] : 0;
}

/* Scalars that are not floats, operands in order. */
static ir_id simplify_scalar(
        struct ir_builder *b, const struct ir_inst *inst, enum ir_scalar scalar)
{
	if (scalar == IR_BOOL)
		return simplify_logic(b, inst);
	if (ir_is_const(b, inst->arg[1]))
		return simplify_const(b, inst, scalar, ir_bits(b, inst->arg[1]));
	if (inst->arg[0] == inst->arg[1])
		return simplify_same(b, (enum ir_op)inst->op, inst->arg[0], scalar);
	if (inst->op == IR_OR && scalar == IR_U32)
		return simplify_rejoined(b, inst->arg[0], inst->arg[1]);
	return 0;
}

/* ---- The door. */

static bool commutes(enum ir_op op)
{
	switch (op) {
	case IR_ADD:
	case IR_MUL:
	case IR_FMA:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_EQ:
	case IR_NE:
	case IR_LAND:
	case IR_LOR:
		return true;
	default: /* not MIN and MAX: think of NaN and of signed zeros */
		return false;
	}
}

/* By id, but a constant always second. */
static void order_operands(const struct ir_builder *b, struct ir_inst *inst)
{
	ir_id x = inst->arg[0], y = inst->arg[1];
	bool x_const = ir_is_const(b, x), y_const = ir_is_const(b, y);

	if (!commutes((enum ir_op)inst->op) || (x_const == y_const ? x <= y : y_const))
		return;
	inst->arg[0] = y;
	inst->arg[1] = x;
}

static bool all_const(const struct ir_builder *b, const struct ir_inst *inst, uint32_t arity)
{
	for (uint32_t i = 0; i < arity; i++)
		if (!ir_is_const(b, inst->arg[i]))
			return false;
	return true;
}

ir_id ir_simplify(struct ir_builder *b, struct ir_inst *inst)
{
	ir_type type = ir_at(b, inst->arg[0])->type;
	enum ir_scalar scalar = ir_scalar_of(type);
	uint32_t arity = ir_op_infos[inst->op].values;

	inst->type = kinds[inst->op] == COMPARE ? IR_TYPE(IR_BOOL, ir_lanes_of(type)) : type;
	if (all_const(b, inst, arity))
		return fold(b, (enum ir_op)inst->op, scalar,
		        (const uint32_t[3]){ir_bits(b, inst->arg[0]), ir_bits(b, inst->arg[1]),
		                ir_bits(b, inst->arg[2])});
	if (arity < 2)
		return 0;
	order_operands(b, inst);
	if (is_float(scalar) || ir_lanes_of(type) > 1 || !ir_folds(b))
		return 0;
	return simplify_scalar(b, inst, scalar);
}
