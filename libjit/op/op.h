/* SPDX-License-Identifier: Apache-2.0
 *
 * Operator descriptors: what to compute, on which shapes. Two spellings with the same fields: a
 * text form (`matmul m=?128 n=256 k=256 trans_b=1`, `transpose shape=8,128,64 perm=1,0,2`) and,
 * through op_begin and op_set_text, JSON objects. Canonical text leaves defaults out and keeps the
 * order of op.def; its hash is the key.
 *
 * A dimension is a number, or dynamic: `?128` (1 or more at run time, tuned as if 128) or
 * `?64..4096` (within that range, tuned at points of it).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct error;

#define OP_DIM_MAX      (1u << 26)
#define OP_ELEMENTS_MAX (1ull << 31) /* of a tensor */
#define OP_TEXT_BYTES   512          /* room for any canonical text, NUL included */
#define OP_RANK_MAX     6
#define OP_STEPS_MAX    16 /* of an expression */
#define OP_ACTS_MAX     4  /* activations in a row */

enum dtype {
#define DTYPE(name, ...) DTYPE_##name,
#include "op/dtype.def"
	DTYPE_COUNT
};

/* Functions of numbers (scalar.def). In a list of steps the operands come first, as in reverse
 * Polish notation: x, y, ADD. 0 ends the list. */
enum scalar {
	SCALAR_END,
#define SCALAR(name, ...) SCALAR_##name,
#include "op/scalar.def"
	SCALAR_FUNCTION_END,
	SCALAR_X = SCALAR_FUNCTION_END, /* the operands: the operator's tensors, then its numbers */
	SCALAR_Y,
	SCALAR_Z,
	SCALAR_ALPHA,
	SCALAR_BETA,
	SCALAR_COUNT
};
struct scalar_info {
	const char *name, *doc;
	uint32_t arity;
	enum { TAKES_FLOAT, TAKES_NUMBER, TAKES_LOGIC, TAKES_CHOICE } takes;
	enum { GIVES_SAME, GIVES_BOOL } gives;
	uint32_t instructions; /* of its lowering */
	uint32_t cost;         /* of one element, in multiply-adds */
};
const struct scalar_info *scalar_info(enum scalar function); /* of functions */

enum op_kind {
#define OP(name, ...) OP_##name,
#define FIELD(...)
#define END(name)
#include "op/op.def"
	OP_COUNT
};
enum op_family {
#define FAMILY(name, ...) FAMILY_##name,
#include "op/families.def"
};
enum {
	OP_FAMILIES = 0
#define FAMILY(...) +1
#include "op/families.def"
};

/* Kinds of fields and how many values each takes. */
enum op_field_kind {
	FIELD_DIM,    /* 1..OP_DIM_MAX; may be dynamic */
	FIELD_SIZE,   /* 1..OP_DIM_MAX, static */
	FIELD_COUNT,  /* 0..OP_DIM_MAX, static */
	FIELD_FLAG,   /* 0 or 1 */
	FIELD_FLOAT,  /* the bits of a finite f32 */
	FIELD_NUMBER, /* the bits of a double, no NaN: an f32 or an i32, exact in both */
	FIELD_DTYPE,  /* one of the names in `rule` */
	FIELD_CHOICE, /* the index of a name in `rule` */
	FIELD_PAIR,   /* two counts, height and width: "2,1", or one for both */
	FIELD_QUAD, /* four counts: top, left, bottom, right: or two (height, width), or one for all
	             */
	FIELD_SHAPE, /* rank, then OP_RANK_MAX dimensions (each may be dynamic) */
	FIELD_LIST,  /* rank, then OP_RANK_MAX counts */
	FIELD_ACTS,  /* up to OP_ACTS_MAX enum scalar with one operand, a byte each: "gelu+relu" */
	FIELD_STEPS, /* up to OP_STEPS_MAX enum scalar, a byte each, first lowest: "x,y,add,relu" */
};
enum op_field_width {
	WIDTH_DIM = 1,
	WIDTH_SIZE = 1,
	WIDTH_COUNT = 1,
	WIDTH_FLAG = 1,
	WIDTH_FLOAT = 1,
	WIDTH_NUMBER = 2,
	WIDTH_DTYPE = 1,
	WIDTH_CHOICE = 1,
	WIDTH_PAIR = 2,
	WIDTH_QUAD = 4,
	WIDTH_SHAPE = 1 + OP_RANK_MAX,
	WIDTH_LIST = 1 + OP_RANK_MAX,
	WIDTH_ACTS = 1,
	WIDTH_STEPS = OP_STEPS_MAX / 4,
};

