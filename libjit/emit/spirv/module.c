/* SPDX-License-Identifier: Apache-2.0
 *
 * Types, constants and variables at module scope. Small tables indexed by type or builtin say
 * what exists already; SPIR-V forbids the same type twice.
 */
#include "emit/spirv/module.h"

static const uint32_t storage_classes[STORAGE_COUNT] = {
        [STORAGE_BUFFER] = SpvStorageClassStorageBuffer,
        [WORKGROUP] = SpvStorageClassWorkgroup,
        [FUNCTION] = SpvStorageClassFunction,
        [INPUT] = SpvStorageClassInput,
        [UNIFORM] = SpvStorageClassUniform,
};

/* ---- Types. */

static uint32_t scalar_type(struct spirv *e, enum ir_scalar scalar)
{
	uint32_t id = e->next_id++;

	switch (scalar) {
	case IR_BOOL:
		PUT(&e->globals, SpvOpTypeBool, id);
		break;
	case IR_I32:
	case IR_U32:
		PUT(&e->globals, SpvOpTypeInt, id, 32, scalar == IR_I32);
		break;
	case IR_F32:
	case IR_F16:
		PUT(&e->globals, SpvOpTypeFloat, id, scalar == IR_F32 ? 32 : 16);
		break;
	default:
		PUT(&e->globals, SpvOpTypeVoid, id);
	}
	return id;
}

uint32_t spirv_make_type(struct spirv *e, ir_type type)
{
	uint32_t *slot = &e->types[type];

	if (*slot)
		return *slot;
	if (ir_is_matrix(type))
		return *slot = spirv_make_matrix(e, ir_scalar_of(type));
	if (ir_lanes_of(type) == 1)
		return *slot = scalar_type(e, ir_scalar_of(type));
	uint32_t scalar = type_id(e, IR_TYPE(ir_scalar_of(type), 1));
	*slot = e->next_id++;
	PUT(&e->globals, SpvOpTypeVector, *slot, scalar, ir_lanes_of(type));
	return *slot;
}

uint32_t spirv_make_pointer(struct spirv *e, enum spirv_storage storage, uint32_t type)
{
	uint32_t id = e->next_id++;

	PUT(&e->globals, SpvOpTypePointer, id, storage_classes[storage], type);
	return id;
}

/* ---- Constants. */

static struct spirv_constant *constant_slot(struct spirv *e, ir_type type, uint32_t bits)
{
	uint32_t at = (bits + type) * 0x9e3779b1u >> 12;
	struct spirv_constant *c = &e->constants[at & e->constant_mask];

	while (c->id && (c->bits != bits || c->type != type))
		c = &e->constants[++at & e->constant_mask];
	return c;
}

/* As text/wgsl.c writes it: a variable's bits, cast once, in the prologue. */
static uint32_t special(struct spirv *e, ir_type type, uint32_t bits)
{
	bool is_half = ir_scalar_of(type) == IR_F16;
	ir_type cast = is_half ? IR_TYPE(IR_F16, 2) : type, word = IR_TYPE(IR_U32, 1);
	uint32_t of = type_id(e, word), to = type_id(e, cast), value = u32_id(e, bits);
	uint32_t pointer = pointer_id(e, FUNCTION, word), variable = e->next_id++;
	uint32_t loaded = e->next_id++, whole = e->next_id++, half = e->next_id++;

	PUT(&e->variables, SpvOpVariable, pointer, variable, SpvStorageClassFunction);
	PUT(&e->prologue, SpvOpStore, variable, value);
	PUT(&e->prologue, SpvOpLoad, of, loaded, variable);
	PUT(&e->prologue, SpvOpBitcast, to, whole, loaded);
	if (!is_half)
		return whole;
	PUT(&e->prologue, SpvOpCompositeExtract, type_id(e, type), half, whole, 0);
	return half;
}

uint32_t spirv_constant(struct spirv *e, ir_type type, uint32_t bits)
{
	struct spirv_constant *slot = constant_slot(e, type, bits);

	if (slot->id)
		return slot->id;
	if (e->bounds && !ir_is_finite(ir_scalar_of(type), bits)) {
		uint32_t id = special(
		        e, type, bits); /* makes constants: the slot may be another now */
		*constant_slot(e, type, bits) = (struct spirv_constant){bits, type, id};
		return id;
	}
	uint32_t of = type_id(e, type);
	*slot = (struct spirv_constant){bits, type, e->next_id++};
	if (ir_scalar_of(type) == IR_BOOL)
		PUT(&e->globals, bits ? SpvOpConstantTrue : SpvOpConstantFalse, of, slot->id);
	else
		PUT(&e->globals, SpvOpConstant, of, slot->id, bits);
	return slot->id;
}

