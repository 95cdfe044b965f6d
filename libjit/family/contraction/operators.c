/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two operators of the family are in one another's terms: matmul, and matmul_nbits, whose
 * b is in 4 bits. Looks at the operator alone, never at a schedule. What a dynamic dimension is
 * tuned as decides nothing here.
 */
#include "family/contraction/shape.h"

const struct contraction_fields *contraction_fields(const struct op *op)
{
	static const struct contraction_fields matmul = {.m = MATMUL_M,
	        .n = MATMUL_N,
	        .k = MATMUL_K,
	        .batch = MATMUL_BATCH,
	        .bias = MATMUL_BIAS,
	        .residual = MATMUL_RESIDUAL,
	        .act = MATMUL_ACT,
	        .pitch = MATMUL_PITCH,
	        .scale = MATMUL_SCALE};
	static const struct contraction_fields nbits = {.m = MATMUL_NBITS_M,
	        .n = MATMUL_NBITS_N,
	        .k = MATMUL_NBITS_K,
	        .batch = CONTRACTION_NONE,
	        .bias = MATMUL_NBITS_BIAS,
	        .residual = MATMUL_NBITS_RESIDUAL,
	        .act = MATMUL_NBITS_ACT,
	        .pitch = MATMUL_NBITS_PITCH,
	        .scale = CONTRACTION_NONE};

	return op->kind == OP_MATMUL ? &matmul : &nbits;
}

bool contraction_has(const struct op *op, uint32_t value)
{
	return value != CONTRACTION_NONE && op->value[value];
}

enum dtype contraction_dtype_out(const struct op *op)
{
	return (enum dtype)op->value[op->kind == OP_MATMUL ? MATMUL_OUT : MATMUL_NBITS_A];
}

enum dtype contraction_dtype_a(const struct op *op)
{
	return (enum dtype)op->value[op->kind == OP_MATMUL ? MATMUL_A : MATMUL_NBITS_A];
}

bool contraction_has_half(const struct op *op)
{
	if (op->kind == OP_MATMUL_NBITS && op->value[MATMUL_NBITS_SCALES] == DTYPE_F16)
		return true;
	return contraction_dtype_a(op) == DTYPE_F16 || contraction_dtype_out(op) == DTYPE_F16;
}

uint32_t contraction_known(const struct op *op, uint32_t value)
{
	return op_dynamic_at(op, value) < 0 ? op->value[value] : 0;
}

bool contraction_a_along_k(const struct op *op)
{
	return op->kind == OP_MATMUL_NBITS || !op->value[MATMUL_TRANS_A] ||
	       contraction_known(op, MATMUL_M) == 1;
}

bool contraction_b_along_k(const struct op *op)
{
	return op->kind == OP_MATMUL_NBITS || op->value[MATMUL_TRANS_B] ||
	       contraction_known(op, MATMUL_N) == 1;
}

bool contraction_may_dot4(const struct op *op)
{
	return op->kind == OP_MATMUL && op->value[MATMUL_A] == DTYPE_I8 &&
	       contraction_a_along_k(op) && contraction_b_along_k(op) &&
	       contraction_known(op, MATMUL_K) && op->value[MATMUL_K] % 4 == 0 &&
	       op->value[MATMUL_PITCH_A] % 4 == 0;
}
