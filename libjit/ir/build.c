/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder's calls, one an instruction: each checks its operands, folds what is constant, and
 * simplifies integer algebra (simplify.c), so that no pass is needed afterwards. Float algebra is
 * never reordered. Invariant: what has no effect and reads nothing that changes is numbered; all
 * else is appended.
 */
#include "ir/builder.h"

#include "base/half.h"

#include <assert.h>
#include <string.h>

#define INST(op_, type_, ...) \
	(&(struct ir_inst){.op = (op_), .type = (type_), .arg = {__VA_ARGS__}})
#define U32 IR_TYPE(IR_U32, 1)

/* ---- Leaves. */

ir_type ir_type_of(const struct ir_builder *b, ir_id value)
{
	return b->module.insts[value].type;
}

ir_id ir_constant(struct ir_builder *b, enum ir_scalar scalar, uint32_t bits)
{
	return ir_number(b, INST(IR_CONST, IR_TYPE(scalar, 1), ir_one_nan(scalar, bits)));
}

ir_id ir_u32(struct ir_builder *b, uint32_t value)
{
	return ir_constant(b, IR_U32, value);
}

ir_id ir_i32(struct ir_builder *b, int32_t value)
{
	return ir_constant(b, IR_I32, (uint32_t)value);
}

ir_id ir_f32(struct ir_builder *b, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return ir_constant(b, IR_F32, bits);
}

ir_id ir_float(struct ir_builder *b, enum ir_scalar scalar, float value)
{
	assert(scalar == IR_F32 || scalar == IR_F16);
	return scalar == IR_F16 ? ir_constant(b, IR_F16, half_of_float(value)) : ir_f32(b, value);
}

ir_id ir_uniform(struct ir_builder *b, uint32_t which)
{
	assert(which < 4);
	return ir_number(b, INST(IR_UNIFORM, U32, which));
}

ir_id ir_builtin(struct ir_builder *b, enum ir_builtin which)
{
	if (which <= IR_WORKGROUP_ID_Z && b->module.workgroups[which] == 1)
		return ir_u32(b, 0);
	return ir_number(b, INST(IR_BUILTIN, U32, (uint32_t)which));
}

/* ---- Computing. */

ir_id ir_compute(struct ir_builder *b, enum ir_op op, ir_id x, ir_id y, ir_id z)
{
	struct ir_inst inst = {.op = (uint8_t)op, .arg = {x, y, z}};

	if (b->failed)
		return 0;
	assert(ir_op_infos[op].class == IR_COMPUTES &&
	        (!y || ir_type_of(b, y) == ir_type_of(b, x)) &&
	        (!z || ir_type_of(b, z) == ir_type_of(b, x)));
	ir_id simpler = ir_simplify(b, &inst);
	return simpler ? simpler : ir_number(b, &inst);
}

ir_id ir_select(struct ir_builder *b, ir_id condition, ir_id if_true, ir_id if_false)
{
	ir_type type = ir_type_of(b, if_true);

	if (b->failed)
		return 0;
	if (ir_at(b, condition)->op == IR_SPLAT) /* the same for all lanes */
		condition = ir_at(b, condition)->arg[0];
	assert(ir_scalar_of(ir_type_of(b, condition)) == IR_BOOL &&
	        (ir_lanes_of(ir_type_of(b, condition)) == 1 ||
	                ir_lanes_of(ir_type_of(b, condition)) == ir_lanes_of(type)) &&
	        ir_type_of(b, if_false) == type);
	if (ir_is_const(b, condition))
		return ir_bits(b, condition) ? if_true : if_false;
	if (ir_folds(b) && if_true == if_false)
		return if_true;
	return ir_number(b, INST(IR_SELECT, type, condition, if_true, if_false));
}

ir_id ir_convert(struct ir_builder *b, ir_id value, enum ir_scalar to)
{
	ir_type from = ir_type_of(b, value);
	uint32_t bits;

	if (ir_scalar_of(from) == to || b->failed)
		return value;
	if (ir_is_const(b, value) &&
	        ir_convert_bits(ir_scalar_of(from), to, ir_bits(b, value), &bits))
		return ir_constant(b, to, bits);
	return ir_number(b, INST(IR_CONVERT, IR_TYPE(to, ir_lanes_of(from)), value));
}

/* A constant keeps its bits, unless they are a NaN's. */
ir_id ir_bitcast(struct ir_builder *b, ir_id value, ir_type to)
{
	ir_type from = ir_type_of(b, value);

	if (from == to || b->failed)
		return value;
	assert(ir_bytes_of(from) == ir_bytes_of(to) && ir_scalar_of(from) != IR_BOOL &&
	        ir_scalar_of(to) != IR_BOOL);
	if (ir_is_const(b, value) && ir_lanes_of(to) == 1)
		return ir_constant(b, ir_scalar_of(to), ir_bits(b, value));
	if (ir_folds(b) && ir_at(b, value)->op == IR_BITCAST)
		return ir_bitcast(b, ir_at(b, value)->arg[0], to);
	return ir_number(b, INST(IR_BITCAST, to, value));
}

