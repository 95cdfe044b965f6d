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
#define IR_ARITH(name, ...)    IR_##name,
#define IR_FLOAT(name, ...)    IR_##name,
#define IR_INT(name, ...)      IR_##name,
#define IR_COMPARE(name, ...)  IR_##name,
#define IR_LOGIC(name, ...)    IR_##name,
#define IR_STRUCT(name, ...)   IR_##name,
#define IR_SUBGROUP(name, ...) IR_##name,
#define IR_QUAD(name, ...)     IR_##name,
#include "ir/ir.def"
	IR_OP_COUNT
};

/* The last three are whole cooperative matrices, of one lane each: their elements are spread over
 * the invocations of a subgroup. A holds m x k of f16, B k x n of f16, SUM m x n of f32. */
enum ir_scalar {
	IR_VOID,
	IR_BOOL,
	IR_I32,
	IR_U32,
	IR_F32,
	IR_F16,
	IR_MATRIX_A,
	IR_MATRIX_B,
	IR_MATRIX_SUM,
	IR_SCALAR_COUNT
};

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
static inline uint32_t ir_bytes_of(ir_type type) /* as stored in an array */
{
	return (ir_scalar_of(type) == IR_F16 ? 2 : 4) * ir_lanes_of(type);
}

static inline bool ir_is_matrix(ir_type type)
{
	return ir_scalar_of(type) >= IR_MATRIX_A && ir_scalar_of(type) < IR_SCALAR_COUNT;
}

/* Whether a scalar of these bits is no infinity and no NaN: integers and bools always. A constant
 * that is one is written in its own way where the target has no literal for it. */
static inline bool ir_is_finite(enum ir_scalar scalar, uint32_t bits)
{
	if (scalar == IR_F32)
		return (bits >> 23 & 255) != 255;
	return scalar != IR_F16 || (bits >> 10 & 31) != 31;
}

/* The bits of a constant: NaNs, which machines and targets make in many ways, become one. */
static inline uint32_t ir_one_nan(enum ir_scalar scalar, uint32_t bits)
{
	if (scalar == IR_F32 && (bits & 0x7fffffff) > 0x7f800000)
		return 0x7fc00000;
	return scalar == IR_F16 && (bits & 0x7fff) > 0x7c00 ? 0x7e00 : bits;
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
	IR_SUBGROUP_ID, /* the same throughout a subgroup */
	IR_BUILTIN_COUNT
};

/* Arguments by instruction (v: value id, i: immediate):
 *   CONST          arg[0] i: the scalar's bits, f16's 16 in the low half (a vector constant is a
 *                  SPLAT or COMPOSE of scalars); of NaNs only the quiet one without a sign
 *   BUILTIN        arg[0] i: enum ir_builtin
 *   UNIFORM        arg[0] i: which of the uniform block's four u32
 *   SELECT         v condition (bool, one or as many as the values have lanes), v if true, v if
 *                  false
 *   CONVERT        v; result type's scalar differs: numeric conversion as WGSL's T(x)
 *   BITCAST        v; the same bits as another type of as many bytes (vec2<f16> and u32 too)
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
 *   SUBGROUP_ADD, _MUL, _MIN, _MAX   v: over the subgroup's active invocations
 *   QUAD_SWAP_X, _Y, _DIAGONAL   v: of the invocation whose number in the subgroup differs by xor
 *                  1, 2 or 3, which is active
 *   UNPACK_HALF    v (u32) -> vec2<f32>, the two f16 in it; needs no feature
 *   DOT4I8         v, v (u32, four signed bytes each): sum of their products (i32 scalar)
 * Of cooperative matrices; a subgroup executes them as one, so control flow and the index must be
 * the same throughout it. Elements lie in a workgroup array of any element type, f16 or f32 side
 * by side: index, and stride from one row (or column) to the next, count the array's elements.
 *   MATRIX_FILL    v scalar of f16 (A, B) or f32 (SUM) -> every element
 *   MATRIX_LOAD    v index, i workgroup array, i stride, i 1: columns lie side by side, 0: rows
 *   MATRIX_STORE   v index, v SUM, i workgroup array, i stride; rows lie side by side
 *   MATRIX_MULTIPLY  v A, v B, v SUM: A x B + SUM, summed in f32
 * In `arg`, the values stand first and the immediate follows at arg[values].
 */
struct ir_inst {
	uint8_t op;    /* enum ir_op */
	ir_type type;  /* of the result, or of the variable for VAR; IR_VOID where there is none */
	uint16_t uses; /* how often its value is an operand; sticks at 65535 */
	ir_id block;   /* the LOOP, IF or ELSE it stands in; 0 at the top */
	uint32_t arg[4];
};

/* By the rows of ir.def. */
enum ir_class { IR_COMPUTES, IR_STRUCTURAL, IR_SUBGROUP_WIDE, IR_QUAD_WIDE };
struct ir_op_info {
	const char *name;
	uint8_t values; /* how many of arg are value ids */
	bool has_result, pure;
	enum ir_class class;
};
extern const struct ir_op_info ir_op_infos[IR_OP_COUNT];

/* What all cooperative matrices of a module have in common. */
struct ir_matrices {
	uint32_t m, n, k; /* 0: it has none */
};

