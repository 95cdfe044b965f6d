/* SPDX-License-Identifier: Apache-2.0
 *
 * The checker's rules of types, by row of ir.def: which operands an instruction takes and which
 * result follows from them.
 */
#include "ir/check.h"

#include <stddef.h>
#include <string.h>

#define U32  IR_TYPE(IR_U32, 1)
#define BOOL IR_TYPE(IR_BOOL, 1)

static ir_type same_lanes(ir_type type, enum ir_scalar scalar)
{
	return IR_TYPE(scalar, ir_lanes_of(type));
}

static const char *check_scalars(const struct checker *c, bool accepted, ir_type result)
{
	if (!accepted)
		return "it does not accept operands of this scalar";
	for (uint32_t i = 1; i < ir_op_infos[c->inst->op].values; i++)
		if (check_type_of(c, i) != check_type_of(c, 0))
			return "operand types differ";
	return c->inst->type == result ? NULL : "the result type does not follow from the operands";
}

static bool divides_by_zero(const struct checker *c)
{
	const struct ir_inst *divisor = &c->module->insts[c->inst->arg[1]];

	return (c->inst->op == IR_DIV || c->inst->op == IR_MOD) && divisor->op == IR_CONST &&
	       !divisor->arg[0];
}

static const char *check_computed(const struct checker *c)
{
	ir_type type = check_type_of(c, 0);
	enum ir_scalar scalar = ir_scalar_of(type);
	bool is_int = scalar == IR_I32 || scalar == IR_U32;
	bool is_float = scalar == IR_F32 || scalar == IR_F16;

	if (divides_by_zero(c))
		return "the divisor is the constant 0";
	switch (c->inst->op) {
#define IR_ARITH(name, ...) case IR_##name:
#include "ir/ir.def"
		return check_scalars(c, is_int || is_float, type);
#define IR_FLOAT(name, ...) case IR_##name:
#include "ir/ir.def"
		return check_scalars(c, is_float, type);
#define IR_INT(name, ...) case IR_##name:
#include "ir/ir.def"
		return check_scalars(c, is_int, type);
#define IR_COMPARE(name, ...) case IR_##name:
#include "ir/ir.def"
		return check_scalars(c, is_int || is_float, same_lanes(type, IR_BOOL));
	default:
		return check_scalars(c, scalar == IR_BOOL, type);
	}
}

static const char *check_const(const struct checker *c)
{
	enum ir_scalar scalar = ir_scalar_of(c->inst->type);
	uint32_t bits = c->inst->arg[0];

	if (ir_lanes_of(c->inst->type) != 1)
		return "a constant is a scalar";
	if (bits != ir_one_nan(scalar, bits))
		return "a constant is a NaN other than the one that constants have";
	if (scalar == IR_BOOL && bits > 1)
		return "a bool constant is 0 or 1";
	if (scalar == IR_F16 && bits > UINT16_MAX)
		return "an f16 constant has more than 16 bits";
	return NULL;
}

static const char *check_leaf(const struct checker *c)
{
	uint32_t which = c->inst->arg[0];

	if (c->inst->op == IR_CONST)
		return check_const(c);
	if (c->inst->op == IR_BUILTIN)
		return c->inst->type == U32 && which < IR_BUILTIN_COUNT ? NULL : "no such builtin";
	return c->inst->type == U32 && which < c->module->uniforms ? NULL : "no such uniform";
}

static const char *check_select(const struct checker *c)
{
	ir_type type = c->inst->type;

	if (ir_is_matrix(type))
		return "matrices cannot be selected";
	if (check_type_of(c, 0) != BOOL && check_type_of(c, 0) != same_lanes(type, IR_BOOL))
		return "the condition is not a bool, one or as many as the values have lanes";
	return check_type_of(c, 1) == type && check_type_of(c, 2) == type ? NULL
	                                                                  : "operand types differ";
}

