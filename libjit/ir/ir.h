/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel IR: a flat array of typed instructions. Control flow is structured by markers
 * (LOOP/IF ... ELSE ... END), state lives in mutable variables; there is no CFG and no phi,
 * because WGSL has neither. A value's id is its instruction's index; id 0 is the NOP that means
 * "none". A value may be used only inside the block that defines it and the blocks within it.
 *
 * The builder folds constants and numbers values as it builds, so a finished module needs no
 * pass before an emitter walks it once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum ir_op {
#define IR_ARITH(name, ...)   IR_##name,
#define IR_FLOAT(name, ...)   IR_##name,
#define IR_INT(name, ...)     IR_##name,
#define IR_COMPARE(name, ...) IR_##name,
#define IR_LOGIC(name, ...)   IR_##name,
#define IR_STRUCT(name, ...)  IR_##name,
#include "ir/ir.def"
	IR_OP_COUNT
};

enum ir_scalar { IR_VOID, IR_BOOL, IR_I32, IR_U32, IR_F32, IR_SCALAR_COUNT };

/* A type is a scalar and 1..4 lanes in one byte. */
typedef uint8_t ir_type;
#define IR_TYPE(scalar, lanes) ((ir_type)((scalar) | ((lanes)-1) << 4))
static inline enum ir_scalar ir_scalar_of(ir_type type)
{
	return (enum ir_scalar)(type & 15);
}
static inline uint32_t ir_lanes_of(ir_type type)
{
	return (type >> 4) + 1u;
}
static inline uint32_t ir_bytes_of(
        ir_type type) /* as stored in an array: all scalars are 4 bytes */
{
	return 4 * ir_lanes_of(type);
}

typedef uint32_t ir_id;

enum ir_builtin { /* all u32 scalars */
	IR_WORKGROUP_ID_X,
	IR_WORKGROUP_ID_Y,
	IR_WORKGROUP_ID_Z,
	IR_LOCAL_ID_X,
	IR_LOCAL_ID_Y,
	IR_LOCAL_ID_Z,
	IR_LOCAL_INDEX,
	IR_SUBGROUP_INVOCATION,
	IR_BUILTIN_COUNT
};

/* Arguments by instruction (v: value id, i: immediate):
 *   CONST          arg[0] i: the scalar's bits (a vector constant is a SPLAT or COMPOSE of scalars)
 *   BUILTIN        arg[0] i: enum ir_builtin
 *   SELECT         v condition (bool scalar), v if true, v if false
 *   CONVERT        v; result type's scalar differs: numeric conversion as WGSL's T(x)
 *   SPLAT          v scalar -> all lanes of the result
 *   COMPOSE        v scalars, one for each lane of the result; the rest 0
 *   EXTRACT        v vector, i lane
 *   LOAD           v element index (u32), i binding
 *   STORE          v element index, v value, i binding
 *   SHARED_LOAD    v element index, i workgroup array
 *   SHARED_STORE   v element index, v value, i workgroup array
 *   VAR            v initial value; `type` is the variable's; its id names the variable
 *   GET            i variable id -> its value
 *   SET            v value, i variable id
 *   LOOP           v from, v to, v step (u32, step > 0): for (i = from; i < to; i += step);
 *                  its id is the induction value inside the block
 *   IF             v condition (bool scalar)
 *   ELSE           i id of its IF, the open one
 *   END            i id of the LOOP or IF it closes
 *   BARRIER        workgroup execution and workgroup-memory barrier; uniform control flow only
 *   SUBGROUP_ADD   v: sum over the subgroup's active invocations
 * In `arg`, the values stand first and the immediate follows at arg[values].
 */
struct ir_inst {
	uint8_t op;    /* enum ir_op */
	ir_type type;  /* of the result, or of the variable for VAR; IR_VOID where there is none */
	uint16_t uses; /* how often its value is an operand; sticks at 65535 */
	ir_id block;   /* the LOOP, IF or ELSE it stands in; 0 at the top */
	uint32_t arg[4];
};

struct ir_op_info {
	const char *name;
	uint8_t values; /* how many of arg are value ids */
	bool has_result, pure;
};
extern const struct ir_op_info ir_op_infos[IR_OP_COUNT];

#define IR_BINDINGS_MAX 8
#define IR_SHARED_MAX   4

struct ir_binding {
	char name[12]; /* an identifier in every target */
	ir_type type;  /* of an element: f32 or vec2/vec4 of it */
	bool writable;
	uint32_t length; /* elements of `type` the buffer holds, > 0 */
};

