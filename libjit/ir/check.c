/* SPDX-License-Identifier: Apache-2.0
 *
 * The checker: says whether a module keeps the rules of ir.h, whoever made it, and if not which
 * instruction breaks which rule. It trusts nothing but the arrays' lengths, so that a mistake in
 * a lowering shows here and not as a driver's crash.
 * Each rule is a function that answers the rule broken, or NULL.
 */
#include "ir/ir.h"

#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define DEPTH_MAX 64

struct checker {
	const struct ir_module *module;
	const struct ir_inst *inst; /* at hand */
	ir_id id;
	ir_id blocks[DEPTH_MAX + 1]; /* open LOOPs, IFs and ELSEs, the innermost last; 0 first */
	uint32_t depth;              /* of the last */
};

#define U32  IR_TYPE(IR_U32, 1)
#define BOOL IR_TYPE(IR_BOOL, 1)

static bool is_type(ir_type type)
{
	enum ir_scalar scalar = ir_scalar_of(type);

	return scalar > IR_VOID && scalar < IR_SCALAR_COUNT &&
	       ir_lanes_of(type) <= (ir_is_matrix(type) ? 1 : 4);
}

static ir_type type_of(const struct checker *c, uint32_t operand)
{
	return c->module->insts[c->inst->arg[operand]].type;
}

static bool is_number(ir_type type)
{
	return ir_scalar_of(type) != IR_VOID && ir_scalar_of(type) != IR_BOOL &&
	       !ir_is_matrix(type);
}

