/* SPDX-License-Identifier: Apache-2.0
 *
 * Tint's integer range analysis, as far as kernels need it: local ids, rounds of loops, and what +
 * - * / % << >> min max make of them. It does not see through &, choices, memory, mutable variables
 * or vectors. Invariant: never claims more than Tint proves, but for the hints that text/wgsl.c
 * writes: min() around workgroup ids and masks.
 */
#include "emit/bounds.h"

#include <stdlib.h>

static const struct emit_bound unknown = {0, UINT32_MAX, false};

static bool is_known(const struct emit_bound *x)
{
	return x->most != UINT32_MAX;
}

static struct emit_bound range(uint64_t least, uint64_t most)
{
	return most < UINT32_MAX ? (struct emit_bound){(uint32_t)least, (uint32_t)most, false}
	                         : unknown;
}

static uint32_t less(uint32_t x, uint32_t y)
{
	return x < y ? x : y;
}

/* ---- Values. */

static struct emit_bound of_builtin(const struct ir_module *m, enum ir_builtin which)
{
	const uint32_t *size = m->workgroup_size;

	if (which <= IR_WORKGROUP_ID_Z)
		return m->workgroups[which] ? range(0, m->workgroups[which] - 1) : unknown;
	if (which <= IR_LOCAL_ID_Z)
		return range(0, size[which - IR_LOCAL_ID_X] - 1);
	return which == IR_LOCAL_INDEX ? range(0, size[0] * size[1] * size[2] - 1) : unknown;
}

/* Of operands that are both known. */
static struct emit_bound of_known(
        enum ir_op op, const struct emit_bound *x, const struct emit_bound *y)
{
	switch (op) {
	case IR_ADD:
		return range((uint64_t)x->least + y->least, (uint64_t)x->most + y->most);
	case IR_SUB:
		return x->least >= y->most ? range(x->least - y->most, x->most - y->least)
		                           : unknown;
	case IR_MUL:
		return range((uint64_t)x->least * y->least, (uint64_t)x->most * y->most);
	case IR_DIV:
		return y->least ? range(x->least / y->most, x->most / y->least) : unknown;
	case IR_SHL:
		return y->most < 32
		               ? range((uint64_t)x->least << y->least, (uint64_t)x->most << y->most)
		               : unknown;
	case IR_SHR:
		return y->most < 32 ? range(x->least >> y->most, x->most >> y->least) : unknown;
	case IR_MAX:
		return range(x->least > y->least ? x->least : y->least,
		        x->most > y->most ? x->most : y->most);
	default:
		return unknown;
	}
}

static struct emit_bound of_computed(
        enum ir_op op, const struct emit_bound *x, const struct emit_bound *y)
{
	if (op == IR_MIN)
		return range(less(x->least, y->least), less(x->most, y->most));
	if (op == IR_MOD && is_known(y) && y->least)
		return range(0, less(x->most, y->most - 1));
	return is_known(x) && is_known(y) ? of_known(op, x, y) : unknown;
}

static struct emit_bound of_loop(
        const struct ir_module *m, const struct emit_bound *bounds, const struct ir_inst *loop)
{
	struct emit_rounds rounds = emit_rounds(m, bounds, loop);
	const struct emit_bound *from = &bounds[loop->arg[0]];

	if (rounds.most == UINT32_MAX || !is_known(from))
		return unknown;
	if (!rounds.most)
		return range(from->least, from->most);
	return range(from->least,
	        from->most + (uint64_t)(rounds.most - 1) * m->insts[loop->arg[2]].arg[0]);
}

static struct emit_bound bound_of(
        const struct ir_module *m, const struct emit_bound *bounds, ir_id id)
{
	const struct ir_inst *inst = &m->insts[id];
	uint32_t mask;

	if (inst->type != IR_TYPE(IR_U32, 1))
		return unknown;
	if (inst->op == IR_CONST)
		return range(inst->arg[0], inst->arg[0]);
	if (inst->op == IR_BUILTIN)
		return of_builtin(m, (enum ir_builtin)inst->arg[0]);
	if (inst->op == IR_LOOP)
		return of_loop(m, bounds, inst);
	if (inst->op == IR_AND)
		return emit_is_mask(m, bounds, id, &mask) ? range(0, mask) : unknown;
	if (ir_op_infos[inst->op].class == IR_COMPUTES && ir_op_infos[inst->op].values == 2)
		return of_computed(
		        (enum ir_op)inst->op, &bounds[inst->arg[0]], &bounds[inst->arg[1]]);
	return unknown;
}

/* ---- Loops and masks. */

struct emit_rounds emit_rounds(
        const struct ir_module *m, const struct emit_bound *bounds, const struct ir_inst *loop)
{
	const struct ir_inst *from = &m->insts[loop->arg[0]], *to = &m->insts[loop->arg[1]];
	const struct emit_bound *start = &bounds[loop->arg[0]];
	uint32_t by = m->insts[loop->arg[2]].arg[0], end = to->arg[0];
	bool plain = from->op == IR_CONST && by == 1;
	struct emit_rounds rounds = {
	        .most = UINT32_MAX, .plain = plain, .first = plain ? from->arg[0] : 0};

	if (to->op != IR_CONST)
		return rounds;
	rounds.most = end > start->least ? (end - start->least - 1) / by + 1 : 0;
	rounds.exact = is_known(start) &&
	               rounds.most == (end > start->most ? (end - start->most - 1) / by + 1 : 0);
	return rounds;
}

bool emit_is_mask(
        const struct ir_module *m, const struct emit_bound *bounds, ir_id id, uint32_t *ret_mask)
{
	const struct ir_inst *inst = &m->insts[id];

	if (inst->op != IR_AND || inst->type != IR_TYPE(IR_U32, 1) || !bounds[id].is_index)
		return false;
	for (uint32_t i = 0; i < 2; i++)
		if (m->insts[inst->arg[i]].op == IR_CONST) {
			*ret_mask = m->insts[inst->arg[i]].arg[0];
			return true;
		}
	return false;
}

/* ---- Indices: what the first operand of an access is made of. */

static bool is_access(const struct ir_inst *inst)
{
	return inst->op == IR_LOAD || inst->op == IR_STORE || inst->op == IR_SHARED_LOAD ||
	       inst->op == IR_SHARED_STORE;
}

/* From the end, so that a value is marked before its operands are looked at. */
static void mark_indices(const struct ir_module *m, struct emit_bound *bounds)
{
	for (ir_id id = m->count - 1; id > 0; id--) {
		const struct ir_inst *inst = &m->insts[id];
		if (is_access(inst))
			bounds[inst->arg[0]].is_index = true;
		if (!bounds[id].is_index ||
		        !(ir_op_infos[inst->op].class == IR_COMPUTES || inst->op == IR_LOOP))
			continue;
		for (uint32_t i = 0; i < ir_op_infos[inst->op].values; i++)
			bounds[inst->arg[i]].is_index = true;
	}
}

struct emit_bound *emit_bounds(const struct ir_module *module)
{
	struct emit_bound *bounds = calloc(module->count, sizeof *bounds);

	if (!bounds)
		return NULL;
	mark_indices(module, bounds);
	bounds[0] = unknown;
	for (ir_id id = 1; id < module->count; id++) {
		struct emit_bound bound = bound_of(module, bounds, id);
		bounds[id].least = bound.least;
		bounds[id].most = bound.most;
	}
	return bounds;
}