/* A vector with the constant `scalar` in all lanes. */
uint32_t spirv_constant_splat(struct spirv *e, ir_type type, uint32_t scalar)
{
	struct spirv_constant *slot = constant_slot(e, type, scalar);

	if (slot->id)
		return slot->id;
	uint32_t of = type_id(e, type);
	*slot = (struct spirv_constant){scalar, type, e->next_id++};
	const uint32_t words[] = {of, slot->id, scalar, scalar, scalar, scalar};
	put_words(&e->globals, SpvOpConstantComposite, words, 2 + ir_lanes_of(type));
	return slot->id;
}

/* ---- Module-scope variables. */

/* T[length], or T[] where only the dispatch says how long it is. */
static uint32_t storage_array(struct spirv *e, const struct ir_binding *binding)
{
	bool sized = e->module->workgroups[0];
	uint32_t element = type_id(e, binding->type);
	uint32_t length = sized ? u32_id(e, binding->length) : 0, array = e->next_id++;

	if (sized)
		PUT(&e->globals, SpvOpTypeArray, array, element, length);
	else
		PUT(&e->globals, SpvOpTypeRuntimeArray, array, element);
	PUT(&e->decorations, SpvOpDecorate, array, SpvDecorationArrayStride,
	        ir_bytes_of(binding->type));
	return array;
}

/* The pointer to struct { array }, as Tint has one for each binding. */
static uint32_t block_pointer(struct spirv *e, const struct ir_binding *binding)
{
	uint32_t array = storage_array(e, binding), block = e->next_id++;

	PUT(&e->globals, SpvOpTypeStruct, block, array);
	PUT(&e->decorations, SpvOpMemberDecorate, block, 0, SpvDecorationOffset, 0);
	PUT(&e->decorations, SpvOpDecorate, block, SpvDecorationBlock);
	return spirv_make_pointer(e, STORAGE_BUFFER, block);
}

static void decorate_binding(struct spirv *e, uint32_t variable, uint32_t n)
{
	PUT(&e->decorations, SpvOpDecorate, variable, SpvDecorationDescriptorSet, 0);
	PUT(&e->decorations, SpvOpDecorate, variable, SpvDecorationBinding, n);
}

void spirv_declare_binding(struct spirv *e, uint32_t n)
{
	const struct ir_binding *binding = &e->module->bindings[n];
	uint32_t pointer = block_pointer(e, binding);
	uint32_t id = e->bindings[n] = e->next_id++;

	PUT(&e->globals, SpvOpVariable, pointer, id, SpvStorageClassStorageBuffer);
	decorate_binding(e, id, n);
	if (!binding->writable)
		PUT(&e->decorations, SpvOpDecorate, id, SpvDecorationNonWritable);
}

void spirv_declare_shared(struct spirv *e, uint32_t n)
{
	const struct ir_shared *shared = &e->module->shared[n];
	uint32_t element = type_id(e, shared->type), length = u32_id(e, shared->length);
	uint32_t array = e->next_id++;

	PUT(&e->globals, SpvOpTypeArray, array, element, length);
	uint32_t pointer = spirv_make_pointer(e, WORKGROUP, array);
	if (!e->bounds) {
		e->shared[n] = e->next_id++;
		PUT(&e->globals, SpvOpVariable, pointer, e->shared[n], SpvStorageClassWorkgroup);
		return;
	}
	uint32_t zero = e->next_id++;
	PUT(&e->globals, SpvOpConstantNull, array, zero);
	e->shared[n] = e->next_id++;
	PUT(&e->globals, SpvOpVariable, pointer, e->shared[n], SpvStorageClassWorkgroup, zero);
}

/* ---- Builtins: each input is loaded once, at the function's top. */

