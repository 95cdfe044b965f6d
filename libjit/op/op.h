/* SPDX-License-Identifier: Apache-2.0
 *
 * Operator descriptors: what to compute, on which shapes. Two spellings with the same fields: a
 * text form (`matmul m=256 n=256 k=256 trans_b=1`) and, through op_set_text and op_field, JSON
 * objects. Canonical text leaves defaults out and keeps the order of op.def; its hash is the key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct buffer;
struct error;

#define OP_DIM_MAX    (1u << 26)
#define OP_TEXT_BYTES 256 /* room for any canonical text, NUL included */

enum dtype { DTYPE_F32, DTYPE_COUNT };
enum activation {
	ACTIVATION_NONE,
	ACTIVATION_RELU,
	ACTIVATION_GELU,
	ACTIVATION_GELU_TANH,
	ACTIVATION_SILU,
	ACTIVATION_COUNT
};
enum op_kind {
#define OP(name, ...) OP_##name,
#define FIELD(...)
#define END(name)
#include "op/op.def"
	OP_COUNT
};
enum op_family { FAMILY_CONTRACTION };

/* MATMUL_M, MATMUL_N, ...: the index of a field in its operator's values. */
#define OP(name, ...)     \
	enum name##_field \
	{
#define FIELD(op, name, ...) op##_##name,
#define END(name)          \
	name##_FIELD_COUNT \
	}                  \
	;
#include "op/op.def"
#define OP_FIELDS_MAX 16

struct op {
	enum op_kind kind;
	uint32_t value[OP_FIELDS_MAX]; /* by field index; enums for DTYPE and ACTIVATION */
};

/* Why a descriptor was refused: the positive answers of the functions below. */
enum op_refusal {
	OP_BAD_SYNTAX = 1,
	OP_UNKNOWN_OPERATOR,
	OP_UNKNOWN_FIELD,
	OP_DUPLICATE_FIELD,
	OP_MISSING_FIELD,
	OP_BAD_VALUE,
	OP_TOO_LARGE, /* a tensor would pass 2^31 elements */
};

/* 0 and a valid op, or an op_refusal with err naming the field and the rule. */
int op_parse(const char *text, struct op *ret_op, struct error *err);
/* For JSON: op_begin, then op_set_text for each member (duplicates found through *seen, which
 * starts at 0), then op_validate (missing fields, sizes). Same answers as op_parse. */
int op_begin(const char *operator, struct op * ret_op, struct error *err);
int op_set_text(
        struct op *op, uint32_t *seen, const char *field, const char *value, struct error *err);
int op_validate(const struct op *op, struct error *err);
/* Writes the canonical text, NUL-terminated. */
void op_print(const struct op *op, char text[static OP_TEXT_BYTES]);
uint64_t op_key(const struct op *op); /* hash of the canonical text: stable, may be stored */

/* Fields by position, for JSON and help: NULL past the last. Value as text as it stands in op. */
struct op_field {
	const char *name, *doc;
	enum op_field_kind { FIELD_DIM, FIELD_FLAG, FIELD_DTYPE, FIELD_ACTIVATION } kind;
	uint32_t initial; /* 0 for a DIM that must be given */
};
const struct op_field *op_field(enum op_kind kind, uint32_t index);
const char *op_name(enum op_kind kind);
const char *op_doc(enum op_kind kind);
const char *dtype_name(enum dtype dtype);
uint32_t dtype_bytes(enum dtype dtype);

/* The operator's tensors: inputs in order, then the output, as the artifact lists its bindings. */
#define OP_TENSORS_MAX 6
struct tensor {
	const char *name;
	bool output;
	enum dtype dtype;
	uint32_t rank, shape[4]; /* row-major, batch outermost and left out when 1 */
	uint64_t elements;
};
uint32_t op_tensors(const struct op *op, struct tensor ret_tensors[static OP_TENSORS_MAX]);
double op_flops(const struct op *op); /* multiply and add counted as two; epilogue left out */
double op_bytes(const struct op *op); /* each tensor moved once */
