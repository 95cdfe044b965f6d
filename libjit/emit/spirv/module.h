/* SPDX-License-Identifier: Apache-2.0
 *
 * The SPIR-V emitter's state and what stands at module scope: word streams, types, constants,
 * storage, inputs. Everything is made when first asked for, once. For this room only.
 */
#pragma once

#include "base/buffer.h"
#include "emit/bounds.h"
#include "emit/plan.h"

#include <spirv/unified1/spirv.h>
#include <string.h>

enum spirv_storage { STORAGE_BUFFER, WORKGROUP, FUNCTION, INPUT, UNIFORM, STORAGE_COUNT };

#define SPIRV_TYPES 64 /* every ir_type is below */

struct spirv_constant {
	uint32_t bits; /* a scalar's bits, or the id of the scalar that fills a vector */
	uint32_t type; /* ir_type */
	uint32_t id;   /* 0: free */
};

struct spirv {
	const struct ir_module *module;
	struct emit_bound *bounds; /* NULL: native, without guards */
	struct emit_plan *plan;    /* NULL: native, in the order of the module */
	bool clamps_storage;
	struct buffer decorations, globals, variables, prologue, body;
	uint32_t next_id;
	uint32_t glsl; /* the GLSL.std.450 import */
	uint32_t *ids; /* by instruction: its result, a variable, or a block's first label */
	struct spirv_constant *constants; /* open addressing, never full */
	uint32_t constant_mask;
	uint32_t types[SPIRV_TYPES];
	uint32_t pointers[STORAGE_COUNT][SPIRV_TYPES];
	uint32_t bindings[IR_BINDINGS_MAX], shared[IR_SHARED_MAX];
	uint32_t builtins[IR_BUILTIN_COUNT], inputs[IR_BUILTIN_COUNT];
	uint32_t uniform_block, uniforms[4]; /* the block's value, and of its lanes */
	uint32_t input_vars[IR_BUILTIN_COUNT], input_count; /* for the entry point's interface */
};

static inline void put_words(
        struct buffer *section, SpvOp op, const uint32_t *words, uint32_t count)
{
	uint32_t first = (uint32_t)op | (count + 1) << SpvWordCountShift;
	size_t bytes = (count + 1ul) * sizeof first;

	if (section->capacity - section->length <= bytes && !buffer_reserve(section, bytes))
		return;
	char *to = section->data + section->length;
	memcpy(to, &first, sizeof first);
	if (count)
		memcpy(to + sizeof first, words, count * sizeof first);
	section->length += bytes;
}

/* One instruction; its word count is that of the arguments. */
#define PUT(section, op, ...)                                   \
	put_words(section, op, (const uint32_t[]){__VA_ARGS__}, \
	        sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Ids of types and constants. A constant of a vector type has the scalar constant `scalar` in all
 * its lanes. For the web an infinity or a NaN is no constant to SPIR-V, but a value of the
 * prologue. */
uint32_t spirv_make_type(struct spirv *e, ir_type type);
uint32_t spirv_make_pointer(struct spirv *e, enum spirv_storage storage, uint32_t type);
uint32_t spirv_constant(struct spirv *e, ir_type type, uint32_t bits);
uint32_t spirv_constant_splat(struct spirv *e, ir_type type, uint32_t scalar);

static inline uint32_t type_id(struct spirv *e, ir_type type)
{
	return e->types[type] ? e->types[type] : spirv_make_type(e, type);
}

static inline uint32_t pointer_id(struct spirv *e, enum spirv_storage storage, ir_type type)
{
	uint32_t *slot = &e->pointers[storage][type];

	if (!*slot)
		*slot = spirv_make_pointer(e, storage, type_id(e, type));
	return *slot;
}

static inline uint32_t u32_id(struct spirv *e, uint32_t value)
{
	return spirv_constant(e, IR_TYPE(IR_U32, 1), value);
}

/* An instruction of one result and up to two operands, into the body; its id. */
uint32_t spirv_put2(struct spirv *e, SpvOp op, ir_type type, uint32_t x, uint32_t y);
/* min(x, most), as code. */
uint32_t spirv_at_most(struct spirv *e, struct buffer *section, uint32_t x, uint32_t most);
/* The index of an access as it may be used: clamped where the web would (guard.c). */
uint32_t spirv_guarded_index(struct spirv *e, const struct ir_inst *inst, uint32_t n);
/* A value whose operands the web minds; false, and nothing is written, if it is none. */
bool spirv_guarded_value(struct spirv *e, ir_id id, const struct ir_inst *inst, uint32_t result);
/* Declares binding or workgroup array n. */
void spirv_declare_binding(struct spirv *e, uint32_t n);
void spirv_declare_shared(struct spirv *e, uint32_t n);
/* The builtin's value, loaded once, in the prologue. */
uint32_t spirv_builtin(struct spirv *e, enum ir_builtin which);
/* One of the uniform block's four, loaded once as well; declares the block. */
uint32_t spirv_uniform(struct spirv *e, uint32_t which);

/* Cooperative matrices (matrix.c): a type's id, a store, a value. */
uint32_t spirv_make_matrix(struct spirv *e, enum ir_scalar matrix);
void spirv_matrix_store(struct spirv *e, const struct ir_inst *inst);
void spirv_matrix_value(struct spirv *e, const struct ir_inst *inst, uint32_t result);

/* The module up to its execution mode (header.c); after the walk. */
void spirv_put_header(struct spirv *e, struct buffer *out, uint32_t main_id);

/* A value that reads no memory and no variable, into the body; its operands have ids. */
void spirv_value(struct spirv *e, ir_id id, const struct ir_inst *inst, uint32_t result);
