/* SPDX-License-Identifier: Apache-2.0
 *
 * The checker: says whether a module keeps the rules of ir.h, whoever made it, and if not which
 * instruction breaks which rule. It trusts nothing but the arrays' lengths, so that a mistake in
 * a lowering shows here and not as a driver's crash. Here are the walk and the rules of operands,
 * memory and blocks; the rules of types are check_values.c's.
 */
#include "ir/check.h"

#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define U32  IR_TYPE(IR_U32, 1)
#define BOOL IR_TYPE(IR_BOOL, 1)

static bool is_type(ir_type type)
{
	enum ir_scalar scalar = ir_scalar_of(type);

	return scalar > IR_VOID && scalar < IR_SCALAR_COUNT &&
	       ir_lanes_of(type) <= (ir_is_matrix(type) ? 1 : 4);
}

/* ---- Operands. */

static bool is_open(const struct checker *c, ir_id block)
{
	for (uint32_t i = 0; i <= c->depth; i++)
		if (c->blocks[i] == block)
			return true;
	return false;
}

static const char *check_operand(const struct checker *c, ir_id value)
{
	const struct ir_inst *inst = &c->module->insts[value];

	if (!value || value >= c->id)
		return "an operand is not an earlier instruction";
	if (inst->op >= IR_OP_COUNT || !ir_op_infos[inst->op].has_result)
		return "an operand has no value";
	if (!is_open(c, inst->op == IR_LOOP ? value : inst->block))
		return "an operand is used outside its block";
	return NULL;
}

static const char *check_operands(const struct checker *c)
{
	uint32_t values = ir_op_infos[c->inst->op].values;
	const char *rule = NULL;

	if (c->inst->op == IR_COMPOSE)
		values = ir_lanes_of(c->inst->type);
	for (uint32_t i = 0; i < values && !rule; i++)
		rule = check_operand(c, c->inst->arg[i]);
	return rule;
}

/* ---- Memory and variables. */

static const char *check_access(const struct checker *c)
{
	const struct ir_module *m = c->module;
	bool is_binding = c->inst->op == IR_LOAD || c->inst->op == IR_STORE;
	bool is_store = c->inst->op == IR_STORE || c->inst->op == IR_SHARED_STORE;
	uint32_t n = c->inst->arg[is_store ? 2 : 1];

	if (n >= (is_binding ? m->binding_count : m->shared_count))
		return is_binding ? "no such binding" : "no such workgroup array";
	if (check_type_of(c, 0) != U32)
		return "the index is not u32";
	if ((is_store ? check_type_of(c, 1) : c->inst->type) !=
	        (is_binding ? m->bindings[n].type : m->shared[n].type))
		return "the value's type is not the element's";
	if (c->inst->op == IR_STORE && !m->bindings[n].writable)
		return "the binding is not writable";
	return NULL;
}

static const char *check_variable(const struct checker *c)
{
	ir_id id = c->inst->arg[c->inst->op == IR_SET ? 1 : 0];
	const struct ir_inst *variable = &c->module->insts[id];

	if (c->inst->op == IR_VAR)
		return check_type_of(c, 0) == c->inst->type
		               ? NULL
		               : "the initial value's type is not its own";
	if (id >= c->id || variable->op != IR_VAR)
		return "no such variable";
	if (!is_open(c, variable->block))
		return "a variable is used outside its block";
	if ((c->inst->op == IR_SET ? check_type_of(c, 0) : c->inst->type) != variable->type)
		return "the value's type is not the variable's";
	return NULL;
}

/* ---- Cooperative matrices. */

static const char *check_matrix_access(const struct checker *c)
{
	bool is_store = c->inst->op == IR_MATRIX_STORE;
	const uint32_t *arg = c->inst->arg + (is_store ? 2 : 1);

	if (arg[0] >= c->module->shared_count)
		return "no such workgroup array";
	if (check_type_of(c, 0) != U32)
		return "the index is not u32";
	if (!arg[1])
		return "the stride is 0";
	if (is_store)
		return check_type_of(c, 1) == IR_TYPE(IR_MATRIX_SUM, 1) ? NULL
		                                                        : "only sums are stored";
	return ir_is_matrix(c->inst->type) && arg[2] <= 1 ? NULL : "it loads no matrix";
}