ir_id ir_unpack_half(struct ir_builder *b, ir_id word)
{
	assert(b->failed || ir_type_of(b, word) == U32);
	return ir_number(b, INST(IR_UNPACK_HALF, IR_TYPE(IR_F32, 2), word));
}

ir_id ir_dot4i8(struct ir_builder *b, ir_id x, ir_id y)
{
	assert(b->failed || (ir_type_of(b, x) == U32 && ir_type_of(b, y) == U32));
	return ir_number(b, INST(IR_DOT4I8, IR_TYPE(IR_I32, 1), x, y));
}

ir_id ir_splat(struct ir_builder *b, ir_id scalar, uint32_t lanes)
{
	ir_type type = ir_type_of(b, scalar);

	if (lanes == 1 || b->failed)
		return scalar;
	assert(ir_lanes_of(type) == 1 && lanes <= 4);
	return ir_number(b, INST(IR_SPLAT, IR_TYPE(ir_scalar_of(type), lanes), scalar));
}

/* The vector whose lanes 0, 1, ... these scalars are, or 0. */
static ir_id whole_vector(const struct ir_builder *b, const ir_id *scalars, ir_type type)
{
	const struct ir_inst *insts = b->module.insts;
	ir_id vector = insts[scalars[0]].arg[0];

	for (uint32_t i = 0; i < ir_lanes_of(type); i++) {
		const struct ir_inst *inst = &insts[scalars[i]];
		if (inst->op != IR_EXTRACT || inst->arg[0] != vector || inst->arg[1] != i)
			return 0;
	}
	return insts[vector].type == type ? vector : 0;
}

ir_id ir_compose(struct ir_builder *b, const ir_id *scalars, uint32_t lanes)
{
	struct ir_inst inst = {.op = IR_COMPOSE};
	bool same = ir_folds(b);

	if (lanes == 1 || b->failed)
		return scalars[0];
	assert(lanes <= 4);
	inst.type = IR_TYPE(ir_scalar_of(ir_type_of(b, scalars[0])), lanes);
	for (uint32_t i = 0; i < lanes; i++) {
		same = same && scalars[i] == scalars[0];
		inst.arg[i] = scalars[i];
	}
	if (same)
		return ir_splat(b, scalars[0], lanes);
	ir_id vector = ir_folds(b) ? whole_vector(b, scalars, inst.type) : 0;
	return vector ? vector : ir_number(b, &inst);
}

ir_id ir_extract(struct ir_builder *b, ir_id vector, uint32_t lane)
{
	const struct ir_inst *inst = &b->module.insts[vector];

	if (ir_lanes_of(inst->type) == 1 || b->failed)
		return vector;
	assert(lane < ir_lanes_of(inst->type));
	if (ir_folds(b) && inst->op == IR_COMPOSE)
		return inst->arg[lane];
	if (ir_folds(b) && inst->op == IR_SPLAT)
		return inst->arg[0];
	return ir_number(b, INST(IR_EXTRACT, IR_TYPE(ir_scalar_of(inst->type), 1), vector, lane));
}

/* ---- Memory. */

uint32_t ir_binding(
        struct ir_builder *b, const char *name, ir_type type, bool writable, uint32_t length)
{
	struct ir_module *m = &b->module;
	struct ir_binding *binding = &m->bindings[m->binding_count];

	assert(m->binding_count < IR_BINDINGS_MAX && strlen(name) < sizeof binding->name);
	*binding = (struct ir_binding){.type = type, .writable = writable, .length = length};
	strncpy(binding->name, name, sizeof binding->name - 1);
	return m->binding_count++;
}

uint32_t ir_shared(struct ir_builder *b, ir_type type, uint32_t length)
{
	struct ir_module *m = &b->module;

	assert(m->shared_count < IR_SHARED_MAX);
	m->shared[m->shared_count] = (struct ir_shared){type, length};
	return m->shared_count++;
}

/* What nobody writes reads the same every time. */
ir_id ir_load(struct ir_builder *b, uint32_t binding, ir_id index)
{
	const struct ir_binding *from = &b->module.bindings[binding];
	struct ir_inst inst = {.op = IR_LOAD, .type = from->type, .arg = {index, binding}};

	assert(binding < b->module.binding_count);
	return from->writable ? ir_append(b, &inst) : ir_number(b, &inst);
}

void ir_store(struct ir_builder *b, uint32_t binding, ir_id index, ir_id value)
{
	assert(b->failed || (binding < b->module.binding_count &&
	                            ir_type_of(b, value) == b->module.bindings[binding].type));
	ir_append(b, INST(IR_STORE, IR_VOID, index, value, binding));
}

