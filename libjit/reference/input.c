/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs to try a kernel out with, and how exact it must then be. Numbers lie in [-1, 1) unless the
 * operator asks for something else of a tensor: that is the table below.
 */
#include "base/hash.h"
#include "reference/reference.h"

#include <math.h>
#include <string.h>

/* In [-1, 1), of 11 bits, so that every value is exact in f16 too, and sums are no coarser. */
static double evenly(uint64_t bits)
{
	return (double)((int32_t)(bits >> 53) - (1 << 10)) * 0x1p-10;
}

static uint32_t below(uint64_t bits, uint32_t count)
{
	return (uint32_t)((bits >> 32) * count >> 32);
}

/* Numbers of the element types that are no floats. */
static double whole(enum dtype dtype, uint64_t bits)
{
	switch (dtype) {
	case DTYPE_I8:
		return (double)below(bits, 256) - 128;
	case DTYPE_U8:
		return below(bits, 256);
	case DTYPE_U4:
		return below(bits, 16);
	case DTYPE_BOOL:
		return below(bits, 2);
	default: /* products of two, and sums of thousands, stay in range */
		return (double)below(bits, 2001) - 1000;
	}
}

static double masked(uint64_t bits) /* one in four is shut out */
{
	return below(bits, 4) ? evenly(hash_mix(bits)) : -10000;
}

static double index_for(const struct op *op, uint64_t bits) /* negative ones count from the end */
{
	uint32_t of = op->value[GATHER_OF], rows = of ? of : op->value[GATHER_ROWS];

	return (double)below(bits, 2 * rows) - rows;
}

/* Divisors and bases stay away from 0, what rsqrt takes above it; what is cast stays within every
 * type. */
static double of_elementwise(const struct op *op, uint32_t tensor, uint64_t bits)
{
	enum scalar steps[OP_STEPS_MAX + 1];
	double value = evenly(bits);
	bool divides = false, roots = false;

	for (uint32_t i = 0, count = op_steps(op, steps); i < count; i++) {
		roots |= steps[i] == SCALAR_RSQRT;
		divides |= steps[i] == SCALAR_RECIPROCAL || steps[i] == SCALAR_RSQRT ||
		           steps[i] == SCALAR_LOG || (steps[i] == SCALAR_DIV && tensor) ||
		           (steps[i] == SCALAR_POW && !tensor);
	}
	if (roots)
		value = fabs(value);
	if (divides)
		return value < 0 ? value - 0.25 : value + 0.25;
	return value;
}

/* What an operator asks of a tensor. */
enum drawn { EVENLY, WHOLE, INDEX, MASK, QUOTIENT, SCALE, WIDE, ELEMENTWISE, NEAR_ONE };

static enum drawn drawn_of(const struct op *op, const struct tensor *t)
{
	if (!strcmp(t->name, "indices"))
		return INDEX;
	if (!dtype_is_float(t->dtype))
		return WHOLE;
	if (!strcmp(t->name, "mask"))
		return MASK;
	if (!strcmp(t->name, "scales"))
		return op->kind == OP_QUANTIZE ? QUOTIENT : SCALE;
	if (op->kind == OP_CAST)
		return WIDE;
	if (op_has_steps(op))
		return ELEMENTWISE;
	return op->kind == OP_REDUCE_PROD ? NEAR_ONE : EVENLY;
}

/* A tensor's numbers: what they depend on is found out once, so that filling a large tensor costs
 * little more than its numbers. */
struct source {
	const struct op *op;
	uint32_t tensor;
	enum drawn drawn;
	enum dtype dtype;
	uint64_t seed;
};

static double draw(const struct source *s, uint64_t index)
{
	uint64_t bits = hash_mix(
	        s->seed + (s->tensor + 1) * 0xd1b54a32d192ed03ull + index * 0x9e3779b97f4a7c15ull);

	switch (s->drawn) {
	case WHOLE:
		return whole(s->dtype, bits);
	case INDEX:
		return index_for(s->op, bits);
	case MASK:
		return masked(bits);
	case QUOTIENT: /* powers of two, so that quotients are exact */
		return ldexp(1, -(int)below(bits, 6) - 2);
	case SCALE: /* positive, exact in f16 */
		return (evenly(bits) + 1.25) * 0x1p-4;
	case WIDE:
		return evenly(bits) * 120;
	case ELEMENTWISE:
		return of_elementwise(s->op, s->tensor, bits);
	case NEAR_ONE:
		return 1 + evenly(bits) * 0.0625;
	case EVENLY:
		break;
	}
	return evenly(bits);
}

double reference_input(const struct op *op, uint32_t tensor, uint64_t seed, uint64_t index)
{
	struct tensor tensors[OP_TENSORS_MAX];

	op_tensors(op, tensors);
	struct source source = {
	        op, tensor, drawn_of(op, &tensors[tensor]), tensors[tensor].dtype, seed};
	return draw(&source, index);
}

void reference_fill_some(const struct op *op, uint32_t tensor, uint64_t seed, void *buffer,
        struct reference_span span)
{
	struct tensor tensors[OP_TENSORS_MAX];