/* MATMUL_M, MATMUL_N, ...: where a field's first value stands in op.value. */
#define OP(name, ...)     \
	enum name##_field \
	{
#define FIELD(op, name, text, kind, ...) \
	op##_##name, op##_##name##_LAST = op##_##name + (int)WIDTH_##kind - 1,
#define END(name)     \
	name##_VALUES \
	}             \
	;
#include "op/op.def"
#define OP_VALUES_MAX  40
#define OP_DYNAMIC_MAX 4

struct op_dynamic {
	uint32_t value;     /* index in op.value, which holds what it is tuned as */
	uint32_t low, high; /* at run time; high 0: not stated, see op_range */
};

struct op {
	enum op_kind kind;
	uint32_t value[OP_VALUES_MAX];
	uint32_t dynamic_count;
	struct op_dynamic dynamic[OP_DYNAMIC_MAX]; /* in the order of values; number n is value n of
	                                            * the kernel's uniform block */
};

/* Why a descriptor was refused: the positive answers of the functions below. */
enum op_refusal {
	OP_BAD_SYNTAX = 1,
	OP_UNKNOWN_OPERATOR,
	OP_UNKNOWN_FIELD,
	OP_DUPLICATE_FIELD,
	OP_MISSING_FIELD,
	OP_BAD_VALUE,
	OP_TOO_LARGE, /* a tensor would pass OP_ELEMENTS_MAX */
};

/* 0 and a valid op, or an op_refusal with err naming the field and the rule. */
int op_parse(const char *text, struct op *ret_op, struct error *err);
/* For JSON: op_begin, then op_set_text for each member (duplicates found through *seen, which
 * starts at 0), then op_validate (missing fields, sizes, what fields demand of each other). Same
 * answers as op_parse. */
int op_begin(const char *operator, struct op * ret_op, struct error *err);
int op_set_text(
        struct op *op, uint32_t *seen, const char *field, const char *value, struct error *err);
int op_validate(const struct op *op, struct error *err);
/* Writes the canonical text, NUL-terminated. */
void op_print(const struct op *op, char text[static OP_TEXT_BYTES]);
uint64_t op_key(const struct op *op); /* hash of the canonical text: stable, may be stored */

/* ---- The rows, for JSON, help and documents. */
struct op_field {
	const char *name, *doc;
	enum op_field_kind kind;
	uint32_t initial; /* of every value; for a DIM, SIZE or SHAPE 0: it must be given */
	const char *rule; /* DTYPE, CHOICE: names with commas between; else "" */
	uint32_t value;   /* index in op.value of the first */
};
const struct op_field *op_field(enum op_kind kind, uint32_t index); /* NULL past the last */
const char *op_name(enum op_kind kind);
const char *op_doc(enum op_kind kind);
enum op_family op_family(enum op_kind kind);
const char *op_family_name(enum op_family family);
const char *dtype_name(enum dtype dtype);
uint32_t dtype_bits(enum dtype dtype);
static inline bool dtype_is_float(enum dtype dtype)
{
	return dtype == DTYPE_F32 || dtype == DTYPE_F16;
}

/* ---- Dynamic dimensions. */
/* Number of the dynamic dimension at op.value[value], or -1. */
int op_dynamic_at(const struct op *op, uint32_t value);
/* What dimension n may be at run time: its own bounds, or, where only a hint was given, from 1 to
 * the greatest power of two at which no tensor passes OP_ELEMENTS_MAX, whatever the others are. */
void op_range(const struct op *op, uint32_t n, uint32_t *ret_low, uint32_t *ret_high);
/* How dimension n is called: "m", "shape[1]". */
void op_dynamic_name(const struct op *op, uint32_t n, char name[static 24]);
/* The static operator it is with these dimensions. */
struct op op_at(const struct op *op, const uint32_t dims[static OP_DYNAMIC_MAX]);
/* The points at which it is tuned: the hint; or for ranges the least, the middle (geometric) and
 * the greatest. A static operator has one point, of no dimensions. Returns how many. */
#define OP_POINTS_MAX 3
uint32_t op_points(const struct op *op, uint32_t ret_dims[OP_POINTS_MAX][OP_DYNAMIC_MAX]);

/* ---- Tensors: inputs in order, then the output, as the artifact lists its bindings. Shapes of a
 * dynamic operator are those it is tuned as. */