static const char *check_matrix_fill(const struct checker *c)
{
	bool is_sum = ir_scalar_of(c->inst->type) == IR_MATRIX_SUM;

	return ir_is_matrix(c->inst->type) &&
	                       check_type_of(c, 0) == IR_TYPE(is_sum ? IR_F32 : IR_F16, 1)
	               ? NULL
	               : "a matrix is filled with a scalar of its element type";
}

static const char *check_matrix(const struct checker *c)
{
	ir_type sum = IR_TYPE(IR_MATRIX_SUM, 1);

	if (!c->module->matrices.m || !c->module->matrices.n || !c->module->matrices.k)
		return "the module does not say how large its matrices are";
	if (!c->module->uses_subgroups)
		return "the module does not say that it uses subgroups";
	if (c->inst->op == IR_MATRIX_FILL)
		return check_matrix_fill(c);
	if (c->inst->op != IR_MATRIX_MULTIPLY)
		return check_matrix_access(c);
	return c->inst->type == sum && check_type_of(c, 0) == IR_TYPE(IR_MATRIX_A, 1) &&
	                       check_type_of(c, 1) == IR_TYPE(IR_MATRIX_B, 1) &&
	                       check_type_of(c, 2) == sum
	               ? NULL
	               : "a product is of an A, a B and a sum";
}

/* ---- Markers. */

static const char *open_block(struct checker *c)
{
	if (c->depth == CHECK_DEPTH_MAX)
		return "blocks are nested more than 64 deep";
	c->blocks[++c->depth] = c->id;
	return NULL;
}

static const char *check_loop(struct checker *c)
{
	const struct ir_inst *step = &c->module->insts[c->inst->arg[2]];

	if (check_type_of(c, 0) != U32 || check_type_of(c, 1) != U32 ||
	        check_type_of(c, 2) != U32 || c->inst->type != U32)
		return "a loop counts in u32";
	if (step->op != IR_CONST || !step->arg[0])
		return "the step is not a constant above 0";
	return open_block(c);
}

static const char *check_else(struct checker *c)
{
	ir_id open = c->blocks[c->depth];

	if (!c->depth || c->module->insts[open].op != IR_IF || c->inst->arg[0] != open)
		return "no IF is open for it";
	c->blocks[c->depth] = c->id;
	return NULL;
}

static const char *check_end(struct checker *c)
{
	ir_id open = c->blocks[c->depth];

	if (!c->depth)
		return "no block is open";
	if (c->module->insts[open].op == IR_ELSE)
		open = c->module->insts[open].arg[0];
	if (c->inst->arg[0] != open)
		return "it does not close the innermost block";
	c->depth--;
	return NULL;
}

static const char *check_marker(struct checker *c)
{
	switch (c->inst->op) {
	case IR_LOOP:
		return check_loop(c);
	case IR_IF:
		return check_type_of(c, 0) == BOOL ? open_block(c) : "the condition is not a bool";
	case IR_ELSE:
		return check_else(c);
	default:
		return check_end(c);
	}
}

/* ---- The walk. */

/* ELSE and END stand in the block around the one they close. */
static bool stands_in_its_block(const struct checker *c)
{
	bool closes = c->inst->op == IR_ELSE || c->inst->op == IR_END;

	if (closes && !c->depth)
		return true; /* a marker's own rule says more */
	return c->inst->block == c->blocks[c->depth - closes];
}

