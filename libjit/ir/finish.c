/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a module: blocks that are never entered become NOPs, then, in one walk from the last
 * instruction to the first, values that nobody came to use; what is left says what the module needs
 * of its target.
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

static bool is_never_entered(const struct ir_module *m, const struct ir_inst *inst)
{
	const struct ir_inst *first = &m->insts[inst->arg[0]], *second = &m->insts[inst->arg[1]];

	if (inst->op == IR_IF)
		return first->op == IR_CONST && !first->arg[0];
	return inst->op == IR_LOOP && first->op == IR_CONST && second->op == IR_CONST &&
	       first->arg[0] >= second->arg[0];
}

/* The ELSE or END of the block that `opener` opens. */
static uint32_t close_of(const struct ir_module *m, uint32_t opener)
{
	uint32_t id = opener + 1;

	while ((m->insts[id].op != IR_ELSE && m->insts[id].op != IR_END) ||
	        m->insts[id].arg[0] != opener)
		id++;
	return id;
}

/* An IF with an ELSE stays: nothing here makes one that is known. */
static void drop_never_entered(struct ir_module *m)
{
	for (uint32_t id = 1; id < m->count; id++) {
		if (!is_never_entered(m, &m->insts[id]))
			continue;
		uint32_t close = close_of(m, id), outer = m->insts[id].block;
		for (uint32_t i = close; m->insts[close].op != IR_ELSE && i >= id; i--) {
			drop(m, &m->insts[i]);
			m->insts[i].block = outer;
		}
	}
}

static void note_needs(struct ir_module *m, const struct ir_inst *inst)
{
	m->uses_f16 |= ir_scalar_of(inst->type) == IR_F16 || ir_is_matrix(inst->type);
	m->uses_quads |= ir_op_infos[inst->op].class == IR_QUAD_WIDE;
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
	if (!(b->left_out & IR_LEAVE_OUT_DROPPING))
		drop_never_entered(m);
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
