/* SPDX-License-Identifier: Apache-2.0
 *
 * A value stands inline if it is used once, in the same block, and nothing between could change
 * what it reads. The names of all others are numbered as they come. Invariant: reading order is
 * evaluation order for everything that reads or writes memory.
 */
#include "emit/plan.h"

#include <stdlib.h>

#define EXPRESSION_DEPTH_MAX 8

/* The next instruction, looking backward from the end, that may change what a read gives. */
struct hazards {
	ir_id store, shared; /* any write of a binding, of workgroup memory */
	ir_id *set;          /* by variable */
};

static void note_hazard(struct hazards *next, const struct ir_inst *inst, ir_id id)
{
	if (inst->op == IR_SET)
		next->set[inst->arg[1]] = id;
	if (inst->op == IR_STORE || inst->op == IR_BARRIER)
		next->store = id;
	if (inst->op == IR_SHARED_STORE || inst->op == IR_MATRIX_STORE || inst->op == IR_BARRIER)
		next->shared = id;
}

/* The first instruction after which the value must have been read; 0 for none. */
static ir_id hazard_of(
        const struct ir_module *m, const struct hazards *next, const struct ir_inst *inst)
{
	switch (inst->op) {
	case IR_GET:
		return next->set[inst->arg[0]];
	case IR_SHARED_LOAD:
		return next->shared;
	case IR_LOAD:
		return m->bindings[inst->arg[1]].writable ? next->store : 0;
	default:
		return 0;
	}
}

static bool may_move(const struct ir_inst *inst)
{
	return ir_op_infos[inst->op].pure || inst->op == IR_GET || inst->op == IR_LOAD ||
	       inst->op == IR_SHARED_LOAD;
}

/* A module on its way to a plan. */
struct planning {
	const struct ir_module *module;
	struct emit_plan *plan;
	bool for_web;
};

static bool stands_inline(const struct planning *t, const struct hazards *next, ir_id id)
{
	const struct ir_inst *inst = &t->module->insts[id];
	const struct ir_inst *user = &t->module->insts[t->plan[id].user];
	ir_id hazard = hazard_of(t->module, next, inst);

	if (inst->op == IR_CONST || inst->op == IR_BUILTIN || inst->op == IR_UNIFORM)
		return true;
	if (inst->uses != 1 || !may_move(inst) || user->block != inst->block)
		return false;
	if (user->op == IR_LOOP &&
	        (t->for_web || user->arg[0] != id)) /* evaluated again and again */
		return false;
	return !hazard || t->plan[t->plan[id].user].root <= hazard;
}

static void find_users(struct planning *t)
{
	for (ir_id id = 1; id < t->module->count; id++) {
		const struct ir_inst *inst = &t->module->insts[id];
		for (uint32_t i = 0; i < ir_op_infos[inst->op].values; i++)
			t->plan[inst->arg[i]].user = id;
	}
}

static void plan_inline(struct planning *t, struct hazards *next)
{
	for (ir_id id = t->module->count - 1; id > 0; id--) {
		const struct ir_inst *inst = &t->module->insts[id];
		struct emit_plan *plan = &t->plan[id];

		note_hazard(next, inst, id);
		plan->is_inline = ir_op_infos[inst->op].has_result && inst->op != IR_LOOP &&
		                  stands_inline(t, next, id);
		plan->root = plan->is_inline ? t->plan[plan->user].root : id;
	}
}

/* Expressions that would be too deep get a name on the way; that only moves reads forward. */
static void limit_depth(struct planning *t)
{
	for (ir_id id = 1; id < t->module->count; id++) {
		const struct ir_inst *inst = &t->module->insts[id];
		uint8_t depth = 0;

		for (uint32_t i = 0; i < ir_op_infos[inst->op].values; i++) {
			const struct emit_plan *operand = &t->plan[inst->arg[i]];
			if (operand->is_inline && operand->depth >= depth)
				depth = operand->depth + 1;
		}
		t->plan[id].depth = depth;
		if (depth > EXPRESSION_DEPTH_MAX)
			t->plan[id].is_inline = false;
	}
}

/* A loop is called i and its number, which must not make the type i32 of it. */
static void number_names(struct planning *t)
{
	uint32_t names = 0;

	for (ir_id id = 1; id < t->module->count; id++) {
		if (t->plan[id].is_inline || t->module->insts[id].type == IR_VOID)
			continue;
		names += names == 32 && t->module->insts[id].op == IR_LOOP;
		t->plan[id].name = names++;
	}
}

struct emit_plan *emit_plan(const struct ir_module *module, bool for_web)
{
	struct hazards next = {.set = calloc(module->count, sizeof *next.set)};
	struct planning t = {module, calloc(module->count, sizeof(struct emit_plan)), for_web};

	if (t.plan && next.set) {
		find_users(&t);
		plan_inline(&t, &next);
		limit_depth(&t);
		number_names(&t);
	} else {
		free(t.plan);
		t.plan = NULL;
	}
	free(next.set);
	return t.plan;
}