#define OP_TENSORS_MAX 8
struct tensor {
	const char *name;
	bool output;
	enum dtype dtype;
	uint32_t rank, shape[OP_RANK_MAX]; /* row-major; a leading batch of 1 is left out */
	uint64_t elements;
};
uint32_t op_tensors(const struct op *op, struct tensor ret_tensors[static OP_TENSORS_MAX]);
uint64_t tensor_bytes(const struct tensor *tensor); /* of its buffer: whole words */
double op_flops(const struct op *op); /* multiply and add counted as two; epilogues left out */
double op_bytes(const struct op *op); /* each tensor moved once */

/* ---- Ways: an operator as steps, to be dispatched one after another on parts of its own tensors
 * and on a scratch buffer. A step is an operator like any other. */
#define OP_WAY_STEPS_MAX 32
#define OP_SCRATCH       OP_TENSORS_MAX /* as op_place.tensor */
struct op_place {                       /* what a step binds as one of its tensors */
	uint32_t tensor;                /* of the operator that was asked for, or OP_SCRATCH */
	uint64_t offset_bytes;          /* where it begins; both are multiples of 256 */
	uint64_t advance_bytes;         /* how much further on each time the step is repeated */
};
struct op_step {
	struct op op;
	uint32_t repeat;                        /* > 0 */
	bool once;                              /* not in every run: it reads what stays the same */
	struct op_place places[OP_TENSORS_MAX]; /* of each tensor of `op` */
};
struct op_way {
	uint64_t scratch_bytes; /* with dimensions as they are tuned; 0: none */
	uint32_t count;
	struct op_step steps[OP_WAY_STEPS_MAX];
};

/* Tensors beyond what a binding may hold: the operator as several of its kind over parts of the
 * same buffers. One step, the operator itself, where everything fits; -ERANGE and err where it
 * cannot be cut. */
int op_split(const struct op *op, uint64_t most_bytes, struct op_way *ret_way, struct error *err);

/* Inputs that stay the same: `input` laid out anew in the scratch buffer, once, and the operator
 * that reads it there. 0; -ENOENT where there is no other way to lay it out; -EINVAL and err where
 * op has no such input. */
int op_relaid(const struct op *op, const char *input, struct op_way *ret_way, struct error *err);

/* ---- Values that take several rows to read. */
float op_float(const struct op *op, uint32_t value);   /* of a FLOAT */
double op_number(const struct op *op, uint32_t value); /* of a NUMBER */
/* The activations of an ACTS, in order; returns how many. */
uint32_t op_acts(const struct op *op, uint32_t value, enum scalar ret_acts[static OP_ACTS_MAX]);
uint32_t op_acts_cost(const struct op *op, uint32_t value); /* of all of them, as scalar_info's */
uint32_t op_acts_instructions(const struct op *op, uint32_t value);
/* Whether it is a function of numbers or several: an operator of scalar.def, or a map. */
bool op_has_steps(const struct op *op);
/* What such an operator does, ended by SCALAR_END; returns how many steps. */
uint32_t op_steps(const struct op *op, enum scalar ret_steps[static OP_STEPS_MAX + 1]);

/* A convolution's or pooling's geometry, whichever of their operators it is: one dimension more
 * than it needs is 1. Output sizes follow from the rest. */
struct op_window {
	uint32_t batch, c, h, w, oc, oh, ow, kh, kw;
	uint32_t stride_h, stride_w, top, left, dilation_h, dilation_w, groups;
	bool nhwc;       /* x [batch,h,w,c], w [oc,kh,kw,c/groups]; else x [batch,c,h,w], w
	                    [oc,c/groups,kh,kw] */
	bool transposed; /* w [c,oc/groups,kh,kw] (nhwc: [c,kh,kw,oc/groups]) */
};
struct op_window op_window(const struct op *op);

/* Where a convolution's fields stand in op.value, whichever of their operators it is. */
struct op_convolution {
	uint32_t batch, dtype, acc, bias, residual, act;
};
const struct op_convolution *op_convolution(const struct op *op);

/* A reduction's lines, whichever of their operators it is: x is [rows,n,inner], a line n elements
 * of one row and one column of inner. */
#define OP_CONSTANT UINT32_MAX
struct op_extent { /* times * op.value[value], or, where that is OP_CONSTANT, just `times` */
	uint32_t times, value;
};
struct op_lines {
	struct op_extent rows, n, inner;
	uint32_t groups; /* lines of an image, where weights are by channel; else 0 */
	/* Where fields stand in op.value; 0: it has no such field. */
	uint32_t dtype, scale, mask, mask_rows, mask_every, eps, act;
	bool reduced; /* out has a number a line; else one an element */
};
struct op_lines op_lines(const struct op *op);