ir_id ir_shared_load(struct ir_builder *b, uint32_t shared, ir_id index)
{
	assert(shared < b->module.shared_count);
	return ir_append(b, INST(IR_SHARED_LOAD, b->module.shared[shared].type, index, shared));
}

void ir_shared_store(struct ir_builder *b, uint32_t shared, ir_id index, ir_id value)
{
	assert(b->failed || (shared < b->module.shared_count &&
	                            ir_type_of(b, value) == b->module.shared[shared].type));
	ir_append(b, INST(IR_SHARED_STORE, IR_VOID, index, value, shared));
}

ir_id ir_var(struct ir_builder *b, ir_id initial)
{
	return ir_append(b, INST(IR_VAR, ir_type_of(b, initial), initial));
}

ir_id ir_get(struct ir_builder *b, ir_id variable)
{
	return ir_append(b, INST(IR_GET, ir_type_of(b, variable), variable));
}

void ir_set(struct ir_builder *b, ir_id variable, ir_id value)
{
	assert(b->failed || ir_type_of(b, value) == ir_type_of(b, variable));
	ir_append(b, INST(IR_SET, IR_VOID, value, variable));
}

/* ---- Control flow. A block's values leave the table when it ends. */

static ir_id open_block(struct ir_builder *b, const struct ir_inst *inst)
{
	assert(b->depth < IR_DEPTH_MAX);
	if (b->depth == IR_DEPTH_MAX)
		b->failed = true;
	ir_id id = ir_append(b, inst);
	if (!id)
		return 0;
	b->scopes[b->depth++] = (struct ir_scope){id, b->trail_count};
	b->block = id;
	return id;
}

ir_id ir_loop(struct ir_builder *b, ir_id from, ir_id to, uint32_t step)
{
	assert(step);
	return open_block(b, INST(IR_LOOP, U32, from, to, ir_u32(b, step)));
}

void ir_if(struct ir_builder *b, ir_id condition)
{
	open_block(b, INST(IR_IF, IR_VOID, condition));
}

void ir_else(struct ir_builder *b)
{
	if (b->failed)
		return;
	assert(b->depth);
	struct ir_scope scope = b->scopes[b->depth - 1];
	ir_forget(b, scope.trail_count);
	b->block = b->module.insts[scope.opener].block;
	b->block = ir_append(b, INST(IR_ELSE, IR_VOID, scope.opener));
}

void ir_end(struct ir_builder *b)
{
	if (b->failed)
		return;
	assert(b->depth);
	struct ir_scope scope = b->scopes[--b->depth];
	ir_forget(b, scope.trail_count);
	b->block = b->module.insts[scope.opener].block;
	ir_append(b, INST(IR_END, IR_VOID, scope.opener));
}

void ir_barrier(struct ir_builder *b)
{
	ir_append(b, INST(IR_BARRIER, IR_VOID, 0));
}

ir_id ir_subgroup(struct ir_builder *b, enum ir_op op, ir_id value)
{
	assert(ir_op_infos[op].class == IR_SUBGROUP_WIDE || ir_op_infos[op].class == IR_QUAD_WIDE);
	b->module.uses_subgroups = true;
	return ir_append(b, INST((uint8_t)op, ir_type_of(b, value), value));
}

/* ---- Cooperative matrices. */

void ir_matrices(struct ir_builder *b, uint32_t m, uint32_t n, uint32_t k)
{
	b->module.matrices = (struct ir_matrices){m, n, k};
	b->module.uses_subgroups = true;
}

ir_id ir_matrix_fill(struct ir_builder *b, enum ir_scalar matrix, ir_id scalar)
{
	return ir_number(b, INST(IR_MATRIX_FILL, IR_TYPE(matrix, 1), scalar));
}

ir_id ir_matrix_load(
        struct ir_builder *b, enum ir_scalar matrix, struct ir_matrix_at at, bool by_columns)
{
	assert(at.shared < b->module.shared_count);
	return ir_append(b, INST(IR_MATRIX_LOAD, IR_TYPE(matrix, 1), at.index, at.shared, at.stride,
	                            by_columns));
}

void ir_matrix_store(struct ir_builder *b, struct ir_matrix_at at, ir_id sum)
{
	assert(b->failed || (at.shared < b->module.shared_count &&
	                            ir_type_of(b, sum) == IR_TYPE(IR_MATRIX_SUM, 1)));
	ir_append(b, INST(IR_MATRIX_STORE, IR_VOID, at.index, sum, at.shared, at.stride));
}

ir_id ir_matrix_multiply(struct ir_builder *b, ir_id x, ir_id y, ir_id sum)
{
	assert(b->failed || (ir_type_of(b, x) == IR_TYPE(IR_MATRIX_A, 1) &&
	                            ir_type_of(b, y) == IR_TYPE(IR_MATRIX_B, 1)));
	return ir_number(b, INST(IR_MATRIX_MULTIPLY, ir_type_of(b, sum), x, y, sum));
}
