/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables behind op.h, for this room alone.
 */
#pragma once

#include "op/op.h"

/* A function of truths as an operator: its tensors are bool, whatever dtype says. */
bool op_is_logic(const struct op *op);
const char *scalar_name(enum scalar scalar);   /* of functions and operands */
bool scalar_is_activation(enum scalar scalar); /* a function of one number to a number */

uint32_t field_width(const struct op_field *field); /* values it takes */
/* Of a SHAPE or LIST, which may be left out: OP_RANK_MAX; of others 0. */
uint32_t field_rank_max(const struct op_field *field);

/* What fields demand of each other, by signature (validate.c); 0 or OP_BAD_VALUE. */
typedef int op_rule(const struct op *op, struct error *err);
/* The tensors by signature (tensors.c; of windows window.c). */
struct shaper {
	const struct op *op;
	struct tensor *next;
};
typedef void op_tensors_of(struct shaper *shaper);
struct tensor *shaper_add(struct shaper *shaper, const char *name, uint32_t dtype,
        const uint32_t *shape, uint32_t rank);
#define SHAPER_ADD(shaper, name, dtype, ...)                             \
	shaper_add(shaper, name, dtype, (const uint32_t[]){__VA_ARGS__}, \
	        sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* clang-format off */
#define SIGNATURES(X) \
	X(matmul) X(matmul_nbits) X(window) X(softmax) X(norm) X(groupnorm) X(reduce) X(arg_reduce) \
	X(cumsum) X(elementwise) X(cast) X(batchnorm) X(gate) X(rotary) X(transpose) X(gather) \
	X(concat) X(slice) X(pad) X(tile) X(resize) X(quantise) X(attention)
/* clang-format on */
#define DECLARE(name)                 \
	op_tensors_of tensors_##name; \
	op_rule rule_##name;
SIGNATURES(DECLARE)
#undef DECLARE

op_tensors_of *op_signature_tensors(enum op_kind kind);
op_rule *op_signature_rule(enum op_kind kind);
