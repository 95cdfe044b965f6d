/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of products, by the definition. What lies between two rows of an output with a pitch is no
 * part of the product: NaN.
 */
#include "reference/reference.h"

#include <math.h>

/* An element of out by its position, `pitch` elements from row to row. */
struct position {
	uint64_t row, column, matrix, rows, columns;
};

static struct position position_of(
        uint64_t element, uint64_t rows, uint64_t columns, uint64_t pitch)
{
	pitch = pitch ? pitch : columns;
	return (struct position){.row = element / pitch % rows,
	        .column = element % pitch,
	        .matrix = element / pitch / rows,
	        .rows = rows,
	        .columns = columns};
}

/* A tensor that only some operators have: `otherwise` where it is not there. */
static double optional(
        const struct reference *r, const char *name, uint64_t index, double otherwise)
{
	uint32_t tensor = reference_find(r, name);

	return tensor < OP_TENSORS_MAX ? reference_at(r, tensor, index) : otherwise;
}

/* An operand: matrices of `outers` rows (or columns) of k elements. Fewer matrices than the product
 * has are taken in turns; 0: as many. */
struct operand {
	uint64_t matrices, outers, k;
	bool along_k;   /* k's elements lie side by side */
	uint64_t pitch; /* of rows along k; 0: k */
};

/* Where element i of the row or column at `outer` lies, for this matrix of the product. */
static uint64_t index_in(const struct operand *x, uint64_t matrix, uint64_t outer, uint64_t i)
{
	uint64_t row = x->pitch ? x->pitch : x->k;
	uint64_t first = (x->matrices ? matrix % x->matrices : matrix) * x->outers * row;

	return first + (x->along_k ? outer * row + i : i * x->outers + outer);
}

static double matmul(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	struct position p = position_of(element, v[MATMUL_M], v[MATMUL_N], v[MATMUL_PITCH]);
	struct operand a = {
	        v[MATMUL_BATCH_A], p.rows, v[MATMUL_K], !v[MATMUL_TRANS_A], v[MATMUL_PITCH_A]};
	struct operand b = {v[MATMUL_BATCH_B], p.columns, v[MATMUL_K], v[MATMUL_TRANS_B], 0};
	double sum = 0;

	if (p.column >= p.columns)
		return NAN;
	for (uint64_t i = 0; i < a.k; i++)
		sum += reference_at(r, 0, index_in(&a, p.matrix, p.row, i)) *
		       reference_at(r, 1, index_in(&b, p.matrix, p.column, i));
	sum *= optional(r, "scales", p.column, 1) * (double)op_float(r->op, MATMUL_SCALE);
	sum += optional(r, "bias", p.column, 0) + optional(r, "residual", element, 0);
	return reference_acts(r->op, MATMUL_ACT, sum);
}

/* As ONNX's MatMulNBits (com.microsoft) lays b out. */
static double matmul_nbits(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	uint64_t k = v[MATMUL_NBITS_K], block = v[MATMUL_NBITS_BLOCK];
	uint64_t blocks = (k + block - 1) / block;
	struct position p = position_of(
	        element, v[MATMUL_NBITS_M], v[MATMUL_NBITS_N], v[MATMUL_NBITS_PITCH]);
	double sum = 0;

	if (p.column >= p.columns)
		return NAN;
	for (uint64_t i = 0; i < k; i++) {
		uint64_t at = p.column * blocks + i / block;
		uint64_t padded = p.column * (blocks + blocks % 2) + i / block;
		double nibble = reference_at(r, 1, p.column * blocks * block + i);
		double weight = (nibble - optional(r, "zeros", padded, 8)) * reference_at(r, 2, at);
		sum += reference_at(r, 0, p.row * k + i) * weight;
	}
	sum += optional(r, "bias", p.column, 0) + optional(r, "residual", element, 0);
	return reference_acts(r->op, MATMUL_NBITS_ACT, sum);
}

double reference_contraction(const struct reference *r, uint64_t element)
{
	return r->op->kind == OP_MATMUL ? matmul(r, element) : matmul_nbits(r, element);
}