static const struct {
	uint8_t input; /* the first enum ir_builtin of the same input variable */
	uint8_t lane;
	ir_type type;
	SpvBuiltIn builtin;
} builtin_infos[IR_BUILTIN_COUNT] = {
        [IR_WORKGROUP_ID_X] = {IR_WORKGROUP_ID_X, 0, IR_TYPE(IR_U32, 3), SpvBuiltInWorkgroupId},
        [IR_WORKGROUP_ID_Y] = {IR_WORKGROUP_ID_X, 1, IR_TYPE(IR_U32, 3), SpvBuiltInWorkgroupId},
        [IR_WORKGROUP_ID_Z] = {IR_WORKGROUP_ID_X, 2, IR_TYPE(IR_U32, 3), SpvBuiltInWorkgroupId},
        [IR_LOCAL_ID_X] = {IR_LOCAL_ID_X, 0, IR_TYPE(IR_U32, 3), SpvBuiltInLocalInvocationId},
        [IR_LOCAL_ID_Y] = {IR_LOCAL_ID_X, 1, IR_TYPE(IR_U32, 3), SpvBuiltInLocalInvocationId},
        [IR_LOCAL_ID_Z] = {IR_LOCAL_ID_X, 2, IR_TYPE(IR_U32, 3), SpvBuiltInLocalInvocationId},
        [IR_LOCAL_INDEX] = {IR_LOCAL_INDEX, 0, IR_TYPE(IR_U32, 1), SpvBuiltInLocalInvocationIndex},
        [IR_SUBGROUP_INVOCATION] = {IR_SUBGROUP_INVOCATION, 0, IR_TYPE(IR_U32, 1),
                SpvBuiltInSubgroupLocalInvocationId},
        [IR_SUBGROUP_ID] = {IR_SUBGROUP_ID, 0, IR_TYPE(IR_U32, 1), SpvBuiltInSubgroupId},
};

/* The value of the whole input variable `which`. */
static uint32_t input_id(struct spirv *e, uint32_t which)
{
	ir_type type = builtin_infos[which].type;

	if (e->inputs[which])
		return e->inputs[which];
	uint32_t pointer = pointer_id(e, INPUT, type), variable = e->next_id++;
	PUT(&e->globals, SpvOpVariable, pointer, variable, SpvStorageClassInput);
	PUT(&e->decorations, SpvOpDecorate, variable, SpvDecorationBuiltIn,
	        builtin_infos[which].builtin);
	e->input_vars[e->input_count++] = variable;
	e->inputs[which] = e->next_id++;
	PUT(&e->prologue, SpvOpLoad, type_id(e, type), e->inputs[which], variable);
	return e->inputs[which];
}

uint32_t spirv_builtin(struct spirv *e, enum ir_builtin which)
{
	uint32_t *slot = &e->builtins[which];

	if (*slot)
		return *slot;
	uint32_t input = input_id(e, builtin_infos[which].input);
	if (ir_lanes_of(builtin_infos[which].type) == 1)
		return *slot = input;
	*slot = e->next_id++;
	PUT(&e->prologue, SpvOpCompositeExtract, type_id(e, IR_TYPE(IR_U32, 1)), *slot, input,
	        builtin_infos[which].lane);
	if (e->bounds && which <= IR_WORKGROUP_ID_Z && e->module->workgroups[which])
		*slot = spirv_at_most(e, &e->prologue, *slot, e->module->workgroups[which] - 1);
	return *slot;
}

/* ---- The uniform block: struct { uvec4 }, after all storage. */

static uint32_t uniform_block(struct spirv *e)
{
	uint32_t vector = type_id(e, IR_TYPE(IR_U32, 4)), zero = u32_id(e, 0);
	uint32_t member = pointer_id(e, UNIFORM, IR_TYPE(IR_U32, 4));
	uint32_t block = e->next_id++, variable = e->next_id++, chain = e->next_id++;
	uint32_t value = e->next_id++;

	PUT(&e->globals, SpvOpTypeStruct, block, vector);
	PUT(&e->decorations, SpvOpMemberDecorate, block, 0, SpvDecorationOffset, 0);
	PUT(&e->decorations, SpvOpDecorate, block, SpvDecorationBlock);
	PUT(&e->globals, SpvOpVariable, spirv_make_pointer(e, UNIFORM, block), variable,
	        SpvStorageClassUniform);
	decorate_binding(e, variable, e->module->binding_count);
	PUT(&e->prologue, SpvOpAccessChain, member, chain, variable, zero);
	PUT(&e->prologue, SpvOpLoad, vector, value, chain);
	return value;
}

uint32_t spirv_uniform(struct spirv *e, uint32_t which)
{
	uint32_t *slot = &e->uniforms[which];

	if (*slot)
		return *slot;
	if (!e->uniform_block)
		e->uniform_block = uniform_block(e);
	*slot = e->next_id++;
	PUT(&e->prologue, SpvOpCompositeExtract, type_id(e, IR_TYPE(IR_U32, 1)), *slot,
	        e->uniform_block, which);
	return *slot;
}