struct ir_shared {
	ir_type type;
	uint32_t length; /* elements, > 0 */
};

struct ir_module {
	struct ir_inst *insts; /* insts[0] is the NOP */
	uint32_t count;
	uint32_t workgroup_size[3];
	struct ir_binding bindings[IR_BINDINGS_MAX]; /* binding n of group 0 */
	uint32_t binding_count;
	struct ir_shared shared[IR_SHARED_MAX];
	uint32_t shared_count;
	bool uses_subgroups;
};

/* ---- The builder. One builder makes many modules, one after another, in the same memory.
 * Failure (no memory) is sticky: every call stays safe, and ir_finish reports it. Operand types
 * that do not fit are our own mistake: asserted, and reported by ir_check.
 * C does not say in which order arguments are evaluated: for output that is the same with every
 * compiler, no two calls that build more than a constant stand in one argument list. */
struct ir_builder;

int ir_builder_create(struct ir_builder **ret_builder); /* -ENOMEM */
void ir_builder_destroy(struct ir_builder *builder);

/* Starts a module, forgetting the last one. */
void ir_begin(struct ir_builder *builder, const uint32_t workgroup_size[3]);
/* The finished module, owned by the builder and valid until its next ir_begin. -ENOMEM. */
int ir_finish(struct ir_builder *builder, const struct ir_module **ret_module);

uint32_t ir_binding(
        struct ir_builder *builder, const char *name, ir_type type, bool writable, uint32_t length);
uint32_t ir_shared(struct ir_builder *builder, ir_type type, uint32_t length);

ir_type ir_type_of(const struct ir_builder *builder, ir_id value);
ir_id ir_u32(struct ir_builder *builder, uint32_t value);
ir_id ir_f32(struct ir_builder *builder, float value);
ir_id ir_builtin(struct ir_builder *builder, enum ir_builtin which);
/* Any computing row of ir.def; b and c are 0 where the row has fewer operands. Folded when all
 * operands are constants; x+0, x*1, x*0 (integers), x/1, x%1 and powers of two are simplified. */
ir_id ir_compute(struct ir_builder *builder, enum ir_op op, ir_id a, ir_id b, ir_id c);
ir_id ir_select(struct ir_builder *builder, ir_id condition, ir_id if_true, ir_id if_false);
ir_id ir_convert(struct ir_builder *builder, ir_id value, enum ir_scalar to);
ir_id ir_splat(struct ir_builder *builder, ir_id scalar, uint32_t lanes); /* lanes 1: the scalar */
ir_id ir_compose(struct ir_builder *builder, const ir_id *scalars, uint32_t lanes);
ir_id ir_extract(struct ir_builder *builder, ir_id vector, uint32_t lane); /* of a scalar: itself */
ir_id ir_load(struct ir_builder *builder, uint32_t binding, ir_id index);
void ir_store(struct ir_builder *builder, uint32_t binding, ir_id index, ir_id value);
ir_id ir_shared_load(struct ir_builder *builder, uint32_t shared, ir_id index);
void ir_shared_store(struct ir_builder *builder, uint32_t shared, ir_id index, ir_id value);
ir_id ir_var(struct ir_builder *builder, ir_id initial);
ir_id ir_get(struct ir_builder *builder, ir_id variable);
void ir_set(struct ir_builder *builder, ir_id variable, ir_id value);
ir_id ir_loop(struct ir_builder *builder, ir_id from, ir_id to, uint32_t step);
void ir_if(struct ir_builder *builder, ir_id condition);
void ir_else(struct ir_builder *builder);
void ir_end(struct ir_builder *builder); /* closes the innermost LOOP or IF */
void ir_barrier(struct ir_builder *builder);
ir_id ir_subgroup_add(struct ir_builder *builder, ir_id value);

static inline ir_id ir_add(struct ir_builder *b, ir_id x, ir_id y)
{
	return ir_compute(b, IR_ADD, x, y, 0);
}
static inline ir_id ir_mul(struct ir_builder *b, ir_id x, ir_id y)
{
	return ir_compute(b, IR_MUL, x, y, 0);
}

/* ---- Checker and printer. */
struct buffer;
struct error;
/* 0, or -EINVAL and err naming the instruction and the rule it breaks: types, scopes, markers. */
int ir_check(const struct ir_module *module, struct error *err);
/* One line an instruction, for people and golden tests. */
void ir_print(const struct ir_module *module, struct buffer *out);
