/* SPDX-License-Identifier: Apache-2.0
 *
 * What Tint adds to keep a page's shader within its buffers and its results defined: clamps of
 * indices that its range analysis (emit/bounds.h) does not prove, divisors that are never zero,
 * shifts below 32. Only for SPIR-V that is to be as the web has it.
 */
#include "emit/spirv/module.h"

#include <spirv/unified1/GLSL.std.450.h>

uint32_t spirv_put2(struct spirv *e, SpvOp op, ir_type type, uint32_t x, uint32_t y)
{
	uint32_t of = type_id(e, type), id = e->next_id++;

	PUT(&e->body, op, of, id, x, y);
	return id;
}

/* ---- Indices. */

static uint32_t minimum(struct spirv *e, struct buffer *section, uint32_t x, uint32_t y)
{
	uint32_t type = type_id(e, IR_TYPE(IR_U32, 1)), id = e->next_id++;

	PUT(section, SpvOpExtInst, type, id, e->glsl, GLSLstd450UMin, x, y);
	return id;
}

uint32_t spirv_at_most(struct spirv *e, struct buffer *section, uint32_t x, uint32_t most)
{
	return minimum(e, section, x, u32_id(e, most));
}

static uint32_t below_length(struct spirv *e, uint32_t index, uint32_t binding)
{
	uint32_t type = type_id(e, IR_TYPE(IR_U32, 1)), length = e->next_id++;

	PUT(&e->body, SpvOpArrayLength, type, length, e->bindings[binding], 0);
	uint32_t last = spirv_put2(e, SpvOpISub, IR_TYPE(IR_U32, 1), length, u32_id(e, 1));
	return minimum(e, &e->body, index, last);
}

uint32_t spirv_guarded_index(struct spirv *e, const struct ir_inst *inst, uint32_t n)
{
	bool is_storage = inst->op == IR_LOAD || inst->op == IR_STORE;
	uint32_t index = e->ids[inst->arg[0]];

	if (is_storage && !e->clamps_storage)
		return index;
	if (is_storage && !e->module->workgroups[0])
		return below_length(e, index, n);
	uint32_t length = is_storage ? e->module->bindings[n].length : e->module->shared[n].length;
	if (e->bounds[inst->arg[0]].most < length)
		return index;
	return spirv_at_most(e, &e->body, index, length - 1);
}

/* ---- Values. */

static bool is_constant(const struct spirv *e, ir_id id)
{
	const struct ir_inst *inst = &e->module->insts[id];

	return inst->op == IR_CONST || (inst->op == IR_SPLAT && is_constant(e, inst->arg[0]));
}

static uint32_t filled(struct spirv *e, ir_type type, uint32_t bits)
{
	uint32_t scalar = spirv_constant(e, IR_TYPE(ir_scalar_of(type), 1), bits);

	return ir_lanes_of(type) == 1 ? scalar : spirv_constant_splat(e, type, scalar);
}

/* The divisor, or 1 for 0. */
static uint32_t not_zero(struct spirv *e, ir_type type, uint32_t divisor)
{
	ir_type condition = IR_TYPE(IR_BOOL, ir_lanes_of(type));
	uint32_t test = spirv_put2(e, SpvOpIEqual, condition, divisor, filled(e, type, 0));
	uint32_t one = filled(e, type, 1), of = type_id(e, type), id = e->next_id++;

	PUT(&e->body, SpvOpSelect, of, id, test, one, divisor);
	return id;
}

static void divide(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	bool is_signed = ir_scalar_of(inst->type) == IR_I32;
	uint32_t x = e->ids[inst->arg[0]], y = not_zero(e, inst->type, e->ids[inst->arg[1]]);
	SpvOp op = is_signed ? SpvOpSDiv : SpvOpUDiv;

	if (inst->op == IR_DIV) {
		PUT(&e->body, op, type_id(e, inst->type), result, x, y);
		return;
	}
	uint32_t whole = spirv_put2(e, op, inst->type, x, y);
	uint32_t times = spirv_put2(e, SpvOpIMul, inst->type, whole, y);
	PUT(&e->body, SpvOpISub, type_id(e, inst->type), result, x, times);
}

static void shift(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	ir_type type = e->module->insts[inst->arg[1]].type;
	uint32_t count = spirv_put2(
	        e, SpvOpBitwiseAnd, type, e->ids[inst->arg[1]], filled(e, type, 31));
	SpvOp right = ir_scalar_of(inst->type) == IR_I32 ? SpvOpShiftRightArithmetic
	                                                 : SpvOpShiftRightLogical;

	PUT(&e->body, inst->op == IR_SHL ? SpvOpShiftLeftLogical : right, type_id(e, inst->type),
	        result, e->ids[inst->arg[0]], count);
}

static void mask(struct spirv *e, const struct ir_inst *inst, uint32_t most, uint32_t result)
{
	uint32_t masked = spirv_put2(
	        e, SpvOpBitwiseAnd, inst->type, e->ids[inst->arg[0]], e->ids[inst->arg[1]]);

	PUT(&e->body, SpvOpExtInst, type_id(e, inst->type), result, e->glsl, GLSLstd450UMin, masked,
	        u32_id(e, most));
}

bool spirv_guarded_value(struct spirv *e, ir_id id, const struct ir_inst *inst, uint32_t result)
{
	bool is_division = inst->op == IR_DIV || inst->op == IR_MOD;
	bool is_shift = inst->op == IR_SHL || inst->op == IR_SHR;
	uint32_t most;

	if (is_division && !is_constant(e, inst->arg[1]))
		divide(e, inst, result);
	else if (is_shift && !is_constant(e, inst->arg[1]))
		shift(e, inst, result);
	else if (emit_is_mask(e->module, e->bounds, id, &most))
		mask(e, inst, most, result);
	else
		return false;
	return true;
}