#define IR_BINDINGS_MAX 8
#define IR_SHARED_MAX   4

struct ir_binding {
	char name[12]; /* an identifier in every target */
	ir_type type;  /* of an element: f32, f16, i32 or u32, or vec2/vec4 of it */
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
	uint32_t workgroups[3]; /* of the dispatch, and every binding holds exactly its length; 0:
	                         * only the dispatch says */
	struct ir_binding bindings[IR_BINDINGS_MAX]; /* binding n of group 0 */
	uint32_t binding_count;
	struct ir_shared shared[IR_SHARED_MAX];
	uint32_t shared_count;
	uint32_t uniforms; /* 0, or 1..4: the uniform block's u32 in use. The block is one
	                    * vec4<u32>, bound at binding_count, after all storage */
	struct ir_matrices matrices;
	/* Of what is left when it is finished; quads are of subgroups. */
	bool uses_subgroups, uses_quads, uses_f16, uses_dot4;
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
/* The module is for this dispatch alone, with bindings of exactly their lengths. Before the first
 * value is built. */
void ir_fix(struct ir_builder *builder, const uint32_t workgroups[3]);
/* The finished module, owned by the builder and valid until its next ir_begin. -ENOMEM. */
int ir_finish(struct ir_builder *builder, const struct ir_module **ret_module);

uint32_t ir_binding(
        struct ir_builder *builder, const char *name, ir_type type, bool writable, uint32_t length);
uint32_t ir_shared(struct ir_builder *builder, ir_type type, uint32_t length);

ir_type ir_type_of(const struct ir_builder *builder, ir_id value);
ir_id ir_u32(struct ir_builder *builder, uint32_t value);
ir_id ir_i32(struct ir_builder *builder, int32_t value);
ir_id ir_f32(struct ir_builder *builder, float value);
ir_id ir_float(struct ir_builder *builder, enum ir_scalar scalar, float value); /* F32 or F16 */
/* What is known only when the kernel is dispatched: number `which` (0..3) of the uniform block. */
ir_id ir_uniform(struct ir_builder *builder, uint32_t which);
/* 0 for the workgroup's id along a dimension that has but one. */
ir_id ir_builtin(struct ir_builder *builder, enum ir_builtin which);
/* Any computing row of ir.def; b and c are 0 where the row has fewer operands. Folded when all
 * operands are constants; x+0, x*1, x*0 (integers), x/1, x%1 and powers of two are simplified. */
ir_id ir_compute(struct ir_builder *builder, enum ir_op op, ir_id a, ir_id b, ir_id c);
ir_id ir_select(struct ir_builder *builder, ir_id condition, ir_id if_true, ir_id if_false);
ir_id ir_convert(struct ir_builder *builder, ir_id value, enum ir_scalar to);
ir_id ir_bitcast(struct ir_builder *builder, ir_id value, ir_type to);
ir_id ir_unpack_half(struct ir_builder *builder, ir_id word);
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
/* op: one of IR_SUBGROUP_... and IR_QUAD_SWAP_... */
ir_id ir_subgroup(struct ir_builder *builder, enum ir_op op, ir_id value);
/* The module has cooperative matrices of this shape; it then needs subgroups too. */
void ir_matrices(struct ir_builder *builder, uint32_t m, uint32_t n, uint32_t k);
ir_id ir_matrix_fill(struct ir_builder *builder, enum ir_scalar matrix, ir_id scalar);
/* Where a matrix lies in a workgroup array: from `index` on, `stride` from one row (or column) to
 * the next, both counted in the array's elements. */
struct ir_matrix_at {
	uint32_t shared;
	ir_id index;
	uint32_t stride;
};
ir_id ir_matrix_load(
        struct ir_builder *builder, enum ir_scalar matrix, struct ir_matrix_at at, bool by_columns);
void ir_matrix_store(struct ir_builder *builder, struct ir_matrix_at at, ir_id sum);
ir_id ir_matrix_multiply(struct ir_builder *builder, ir_id a, ir_id b, ir_id sum);
ir_id ir_dot4i8(struct ir_builder *builder, ir_id x, ir_id y);

static inline ir_id ir_add(struct ir_builder *b, ir_id x, ir_id y)
{
	return ir_compute(b, IR_ADD, x, y, 0);
}
static inline ir_id ir_mul(struct ir_builder *b, ir_id x, ir_id y)
{
	return ir_compute(b, IR_MUL, x, y, 0);
}

/* ---- Turns of loops. */
/* What a module's dispatch may be at most. */
struct ir_extremes {
	uint32_t workgroups[3]; /* 1 at least */
	uint32_t uniforms[4];
};
/* The turns of all loops of an invocation together, at most; each time that a loop is entered
 * counts one more, as its last test does. 0 or -ENOMEM. */
int ir_turns(
        const struct ir_module *module, const struct ir_extremes *extremes, uint64_t *ret_turns);

/* ---- Checker and printer. */
struct buffer;
struct error;
/* 0, or -EINVAL and err naming the instruction and the rule it breaks: types, scopes, markers. */
int ir_check(const struct ir_module *module, struct error *err);
/* One line an instruction, for people and golden tests. */
void ir_print(const struct ir_module *module, struct buffer *out);
