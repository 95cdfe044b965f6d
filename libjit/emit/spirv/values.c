/* SPDX-License-Identifier: Apache-2.0
 *
 * SPIR-V of the values that need no memory: computing rows, lanes, conversions, subgroups. Each
 * becomes one instruction of the body, two at most; ir.def's columns say which.
 */
#include "emit/spirv/module.h"

#include <spirv/unified1/GLSL.std.450.h>

/* ---- Computing rows: ir.def's opcode columns. */

#define EXTENDED 0x8000 /* an instruction of GLSL.std.450 */
#define EXT(x)   (EXTENDED | GLSLstd450##x)

static const uint16_t opcodes[IR_OP_COUNT][IR_SCALAR_COUNT] = {
#define ALL_NUMBERS(spv_float, spv_int, spv_uint)                               \
	{                                                                       \
		[IR_F32] = spv_float, [IR_F16] = spv_float, [IR_I32] = spv_int, \
		[IR_U32] = spv_uint                                             \
	}
#define IR_ARITH(name, arity, text, spv_float, spv_int, spv_uint, ...) \
	[IR_##name] = ALL_NUMBERS(spv_float, spv_int, spv_uint),
#define IR_FLOAT(name, arity, text, spv_float, ...) \
	[IR_##name] = {[IR_F32] = spv_float, [IR_F16] = spv_float},
#define IR_INT(name, arity, text, spv_int, spv_uint, ...) \
	[IR_##name] = {[IR_I32] = spv_int, [IR_U32] = spv_uint},
#define IR_COMPARE(name, text, spv_float, spv_int, spv_uint, ...) \
	[IR_##name] = ALL_NUMBERS(spv_float, spv_int, spv_uint),
#define IR_LOGIC(name, arity, text, spv_bool, ...) [IR_##name] = {[IR_BOOL] = spv_bool},
#define IR_SUBGROUP(name, over, spv_float, spv_int, spv_uint) \
	[IR_##name] = ALL_NUMBERS(spv_float, spv_int, spv_uint),
#include "ir/ir.def"
};

/* WGSL's min and max are those that answer a number where one operand is NaN. */
static uint32_t minding_nan(uint32_t opcode)
{
	return opcode == EXT(FMin) ? EXT(NMin) : opcode == EXT(FMax) ? EXT(NMax) : opcode;
}

/* As the web has it: WGSL's != would be false of NaN, so that text/wgsl.c writes !(x == y). */
static void compute_unequal(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	uint32_t type = type_id(e, inst->type), equal = e->next_id++;

	PUT(&e->body, SpvOpFOrdEqual, type, equal, e->ids[inst->arg[0]], e->ids[inst->arg[1]]);
	PUT(&e->body, SpvOpLogicalNot, type, result, equal);
}

static void compute(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	ir_type operand = e->module->insts[inst->arg[0]].type;
	uint32_t opcode = opcodes[inst->op][ir_scalar_of(operand)];
	uint32_t words[7], count = 0;

	if (e->bounds && opcode == SpvOpFUnordNotEqual) {
		compute_unequal(e, inst, result);
		return;
	}
	if (e->bounds)
		opcode = minding_nan(opcode);
	words[count++] = type_id(e, inst->type);
	words[count++] = result;
	if (opcode & EXTENDED) {
		words[count++] = e->glsl;
		words[count++] = opcode & ~EXTENDED;
	}
	for (uint32_t i = 0; i < ir_op_infos[inst->op].values; i++)
		words[count++] = e->ids[inst->arg[i]];
	put_words(&e->body, opcode & EXTENDED ? SpvOpExtInst : (SpvOp)opcode, words, count);
}

/* ---- Lanes. */

/* SPIR-V 1.3 selects vectors by a vector of conditions. */
static void emit_select(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	uint32_t condition = e->ids[inst->arg[0]], lanes = ir_lanes_of(inst->type);

	if (lanes > 1 && ir_lanes_of(e->module->insts[inst->arg[0]].type) == 1) {
		uint32_t type = type_id(e, IR_TYPE(IR_BOOL, lanes)), id = e->next_id++;
		const uint32_t words[] = {type, id, condition, condition, condition, condition};
		put_words(&e->body, SpvOpCompositeConstruct, words, 2 + lanes);
		condition = id;
	}
	PUT(&e->body, SpvOpSelect, type_id(e, inst->type), result, condition, e->ids[inst->arg[1]],
	        e->ids[inst->arg[2]]);
}

static void emit_compose(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	uint32_t words[6] = {type_id(e, inst->type), result};
	uint32_t lanes = ir_lanes_of(inst->type);

	for (uint32_t i = 0; i < lanes; i++)
		words[2 + i] = e->ids[inst->arg[inst->op == IR_SPLAT ? 0 : i]];
	put_words(&e->body, SpvOpCompositeConstruct, words, 2 + lanes);
}

/* ---- Conversions. */

/* Bits (one or all lanes) as a value of `type`. */
static uint32_t filled(struct spirv *e, ir_type type, uint32_t bits)
{
	uint32_t scalar = spirv_constant(e, IR_TYPE(ir_scalar_of(type), 1), bits);

	return ir_lanes_of(type) == 1 ? scalar : spirv_constant_splat(e, type, scalar);
}

static uint32_t one_bits(enum ir_scalar scalar)
{
	return scalar == IR_F32 ? 0x3f800000 : scalar == IR_F16 ? 0x3c00 : 1;
}

/* [from][to]; from bool it is a choice. */
static const uint16_t conversions[IR_SCALAR_COUNT][IR_SCALAR_COUNT] = {
        [IR_F32] = {[IR_BOOL] = SpvOpFUnordNotEqual,
                [IR_I32] = SpvOpConvertFToS,
                [IR_U32] = SpvOpConvertFToU,
                [IR_F16] = SpvOpFConvert},
        [IR_F16] = {[IR_BOOL] = SpvOpFUnordNotEqual,
                [IR_I32] = SpvOpConvertFToS,
                [IR_U32] = SpvOpConvertFToU,
                [IR_F32] = SpvOpFConvert},
        [IR_I32] = {[IR_BOOL] = SpvOpINotEqual,
                [IR_F32] = SpvOpConvertSToF,
                [IR_F16] = SpvOpConvertSToF,
                [IR_U32] = SpvOpBitcast},
        [IR_U32] = {[IR_BOOL] = SpvOpINotEqual,
                [IR_F32] = SpvOpConvertUToF,
                [IR_F16] = SpvOpConvertUToF,
                [IR_I32] = SpvOpBitcast},
};

static void emit_convert(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	ir_type from = e->module->insts[inst->arg[0]].type;
	enum ir_scalar to = ir_scalar_of(inst->type);
	SpvOp op = (SpvOp)conversions[ir_scalar_of(from)][to];
	uint32_t type = type_id(e, inst->type), value = e->ids[inst->arg[0]];

	if (ir_scalar_of(from) == IR_BOOL) {
		uint32_t one = filled(e, inst->type, one_bits(to));
		PUT(&e->body, SpvOpSelect, type, result, value, one, filled(e, inst->type, 0));
	} else if (to == IR_BOOL) {
		PUT(&e->body, op, type, result, value, filled(e, from, 0));
	} else {
		PUT(&e->body, op, type, result, value);
	}
}

static void emit_halves(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	PUT(&e->body, SpvOpExtInst, type_id(e, inst->type), result, e->glsl,
	        GLSLstd450UnpackHalf2x16, e->ids[inst->arg[0]]);
}

/* ---- What takes an opcode by the scalar. */

static void emit_subgroup(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	uint16_t op = opcodes[inst->op][ir_scalar_of(inst->type)];

	PUT(&e->body, (SpvOp)op, type_id(e, inst->type), result, u32_id(e, SpvScopeSubgroup),
	        SpvGroupOperationReduce, e->ids[inst->arg[0]]);
}

static void emit_quad_swap(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	static const uint8_t directions[IR_OP_COUNT] = {
#define IR_QUAD(name, way, spv_direction) [IR_##name] = spv_direction,
#include "ir/ir.def"
	};
	uint32_t direction = u32_id(e, directions[inst->op]);

	PUT(&e->body, SpvOpGroupNonUniformQuadSwap, type_id(e, inst->type), result,
	        u32_id(e, SpvScopeSubgroup), e->ids[inst->arg[0]], direction);
}

static void emit_dot(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	PUT(&e->body, SpvOpSDotKHR, type_id(e, inst->type), result, e->ids[inst->arg[0]],
	        e->ids[inst->arg[1]], SpvPackedVectorFormatPackedVectorFormat4x8BitKHR);
}

/* ---- The door. */

void spirv_value(struct spirv *e, ir_id id, const struct ir_inst *inst, uint32_t result)
{
	if (e->bounds && spirv_guarded_value(e, id, inst, result))
		return;
	switch (inst->op) {
	case IR_SELECT:
		emit_select(e, inst, result);
		break;
	case IR_SPLAT:
	case IR_COMPOSE:
		emit_compose(e, inst, result);
		break;
	case IR_EXTRACT:
		PUT(&e->body, SpvOpCompositeExtract, type_id(e, inst->type), result,
		        e->ids[inst->arg[0]], inst->arg[1]);
		break;
	case IR_CONVERT:
		emit_convert(e, inst, result);
		break;
	case IR_BITCAST:
		PUT(&e->body, SpvOpBitcast, type_id(e, inst->type), result, e->ids[inst->arg[0]]);
		break;
	case IR_UNPACK_HALF:
		emit_halves(e, inst, result);
		break;
#define IR_SUBGROUP(name, ...) case IR_##name:
#include "ir/ir.def"
		emit_subgroup(e, inst, result);
		break;
#define IR_QUAD(name, ...) case IR_##name:
#include "ir/ir.def"
		emit_quad_swap(e, inst, result);
		break;
	case IR_DOT4I8:
		emit_dot(e, inst, result);
		break;
	default:
		compute(e, inst, result);
	}
}