static ir_type same_lanes(ir_type type, enum ir_scalar scalar)
{
	return IR_TYPE(scalar, ir_lanes_of(type));
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

/* ---- Types, by row of ir.def. */

static const char *check_scalars(const struct checker *c, bool accepted, ir_type result)
{
	if (!accepted)
		return "it does not accept operands of this scalar";
	for (uint32_t i = 1; i < ir_op_infos[c->inst->op].values; i++)
		if (type_of(c, i) != type_of(c, 0))
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
	ir_type type = type_of(c, 0);
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
	if (!ir_is_finite(scalar, bits))
		return "a constant is not finite: WGSL has no literal for it";
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
	if (type_of(c, 0) != BOOL && type_of(c, 0) != same_lanes(type, IR_BOOL))
		return "the condition is not a bool, one or as many as the values have lanes";
	return type_of(c, 1) == type && type_of(c, 2) == type ? NULL : "operand types differ";
}

static const char *check_bitcast(const struct checker *c)
{
	const struct ir_inst *from = &c->module->insts[c->inst->arg[0]];
	ir_type type = c->inst->type;

	if (!is_number(from->type) || !is_number(type) || from->type == type ||
	        ir_bytes_of(from->type) != ir_bytes_of(type))
		return "a bitcast is to another type of as many bytes, neither of them bool";
	if (from->op == IR_CONST && !ir_is_finite(ir_scalar_of(type), from->arg[0]))
		return "a constant is not finite: WGSL has no literal for it";
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
		return "a constant is not finite as an f16";
	return NULL;
}

static const char *check_halves(const struct checker *c)
{
	ir_type pair = IR_TYPE(IR_F32, 2);
	bool packs = c->inst->op == IR_PACK_HALF;

	return type_of(c, 0) == (packs ? pair : U32) && c->inst->type == (packs ? U32 : pair)
	               ? NULL
	               : "two halves are a u32, unpacked a vec2 of f32";
}

static const char *check_dot(const struct checker *c)
{
	if (!c->module->uses_dot4)
		return "the module does not say that it uses the packed dot product";
	return type_of(c, 0) == U32 && type_of(c, 1) == U32 && c->inst->type == IR_TYPE(IR_I32, 1)
	               ? NULL
	               : "a packed dot product is of two u32 and gives an i32";
}

static const char *check_subgroup(const struct checker *c)
{
	if (!c->module->uses_subgroups)
		return "the module does not say that it uses subgroups";
	return c->inst->type == type_of(c, 0) && is_number(c->inst->type)
	               ? NULL
	               : "the result type does not follow from the operands";
}

static const char *check_extract(const struct checker *c)
{
	ir_type from = type_of(c, 0);

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
		if (type_of(c, i) != scalar)
			return "a lane's type is not the vector's scalar";
	return NULL;
}

static const char *check_value(const struct checker *c)
{
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
	case IR_PACK_HALF:
		return check_halves(c);
	case IR_EXTRACT:
		return check_extract(c);
	case IR_SUBGROUP_ADD:
	case IR_SUBGROUP_MUL:
	case IR_SUBGROUP_MIN:
	case IR_SUBGROUP_MAX:
	case IR_QUAD_SWAP_X:
	case IR_QUAD_SWAP_Y:
	case IR_QUAD_SWAP_DIAGONAL:
		return check_subgroup(c);
	case IR_DOT4I8:
		return check_dot(c);
	default:
		return check_compose(c);
	}
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
	if (type_of(c, 0) != U32)
		return "the index is not u32";
	if ((is_store ? type_of(c, 1) : c->inst->type) !=
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
		return type_of(c, 0) == c->inst->type ? NULL
		                                      : "the initial value's type is not its own";
	if (id >= c->id || variable->op != IR_VAR)
		return "no such variable";
	if (!is_open(c, variable->block))
		return "a variable is used outside its block";
	if ((c->inst->op == IR_SET ? type_of(c, 0) : c->inst->type) != variable->type)
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
	if (type_of(c, 0) != U32)
		return "the index is not u32";
	if (!arg[1])
		return "the stride is 0";
	if (is_store)
		return type_of(c, 1) == IR_TYPE(IR_MATRIX_SUM, 1) ? NULL : "only sums are stored";
	return ir_is_matrix(c->inst->type) && arg[2] <= 1 ? NULL : "it loads no matrix";
}

static const char *check_matrix_fill(const struct checker *c)
{
	bool is_sum = ir_scalar_of(c->inst->type) == IR_MATRIX_SUM;

	return ir_is_matrix(c->inst->type) && type_of(c, 0) == IR_TYPE(is_sum ? IR_F32 : IR_F16, 1)
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
	return c->inst->type == sum && type_of(c, 0) == IR_TYPE(IR_MATRIX_A, 1) &&
	                       type_of(c, 1) == IR_TYPE(IR_MATRIX_B, 1) && type_of(c, 2) == sum
	               ? NULL
	               : "a product is of an A, a B and a sum";
}

/* ---- Markers. */

static const char *open_block(struct checker *c)
{
	if (c->depth == DEPTH_MAX)
		return "blocks are nested more than 64 deep";
	c->blocks[++c->depth] = c->id;
	return NULL;
}

static const char *check_loop(struct checker *c)
{
	const struct ir_inst *step = &c->module->insts[c->inst->arg[2]];

	if (type_of(c, 0) != U32 || type_of(c, 1) != U32 || type_of(c, 2) != U32 ||
	        c->inst->type != U32)
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
		return type_of(c, 0) == BOOL ? open_block(c) : "the condition is not a bool";
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
		return c->inst->op < IR_NOP ? check_computed(c) : check_value(c);
	}
}

/* The names that the text emitters make themselves: v7, i7, k7, tile0, put0, dims, and the inputs.
 */
static bool is_taken(const char *name)
{
	bool numbered = strchr("0123456789", name[strlen(name) - 1]) != NULL;

	return !strcmp(name, "wid") || !strcmp(name, "lid") || !strcmp(name, "lix") ||
	       !strcmp(name, "sid") || !strcmp(name, "sub") || !strcmp(name, "main") ||
	       !strcmp(name, "dims") ||
	       (numbered && (strchr("vik", name[0]) || !strncmp(name, "tile", 4) ||
	                            !strncmp(name, "put", 3)));
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
	return is_type(binding->type) && is_number(binding->type) &&
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
