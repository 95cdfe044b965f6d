/* SPDX-License-Identifier: Apache-2.0
 *
 * Cooperative matrices in SPIR-V, by SPV_KHR_cooperative_matrix: their types, and the instructions
 * that a subgroup executes as one. A module that has any uses the Vulkan memory model, which the
 * extension asks for; so its accesses to workgroup memory say that others see them.
 */
#include "emit/spirv/matrix.h"
#include "emit/spirv/module.h"

uint32_t spirv_make_matrix(struct spirv *e, enum ir_scalar matrix)
{
	const struct ir_matrices *m = &e->module->matrices;
	bool is_a = matrix == IR_MATRIX_A, is_b = matrix == IR_MATRIX_B;
	uint32_t component = type_id(e, IR_TYPE(is_a || is_b ? IR_F16 : IR_F32, 1));
	uint32_t scope = u32_id(e, SpvScopeSubgroup);
	uint32_t rows = u32_id(e, is_b ? m->k : m->m), columns = u32_id(e, is_a ? m->k : m->n);
	uint32_t use = u32_id(e, is_a ? SPIRV_USE_A : is_b ? SPIRV_USE_B : SPIRV_USE_ACCUMULATOR);
	uint32_t id = e->next_id++;

	PUT(&e->globals, (SpvOp)SPIRV_OP_TYPE_COOPERATIVE_MATRIX, id, component, scope, rows,
	        columns, use);
	return id;
}

static uint32_t pointer_to(struct spirv *e, uint32_t index, uint32_t shared)
{
	uint32_t type = pointer_id(e, WORKGROUP, e->module->shared[shared].type);
	uint32_t id = e->next_id++;

	PUT(&e->body, SpvOpAccessChain, type, id, e->shared[shared], e->ids[index]);
	return id;
}

void spirv_matrix_store(struct spirv *e, const struct ir_inst *inst)
{
	uint32_t layout = u32_id(e, SPIRV_LAYOUT_ROW_MAJOR), stride = u32_id(e, inst->arg[3]);
	uint32_t pointer = pointer_to(e, inst->arg[0], inst->arg[2]);

	PUT(&e->body, (SpvOp)SPIRV_OP_COOPERATIVE_MATRIX_STORE, pointer, e->ids[inst->arg[1]],
	        layout, stride, SPIRV_MEMORY_NON_PRIVATE);
}

void spirv_matrix_value(struct spirv *e, const struct ir_inst *inst, uint32_t result)
{
	uint32_t type = type_id(e, inst->type);

	if (inst->op == IR_MATRIX_FILL) {
		PUT(&e->body, SpvOpCompositeConstruct, type, result, e->ids[inst->arg[0]]);
	} else if (inst->op == IR_MATRIX_MULTIPLY) {
		PUT(&e->body, (SpvOp)SPIRV_OP_COOPERATIVE_MATRIX_MUL_ADD, type, result,
		        e->ids[inst->arg[0]], e->ids[inst->arg[1]], e->ids[inst->arg[2]]);
	} else {
		uint32_t layout = u32_id(
		        e, inst->arg[3] ? SPIRV_LAYOUT_COLUMN_MAJOR : SPIRV_LAYOUT_ROW_MAJOR);
		uint32_t stride = u32_id(e, inst->arg[2]);
		uint32_t pointer = pointer_to(e, inst->arg[0], inst->arg[1]);
		PUT(&e->body, (SpvOp)SPIRV_OP_COOPERATIVE_MATRIX_LOAD, type, result, pointer,
		        layout, stride, SPIRV_MEMORY_NON_PRIVATE);
	}
}
