/* SPDX-License-Identifier: Apache-2.0
 *
 * The printer: one line an instruction, blocks indented, for people and for golden tests. It
 * prints what is there, right or wrong, so that a module the checker refuses can be looked at.
 */
#include "ir/ir.h"

#include "base/buffer.h"
#include "base/half.h"

#include <string.h>

static void print_type(ir_type type, struct buffer *out)
{
	static const char *const names[] = {
	        "void", "bool", "i32", "u32", "f32", "f16", "matrix_a", "matrix_b", "matrix_sum"};
	enum ir_scalar scalar = ir_scalar_of(type);

	buffer_puts(out, scalar < IR_SCALAR_COUNT ? names[scalar] : "?");
	if (ir_lanes_of(type) > 1)
		buffer_printf(out, "x%u", ir_lanes_of(type));
}

static void print_interface(const struct ir_module *m, struct buffer *out)
{
	buffer_printf(out, "workgroup %u %u %u\n", m->workgroup_size[0], m->workgroup_size[1],
	        m->workgroup_size[2]);
	for (uint32_t i = 0; i < m->binding_count; i++) {
		buffer_printf(out, "binding %u %s ", i, m->bindings[i].name);
		print_type(m->bindings[i].type, out);
		buffer_printf(out, "[%u]%s\n", m->bindings[i].length,
		        m->bindings[i].writable ? " writable" : "");
	}
	for (uint32_t i = 0; i < m->shared_count; i++) {
		buffer_printf(out, "shared %u ", i);
		print_type(m->shared[i].type, out);
		buffer_printf(out, "[%u]\n", m->shared[i].length);
	}
	if (m->matrices.m)
		buffer_printf(
		        out, "matrices %u %u %u\n", m->matrices.m, m->matrices.n, m->matrices.k);
	if (m->uniforms)
		buffer_printf(out, "uniforms %u\n", m->uniforms);
}

static void print_const(const struct ir_inst *inst, struct buffer *out)
{
	float value;

	memcpy(&value, &inst->arg[0], sizeof value);
	if (ir_scalar_of(inst->type) == IR_F32)
		buffer_printf(out, " %.9g", (double)value);
	else if (ir_scalar_of(inst->type) == IR_F16)
		buffer_printf(out, " %.9g", (double)half_to_float((uint16_t)inst->arg[0]));
	else if (ir_scalar_of(inst->type) == IR_I32)
		buffer_printf(out, " %d", (int32_t)inst->arg[0]);
	else
		buffer_printf(out, " %u", inst->arg[0]);
}

static void print_builtin(const struct ir_inst *inst, struct buffer *out)
{
	static const char *const names[IR_BUILTIN_COUNT] = {
	        [IR_WORKGROUP_ID_X] = "workgroup_id.x",
	        [IR_WORKGROUP_ID_Y] = "workgroup_id.y",
	        [IR_WORKGROUP_ID_Z] = "workgroup_id.z",
	        [IR_LOCAL_ID_X] = "local_id.x",
	        [IR_LOCAL_ID_Y] = "local_id.y",
	        [IR_LOCAL_ID_Z] = "local_id.z",
	        [IR_LOCAL_INDEX] = "local_index",
	        [IR_SUBGROUP_INVOCATION] = "subgroup_invocation",
	        [IR_SUBGROUP_ID] = "subgroup_id",
	};
	uint32_t which = inst->arg[0];

	buffer_printf(out, " %s", which < IR_BUILTIN_COUNT ? names[which] : "?");
}

/* What the instruction has beside its values: a binding, a lane, a variable, a block. */
static void print_immediate(const struct ir_inst *inst, struct buffer *out)
{
	switch (inst->op) {
	case IR_CONST:
		print_const(inst, out);
		break;
	case IR_BUILTIN:
		print_builtin(inst, out);
		break;
	case IR_UNIFORM:
		buffer_printf(out, " %u", inst->arg[0]);
		break;
	case IR_EXTRACT:
		buffer_printf(out, " lane %u", inst->arg[1]);
		break;
	case IR_LOAD:
		buffer_printf(out, " binding %u", inst->arg[1]);
		break;
	case IR_STORE:
		buffer_printf(out, " binding %u", inst->arg[2]);
		break;
	case IR_SHARED_LOAD:
		buffer_printf(out, " shared %u", inst->arg[1]);
		break;
	case IR_SHARED_STORE:
		buffer_printf(out, " shared %u", inst->arg[2]);
		break;
	case IR_MATRIX_LOAD:
		buffer_printf(out, " shared %u stride %u%s", inst->arg[1], inst->arg[2],
		        inst->arg[3] ? " columns" : "");
		break;
	case IR_MATRIX_STORE:
		buffer_printf(out, " shared %u stride %u", inst->arg[2], inst->arg[3]);
		break;
	case IR_SET:
		buffer_printf(out, " to %%%u", inst->arg[1]);
		break;
	case IR_GET:
	case IR_ELSE:
	case IR_END:
		buffer_printf(out, " of %%%u", inst->arg[0]);
		break;
	default:
		break;
	}
}

static void print_inst(const struct ir_inst *inst, ir_id id, struct buffer *out)
{
	const struct ir_op_info *info = &ir_op_infos[inst->op];
	uint32_t values = inst->op == IR_COMPOSE ? ir_lanes_of(inst->type) : info->values;

	if (inst->type != IR_VOID || inst->op == IR_IF)
		buffer_printf(out, "%%%u = ", id);
	buffer_puts(out, info->name);
	if (inst->type != IR_VOID) {
		buffer_putc(out, ' ');
		print_type(inst->type, out);
	}
	for (uint32_t i = 0; i < values; i++)
		buffer_printf(out, " %%%u", inst->arg[i]);
	print_immediate(inst, out);
	buffer_putc(out, '\n');
}

void ir_print(const struct ir_module *module, struct buffer *out)
{
	uint32_t depth = 0;

	print_interface(module, out);
	for (ir_id id = 1; id < module->count; id++) {
		const struct ir_inst *inst = &module->insts[id];

		if (inst->op == IR_NOP)
			continue;
		if (inst->op >= IR_OP_COUNT) {
			buffer_printf(out, "%%%u = ?\n", id);
			continue;
		}
		depth -= depth && (inst->op == IR_END || inst->op == IR_ELSE);
		for (uint32_t i = 0; i < depth; i++)
			buffer_puts(out, "  ");
		print_inst(inst, id, out);
		depth += inst->op == IR_LOOP || inst->op == IR_IF || inst->op == IR_ELSE;
	}
}