	op_tensors(op, tensors);
	struct source source = {
	        op, tensor, drawn_of(op, &tensors[tensor]), tensors[tensor].dtype, seed};
	for (uint64_t i = span.from; i < span.to; i++)
		reference_write(source.dtype, buffer, i, draw(&source, i));
}

void reference_fill(const struct op *op, uint32_t tensor, uint64_t seed, void *buffer)
{
	struct tensor tensors[OP_TENSORS_MAX];

	op_tensors(op, tensors);
	memset(buffer, 0, tensor_bytes(&tensors[tensor]));
	reference_fill_some(
	        op, tensor, seed, buffer, (struct reference_span){0, tensors[tensor].elements});
}

/* ---- How exact. */

double reference_steps(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	double outputs = fmax(1, (double)tensors[count - 1].elements);

	switch (op_family(op->kind)) {
	case FAMILY_CONTRACTION:
	case FAMILY_CONVOLUTION:
	case FAMILY_ATTENTION:
		return fmax(1, op_flops(op) / outputs / 2);
	case FAMILY_REDUCTION:
		return (double)op_lines(op).n.times * op->value[op_lines(op).n.value];
	case FAMILY_MAP:
		break;
	}
	return fmax(1, op_flops(op) / outputs);
}

double reference_shared_steps(const struct op *op)
{
	return op_family(op->kind) != FAMILY_ATTENTION
	               ? 0
	               : (double)op->value[ATTENTION_KV] * op->value[ATTENTION_DIM];
}

/* The element type that decides: the least exact float among tensors and sums. */
static bool any_half(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];

	for (uint32_t i = 0, count = op_tensors(op, tensors); i < count; i++)
		if (tensors[i].dtype == DTYPE_F16)
			return true;
	return false;
}

static bool sums_in_half(const struct op *op)
{
	return (op->kind == OP_MATMUL && op->value[MATMUL_ACC] == DTYPE_F16) ||
	       (op_family(op->kind) == FAMILY_CONVOLUTION &&
	               op->value[op_convolution(op)->acc] == DTYPE_F16);
}

/* How much more of its own scale an output is off than the sum beneath its activations is of the
 * sum's: a square doubles an error. Found by asking the activations on a grid. 1 at least. */
#define AMPLIFY_POINTS 64
static double amplified(const struct op *op)
{
	double scale = reference_scale(op), step = 1e-3 * scale, most = 1;
	const struct op_field *field = NULL;

	for (uint32_t i = 0; op_field(op->kind, i); i++)
		if (op_field(op->kind, i)->kind == FIELD_ACTS)
			field = op_field(op->kind, i);
	if (!field || !op->value[field->value])
		return 1;
	for (int i = -AMPLIFY_POINTS; i <= AMPLIFY_POINTS; i++) {
		double x = 4 * scale * i / AMPLIFY_POINTS, y = reference_acts(op, field->value, x);
		double off = fabs(reference_acts(op, field->value, x + step) - y);
		double ratio = off / 1e-3 / fmax(scale, fabs(y));
		if (isfinite(ratio))
			most = fmax(most, ratio);
	}
	return most;
}

/* Summing n terms in sequence in f32 loses about 2e-8 * sqrt(n) of the scale, measured: 1e-5 leaves
 * a wide margin up to n = 65536. In f16 it loses 1.5e-4 * sqrt(n), and the worst of 100,000 sums
 * 7e-4
 * * sqrt(n), measured from n = 64 to 16384. From there each allowance grows as the loss does. */
static double tolerance_of_sum(const struct op *op)
{
	double steps = reference_steps(op);

	if (sums_in_half(op))
		return fmax(1e-2, 8e-4 * sqrt(steps)) * amplified(op);
	return (any_half(op) ? 2e-3 : 1e-5) * fmax(1, sqrt(steps / 65536));
}

double reference_tolerance(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	return dtype_is_float(tensors[count - 1].dtype) ? tolerance_of_sum(op) : 0;
}

/* Of a product's terms: numbers spread evenly over [-1, 1), or bytes, which scales may make
 * smaller. */
static double term_of(const struct op *op)
{
	if (op->value[MATMUL_A] == DTYPE_I8)
		return 74 * 74;
	return op->value[MATMUL_B] == DTYPE_I8 ? 3 : 1.0 / 3;
}

/* A sum of n products of numbers spread evenly over [-1, 1) is sqrt(n)/3 typically; means and the
 * like are of the order of 1 before they are weighed. */
double reference_scale(const struct op *op)
{
	switch (op_family(op->kind)) {
	case FAMILY_CONTRACTION:
		return op->kind == OP_MATMUL ? sqrt(reference_steps(op)) * term_of(op) *
		                                       fabs((double)op_float(op, MATMUL_SCALE))
		                             : sqrt(reference_steps(op)) / 10;
	case FAMILY_CONVOLUTION:
		return sqrt(reference_steps(op)) / 3;
	case FAMILY_MAP: /* one of few elements may lie near 0 by chance */
		return 0.1;
	case FAMILY_ATTENTION:
		return 0.3 / sqrt((double)op->value[ATTENTION_KV]);
	default:
		return 1e-3;
	}
}