static const char *check_inst(struct checker *c)
{
	const char *rule;

	if (c->inst->op >= IR_OP_COUNT)
		return "no such operation";
	if (!stands_in_its_block(c))
		return "it names another block than the one it stands in";
	if ((ir_op_infos[c->inst->op].has_result || c->inst->op == IR_VAR) !=
	        is_type(c->inst->type))
		return "its type is not one, or it should have none";
	if (ir_scalar_of(c->inst->type) == IR_F16 && !c->module->uses_f16)
		return "the module does not say that it uses f16";
	rule = check_operands(c);
	if (rule)
		return rule;
	switch (c->inst->op) {
	case IR_NOP:
	case IR_BARRIER:
		return NULL;
	case IR_LOAD:
	case IR_STORE:
	case IR_SHARED_LOAD:
	case IR_SHARED_STORE:
		return check_access(c);
	case IR_MATRIX_FILL:
	case IR_MATRIX_LOAD:
	case IR_MATRIX_STORE:
	case IR_MATRIX_MULTIPLY:
		return check_matrix(c);
	case IR_VAR:
	case IR_GET:
	case IR_SET:
		return check_variable(c);
	case IR_LOOP:
	case IR_IF:
	case IR_ELSE:
	case IR_END:
		return check_marker(c);
	default:
		return check_value(c);
	}
}

/* The names that the text emitters make themselves: words, and v7, i7, k7, tile0, put0. */
static bool is_taken(const char *name)
{
	static const char *const words[] = {"wid", "lid", "lix", "sid", "sub", "main", "dims",
	        "inf", "minus_inf", "nan", "inf_h", "minus_inf_h", "nan_h"};
	bool numbered = strchr("0123456789", name[strlen(name) - 1]) != NULL;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(name, words[i]))
			return true;
	return numbered &&
	       (strchr("vik", name[0]) || !strncmp(name, "tile", 4) || !strncmp(name, "put", 3));
}

static bool is_name(const char *name)
{
	size_t length = strnlen(name, sizeof((struct ir_binding *)0)->name);

	if (!length || length == sizeof((struct ir_binding *)0)->name)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool is_letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] == '_' && i);
		if (!is_letter && (name[i] < '0' || name[i] > '9' || !i))
			return false;
	}
	return !is_taken(name);
}

static bool is_binding(const struct ir_module *m, const struct ir_binding *binding)
{
	return is_type(binding->type) && check_is_number(binding->type) &&
	       ir_lanes_of(binding->type) != 3 && binding->length && is_name(binding->name) &&
	       (ir_scalar_of(binding->type) != IR_F16 || m->uses_f16);
}

static bool is_shared(const struct ir_module *m, const struct ir_shared *shared)
{
	return is_type(shared->type) && !ir_is_matrix(shared->type) && shared->length &&
	       (ir_scalar_of(shared->type) != IR_F16 || m->uses_f16);
}

static int check_interface(const struct ir_module *m, struct error *err)
{
	if (!m->workgroup_size[0] || !m->workgroup_size[1] || !m->workgroup_size[2])
		return error_set(err, -EINVAL, "", "the workgroup size has a zero");
	if (m->binding_count > IR_BINDINGS_MAX || m->shared_count > IR_SHARED_MAX ||
	        m->uniforms > 4)
		return error_set(
		        err, -EINVAL, "", "too many bindings, workgroup arrays or uniforms");
	for (uint32_t i = 0; i < m->binding_count; i++)
		if (!is_binding(m, &m->bindings[i]))
			return error_set(
			        err, -EINVAL, "", "binding %u has a wrong type, length or name", i);
	for (uint32_t i = 0; i < m->shared_count; i++)
		if (!is_shared(m, &m->shared[i]))
			return error_set(err, -EINVAL, "",
			        "workgroup array %u has a wrong type or length", i);
	return 0;
}

int ir_check(const struct ir_module *module, struct error *err)
{
	struct checker c = {.module = module};
	int r = check_interface(module, err);

	for (c.id = 1; !r && c.id < module->count; c.id++) {
		c.inst = &module->insts[c.id];
		const char *rule = check_inst(&c);
		if (rule)
			r = error_set(err, -EINVAL, "", "instruction %u (%s): %s", c.id,
			        c.inst->op < IR_OP_COUNT ? ir_op_infos[c.inst->op].name : "?",
			        rule);
	}
	if (!r && c.depth)
		r = error_set(err, -EINVAL, "", "instruction %u (%s): its block is never closed",
		        c.blocks[c.depth], ir_op_infos[module->insts[c.blocks[c.depth]].op].name);
	return r;
}
