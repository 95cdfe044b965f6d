/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder: appends instructions, and on the way folds constants, simplifies integer algebra
 * and numbers values, so that no pass is needed afterwards. Float algebra is never reordered.
 *
 * Numbering is an open-addressing table of the ids in sight. Every insertion is on a trail; when
 * a block ends, the insertions made in it are taken back, last first, which leaves linear probing
 * exactly as it was. Invariant: every id in the table may be used at the current place.
 */
#include "ir/builder.h"

#include "base/half.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_INST 1024 /* initial room; both are powers of two */
#define FIRST_SLOT 2048

#define INST(op_, type_, ...) \
	(&(struct ir_inst){.op = (op_), .type = (type_), .arg = {__VA_ARGS__}})
#define U32 IR_TYPE(IR_U32, 1)

const struct ir_op_info ir_op_infos[IR_OP_COUNT] = {
#define IR_ARITH(name, arity, ...) [IR_##name] = {#name, arity, true, true},
#define IR_FLOAT(name, arity, ...) [IR_##name] = {#name, arity, true, true},
#define IR_INT(name, arity, ...)   [IR_##name] = {#name, arity, true, true},
#define IR_COMPARE(name, ...)      [IR_##name] = {#name, 2, true, true},
#define IR_LOGIC(name, arity, ...) [IR_##name] = {#name, arity, true, true},
#define IR_STRUCT(name, values, has_result, is_pure) \
	[IR_##name] = {#name, values, has_result, is_pure},
#include "ir/ir.def"
};

/* ---- Lifetime. */

int ir_builder_create(struct ir_builder **ret_builder)
{
	struct ir_builder *b = calloc(1, sizeof *b);

	if (!b)
		return -ENOMEM;
	b->capacity = FIRST_INST;
	b->slot_count = FIRST_SLOT;
	b->module.insts = calloc(b->capacity, sizeof *b->module.insts);
	b->slots = calloc(b->slot_count, sizeof *b->slots);
	b->trail = malloc(b->slot_count / 2 * sizeof *b->trail);
	if (!b->module.insts || !b->slots || !b->trail) {
		ir_builder_destroy(b);
		return -ENOMEM;
	}
	ir_begin(b, (const uint32_t[3]){1, 1, 1});
	*ret_builder = b;
	return 0;
}

void ir_builder_destroy(struct ir_builder *b)
{
	if (!b)
		return;
	free(b->module.insts);
	free(b->slots);
	free(b->trail);
	free(b);
}

static void forget(struct ir_builder *b, uint32_t trail_count)
{
	while (b->trail_count > trail_count)
		b->slots[b->trail[--b->trail_count]].id = 0;
}

void ir_begin(struct ir_builder *b, const uint32_t workgroup_size[3])
{
	struct ir_inst *insts = b->module.insts;

	forget(b, 0);
	b->module = (struct ir_module){.insts = insts, .count = 1};
	memcpy(b->module.workgroup_size, workgroup_size, sizeof b->module.workgroup_size);
	insts[0] = (struct ir_inst){.op = IR_NOP};
	b->failed = false;
	b->block = 0;
	b->depth = 0;
}

void ir_fix(struct ir_builder *b, const uint32_t workgroups[3])
{
	memcpy(b->module.workgroups, workgroups, sizeof b->module.workgroups);
}

/* ---- Appending. */

static bool grow_insts(struct ir_builder *b)
{
	struct ir_inst *insts = NULL;

	if (b->capacity <= UINT32_MAX / 2 / sizeof *insts)
		insts = realloc(b->module.insts, 2ul * b->capacity * sizeof *insts);
	if (!insts) {
		b->failed = true;
		return false;
	}
	b->module.insts = insts;
	b->capacity *= 2;
	return true;
}

static inline void count_use(struct ir_inst *inst)
{
	inst->uses += inst->uses != UINT16_MAX;
}

static ir_id append(struct ir_builder *b, const struct ir_inst *inst)
{
	struct ir_module *m = &b->module;

	if (b->failed || (m->count == b->capacity && !grow_insts(b)))
		return 0;
	for (uint32_t i = 0, values = ir_op_infos[inst->op].values; i < values; i++)
		if (inst->arg[i])
			count_use(&m->insts[inst->arg[i]]);
	m->insts[m->count] = *inst;
	m->insts[m->count].block = b->block;
	return m->count++;
}

/* ---- Value numbering. */

static inline uint32_t hash_inst(const struct ir_inst *inst)
{
	uint64_t low = (uint64_t)inst->arg[0] << 32 | inst->arg[1];
	uint64_t high = (uint64_t)inst->arg[2] << 32 | inst->arg[3];
	uint64_t h = low * 0x9e3779b97f4a7c15ull;

	h ^= (high + ((uint64_t)inst->op << 8 | inst->type)) * 0xc2b2ae3d27d4eb4full;
	h ^= h >> 29;
	return (uint32_t)(h * 0xbf58476d1ce4e5b9ull >> 32);
}

static inline bool same_inst(const struct ir_inst *x, const struct ir_inst *y)
{
	return x->op == y->op && x->type == y->type && x->arg[0] == y->arg[0] &&
	       x->arg[1] == y->arg[1] && x->arg[2] == y->arg[2] && x->arg[3] == y->arg[3];
}

/* Inserting again in the order of the trail keeps "last in, first out" true in the new table. */
static bool grow_slots(struct ir_builder *b)
{
	uint32_t count = 2 * b->slot_count;
	struct ir_slot *slots = calloc(count, sizeof *slots);
	uint32_t *trail = realloc(b->trail, count / 2 * sizeof *trail);

	if (trail)
		b->trail = trail;
	if (!slots || !trail) {
		free(slots);
		b->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < b->trail_count; i++) {
		struct ir_slot old = b->slots[trail[i]];
		uint32_t at = old.hash & (count - 1);

		while (slots[at].id)
			at = (at + 1) & (count - 1);
		slots[at] = old;
		trail[i] = at;
	}
	free(b->slots);
	b->slots = slots;
	b->slot_count = count;
	return true;
}

/* The value in sight that is the same instruction, or else the instruction appended. */
static ir_id number(struct ir_builder *b, const struct ir_inst *inst)
{
	uint32_t hash = hash_inst(inst), mask = b->slot_count - 1, at = hash & mask;

	if (b->left_out & IR_LEAVE_OUT_NUMBERING)
		return append(b, inst);
	for (; b->slots[at].id; at = (at + 1) & mask)
		if (b->slots[at].hash == hash && same_inst(&b->module.insts[b->slots[at].id], inst))
			return b->slots[at].id;
	ir_id id = append(b, inst);
	if (!id)
		return 0;
	b->slots[at] = (struct ir_slot){hash, id};
	b->trail[b->trail_count++] = at;
	if (b->trail_count == b->slot_count / 2)
		grow_slots(b);
	return id;
}

/* ---- Leaves. */

ir_type ir_type_of(const struct ir_builder *b, ir_id value)
{
	return b->module.insts[value].type;
}

ir_id ir_constant(struct ir_builder *b, enum ir_scalar scalar, uint32_t bits)
{
	return number(b, INST(IR_CONST, IR_TYPE(scalar, 1), bits));
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
	return number(b, INST(IR_UNIFORM, U32, which));
}

ir_id ir_builtin(struct ir_builder *b, enum ir_builtin which)
{
	if (which <= IR_WORKGROUP_ID_Z && b->module.workgroups[which] == 1)
		return ir_u32(b, 0);
	return number(b, INST(IR_BUILTIN, U32, (uint32_t)which));
}

/* ---- Computing. */

ir_id ir_compute(struct ir_builder *b, enum ir_op op, ir_id x, ir_id y, ir_id z)
{
	struct ir_inst inst = {.op = (uint8_t)op, .arg = {x, y, z}};

	if (b->failed)
		return 0;
	assert(op < IR_NOP && (!y || ir_type_of(b, y) == ir_type_of(b, x)) &&
	        (!z || ir_type_of(b, z) == ir_type_of(b, x)));
	ir_id simpler = ir_simplify(b, &inst);
	return simpler ? simpler : number(b, &inst);
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
	return number(b, INST(IR_SELECT, type, condition, if_true, if_false));
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
	return number(b, INST(IR_CONVERT, IR_TYPE(to, ir_lanes_of(from)), value));
}

/* A constant keeps its bits; unless they are no finite float, which has no literal. */
ir_id ir_bitcast(struct ir_builder *b, ir_id value, ir_type to)
{
	ir_type from = ir_type_of(b, value);

	if (from == to || b->failed)
		return value;
	assert(ir_bytes_of(from) == ir_bytes_of(to) && ir_scalar_of(from) != IR_BOOL &&
	        ir_scalar_of(to) != IR_BOOL);
	if (ir_is_const(b, value) && ir_lanes_of(to) == 1 &&
	        ir_is_finite(ir_scalar_of(to), ir_bits(b, value)))
		return ir_constant(b, ir_scalar_of(to), ir_bits(b, value));
	if (ir_folds(b) && ir_at(b, value)->op == IR_BITCAST)
		return ir_bitcast(b, ir_at(b, value)->arg[0], to);
	return number(b, INST(IR_BITCAST, to, value));
}

ir_id ir_unpack_half(struct ir_builder *b, ir_id word)
{
	assert(b->failed || ir_type_of(b, word) == U32);
	return number(b, INST(IR_UNPACK_HALF, IR_TYPE(IR_F32, 2), word));
}

ir_id ir_pack_half(struct ir_builder *b, ir_id pair)
{
	assert(b->failed || ir_type_of(b, pair) == IR_TYPE(IR_F32, 2));
	return number(b, INST(IR_PACK_HALF, U32, pair));
}

ir_id ir_dot4i8(struct ir_builder *b, ir_id x, ir_id y)
{
	assert(b->failed || (ir_type_of(b, x) == U32 && ir_type_of(b, y) == U32));
	return number(b, INST(IR_DOT4I8, IR_TYPE(IR_I32, 1), x, y));
}

ir_id ir_splat(struct ir_builder *b, ir_id scalar, uint32_t lanes)
{
	ir_type type = ir_type_of(b, scalar);

	if (lanes == 1 || b->failed)
		return scalar;
	assert(ir_lanes_of(type) == 1 && lanes <= 4);
	return number(b, INST(IR_SPLAT, IR_TYPE(ir_scalar_of(type), lanes), scalar));
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
	return vector ? vector : number(b, &inst);
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
	return number(b, INST(IR_EXTRACT, IR_TYPE(ir_scalar_of(inst->type), 1), vector, lane));
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
	return from->writable ? append(b, &inst) : number(b, &inst);
}

void ir_store(struct ir_builder *b, uint32_t binding, ir_id index, ir_id value)
{
	assert(b->failed || (binding < b->module.binding_count &&
	                            ir_type_of(b, value) == b->module.bindings[binding].type));
	append(b, INST(IR_STORE, IR_VOID, index, value, binding));
}

ir_id ir_shared_load(struct ir_builder *b, uint32_t shared, ir_id index)
{
	assert(shared < b->module.shared_count);
	return append(b, INST(IR_SHARED_LOAD, b->module.shared[shared].type, index, shared));
}

void ir_shared_store(struct ir_builder *b, uint32_t shared, ir_id index, ir_id value)
{
	assert(b->failed || (shared < b->module.shared_count &&
	                            ir_type_of(b, value) == b->module.shared[shared].type));
	append(b, INST(IR_SHARED_STORE, IR_VOID, index, value, shared));
}

ir_id ir_var(struct ir_builder *b, ir_id initial)
{
	return append(b, INST(IR_VAR, ir_type_of(b, initial), initial));
}

ir_id ir_get(struct ir_builder *b, ir_id variable)
{
	return append(b, INST(IR_GET, ir_type_of(b, variable), variable));
}

void ir_set(struct ir_builder *b, ir_id variable, ir_id value)
{
	assert(b->failed || ir_type_of(b, value) == ir_type_of(b, variable));
	append(b, INST(IR_SET, IR_VOID, value, variable));
}

/* ---- Control flow. A block's values leave the table when it ends. */

static ir_id open_block(struct ir_builder *b, const struct ir_inst *inst)
{
	assert(b->depth < IR_DEPTH_MAX);
	if (b->depth == IR_DEPTH_MAX)
		b->failed = true;
	ir_id id = append(b, inst);
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
	forget(b, scope.trail_count);
	b->block = b->module.insts[scope.opener].block;
	b->block = append(b, INST(IR_ELSE, IR_VOID, scope.opener));
}

void ir_end(struct ir_builder *b)
{
	if (b->failed)
		return;
	assert(b->depth);
	struct ir_scope scope = b->scopes[--b->depth];
	forget(b, scope.trail_count);
	b->block = b->module.insts[scope.opener].block;
	append(b, INST(IR_END, IR_VOID, scope.opener));
}

void ir_barrier(struct ir_builder *b)
{
	append(b, INST(IR_BARRIER, IR_VOID, 0));
}

ir_id ir_subgroup(struct ir_builder *b, enum ir_op op, ir_id value)
{
	assert(op >= IR_SUBGROUP_ADD && op <= IR_QUAD_SWAP_DIAGONAL);
	b->module.uses_subgroups = true;
	return append(b, INST((uint8_t)op, ir_type_of(b, value), value));
}

/* ---- Cooperative matrices. */

void ir_matrices(struct ir_builder *b, uint32_t m, uint32_t n, uint32_t k)
{
	b->module.matrices = (struct ir_matrices){m, n, k};
	b->module.uses_subgroups = true;
}

ir_id ir_matrix_fill(struct ir_builder *b, enum ir_scalar matrix, ir_id scalar)
{
	return number(b, INST(IR_MATRIX_FILL, IR_TYPE(matrix, 1), scalar));
}

ir_id ir_matrix_load(struct ir_builder *b, enum ir_scalar matrix, uint32_t shared, ir_id index,
        uint32_t stride, bool by_columns)
{
	assert(shared < b->module.shared_count);
	return append(
	        b, INST(IR_MATRIX_LOAD, IR_TYPE(matrix, 1), index, shared, stride, by_columns));
}

void ir_matrix_store(struct ir_builder *b, uint32_t shared, ir_id index, uint32_t stride, ir_id sum)
{
	assert(b->failed || (shared < b->module.shared_count &&
	                            ir_type_of(b, sum) == IR_TYPE(IR_MATRIX_SUM, 1)));
	append(b, INST(IR_MATRIX_STORE, IR_VOID, index, sum, shared, stride));
}

ir_id ir_matrix_multiply(struct ir_builder *b, ir_id x, ir_id y, ir_id sum)
{
	assert(b->failed || (ir_type_of(b, x) == IR_TYPE(IR_MATRIX_A, 1) &&
	                            ir_type_of(b, y) == IR_TYPE(IR_MATRIX_B, 1)));
	return number(b, INST(IR_MATRIX_MULTIPLY, ir_type_of(b, sum), x, y, sum));
}