static const char *check_bitcast(const struct checker *c)
{
	const struct ir_inst *from = &c->module->insts[c->inst->arg[0]];
	ir_type type = c->inst->type;

	if (!check_is_number(from->type) || !check_is_number(type) || from->type == type ||
	        ir_bytes_of(from->type) != ir_bytes_of(type))
		return "a bitcast is to another type of as many bytes, neither of them bool";
	if (from->op == IR_CONST && !ir_is_finite(ir_scalar_of(type), from->arg[0]))
		return "a constant's bits are not finite: WGSL refuses the cast";
	return NULL;
}

/* From 65520 on a number rounds to no finite f16. */
static bool fits_f16(const struct ir_inst *from)
{
	float value;

	memcpy(&value, &from->arg[0], sizeof value);
	if (ir_scalar_of(from->type) == IR_I32)
		value = (float)(int32_t)from->arg[0];
	else if (ir_scalar_of(from->type) != IR_F32)
		value = (float)from->arg[0];
	return value < 65520 && value > -65520;
}

static const char *check_convert(const struct checker *c)
{
	const struct ir_inst *from = &c->module->insts[c->inst->arg[0]];
	ir_type type = c->inst->type;

	if (ir_is_matrix(type) || ir_is_matrix(from->type) ||
	        ir_lanes_of(from->type) != ir_lanes_of(type) ||
	        ir_scalar_of(from->type) == ir_scalar_of(type))
		return "a conversion changes the scalar and keeps the lanes";
	if (from->op == IR_CONST && ir_scalar_of(type) == IR_F16 && !fits_f16(from))
		return "a constant is not finite as an f16: WGSL refuses the conversion";
	return NULL;
}

static const char *check_halves(const struct checker *c)
{
	return check_type_of(c, 0) == U32 && c->inst->type == IR_TYPE(IR_F32, 2)
	               ? NULL
	               : "two halves are a u32, unpacked a vec2 of f32";
}

static const char *check_dot(const struct checker *c)
{
	if (!c->module->uses_dot4)
		return "the module does not say that it uses the packed dot product";
	return check_type_of(c, 0) == U32 && check_type_of(c, 1) == U32 &&
	                       c->inst->type == IR_TYPE(IR_I32, 1)
	               ? NULL
	               : "a packed dot product is of two u32 and gives an i32";
}

static const char *check_subgroup(const struct checker *c)
{
	if (!c->module->uses_subgroups)
		return "the module does not say that it uses subgroups";
	return c->inst->type == check_type_of(c, 0) && check_is_number(c->inst->type)
	               ? NULL
	               : "the result type does not follow from the operands";
}

static const char *check_extract(const struct checker *c)
{
	ir_type from = check_type_of(c, 0);

	if (c->inst->arg[1] >= ir_lanes_of(from) || ir_lanes_of(from) < 2)
		return "no such lane";
	return c->inst->type == IR_TYPE(ir_scalar_of(from), 1)
	               ? NULL
	               : "the result type does not follow from the operands";
}

static const char *check_compose(const struct checker *c)
{
	ir_type scalar = IR_TYPE(ir_scalar_of(c->inst->type), 1);
	uint32_t lanes = ir_lanes_of(c->inst->type);

	if (lanes < 2)
		return "a vector has 2 to 4 lanes";
	for (uint32_t i = 0; i < (c->inst->op == IR_SPLAT ? 1 : lanes); i++)
		if (check_type_of(c, i) != scalar)
			return "a lane's type is not the vector's scalar";
	return NULL;
}

const char *check_value(const struct checker *c)
{
	if (ir_op_infos[c->inst->op].class == IR_COMPUTES)
		return check_computed(c);
	switch (c->inst->op) {
	case IR_CONST:
	case IR_BUILTIN:
	case IR_UNIFORM:
		return check_leaf(c);
	case IR_SELECT:
		return check_select(c);
	case IR_CONVERT:
		return check_convert(c);
	case IR_BITCAST:
		return check_bitcast(c);
	case IR_UNPACK_HALF:
		return check_halves(c);
	case IR_EXTRACT:
		return check_extract(c);
#define IR_SUBGROUP(name, ...) case IR_##name:
#define IR_QUAD(name, ...)     case IR_##name:
#include "ir/ir.def"
		return check_subgroup(c);
	case IR_DOT4I8:
		return check_dot(c);
	default:
		return check_compose(c);
	}
}
