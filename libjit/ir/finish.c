/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a module: one walk from the last instruction to the first, in which values that
 * nobody came to use become NOPs and what is left says what the module needs of its target.
 */
#include "ir/builder.h"

#include <assert.h>
#include <errno.h>

static bool is_dead(const struct ir_builder *b, const struct ir_inst *inst)
{
	const struct ir_op_info *info = &ir_op_infos[inst->op];
	bool reads = inst->op == IR_LOAD || inst->op == IR_SHARED_LOAD || inst->op == IR_GET ||
	             inst->op == IR_MATRIX_LOAD;

	return !inst->uses && (info->pure || reads) && !(b->left_out & IR_LEAVE_OUT_DROPPING);
}

/* So that what only this one used goes too. A count that stuck stays. */
static void drop(struct ir_module *m, struct ir_inst *inst)
{
	for (uint32_t i = 0; i < ir_op_infos[inst->op].values; i++)
		if (m->insts[inst->arg[i]].uses != UINT16_MAX && inst->arg[i])
			m->insts[inst->arg[i]].uses--;
	*inst = (struct ir_inst){.op = IR_NOP, .block = inst->block};
}

static void note_needs(struct ir_module *m, const struct ir_inst *inst)
{
	m->uses_f16 |= ir_scalar_of(inst->type) == IR_F16 || ir_is_matrix(inst->type);
	m->uses_quads |= inst->op >= IR_QUAD_SWAP_X && inst->op <= IR_QUAD_SWAP_DIAGONAL;
	m->uses_dot4 |= inst->op == IR_DOT4I8;
	if (inst->op == IR_UNIFORM && inst->arg[0] >= m->uniforms)
		m->uniforms = inst->arg[0] + 1;
}

static void note_arrays(struct ir_module *m)
{
	for (uint32_t i = 0; i < m->binding_count; i++)
		m->uses_f16 |= ir_scalar_of(m->bindings[i].type) == IR_F16;
	for (uint32_t i = 0; i < m->shared_count; i++)
		m->uses_f16 |= ir_scalar_of(m->shared[i].type) == IR_F16;
}

int ir_finish(struct ir_builder *b, const struct ir_module **ret_module)
{
	struct ir_module *m = &b->module;

	if (b->failed)
		return -ENOMEM;
	assert(!b->depth);
	for (uint32_t id = m->count - 1; id > 0; id--) {
		if (is_dead(b, &m->insts[id]))
			drop(m, &m->insts[id]);
		else
			note_needs(m, &m->insts[id]);
	}
	note_arrays(m);
	*ret_module = m;
	return 0;
}
