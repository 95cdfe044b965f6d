/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps by their definitions, one function a signature of op.def: from an element's number to its
 * position, and from there to the operands. Pools and resizing are map_window.c's. Integers of 32
 * bits wrap round.
 */
#include "reference/map.h"

#include <math.h>

static uint32_t own_or(const struct op *op, uint32_t at, uint32_t i, uint32_t initial)
{
	return op->value[at] ? op->value[at + 1 + i] : initial;
}

static const struct tensor *out_of(const struct reference *r)
{
	uint32_t n = 0;

	while (!r->tensors[n].output)
		n++;
	return &r->tensors[n];
}

/* The position of an element of a shape, outermost first. */
static void position_of(
        const struct tensor *t, uint64_t element, uint64_t ret_position[OP_RANK_MAX])
{
	for (uint32_t i = t->rank; i-- > 0;) {
		ret_position[i] = element % t->shape[i];
		element /= t->shape[i];
	}
}

static uint64_t element_of(const struct tensor *t, const uint64_t position[OP_RANK_MAX])
{
	uint64_t element = 0;

	for (uint32_t i = 0; i < t->rank; i++)
		element = element * t->shape[i] + position[i];
	return element;
}

/* ---- Functions of numbers. */

/* The operand's element where out is at `position` (NumPy, "Broadcasting"). */
static double broadcast(
        const struct reference *r, uint32_t tensor, const uint64_t position[OP_RANK_MAX])
{
	const struct tensor *t = &r->tensors[tensor];
	uint32_t missing = out_of(r)->rank - t->rank;
	uint64_t own[OP_RANK_MAX];

	for (uint32_t i = 0; i < t->rank; i++)
		own[i] = t->shape[i] == 1 ? 0 : position[missing + i];
	return reference_at(r, tensor, element_of(t, own));
}

/* Products may pass what a double holds exactly. */
static double of_integers(enum scalar function, double a, double b, double c)
{
	int64_t value;

	if (function == SCALAR_MUL || function == SCALAR_SQUARE)
		value = (int64_t)a * (int64_t)(function == SCALAR_MUL ? b : a);
	else
		value = (int64_t)reference_scalar(function, a, b, c);
	return (int32_t)(uint32_t)(uint64_t)value;
}

static double cut(double value, double low, double high)
{
	return isnan(value) ? 0 : trunc(fmin(fmax(value, low), high));
}

static double number_field(const struct op *op, uint32_t value)
{
	double number = op_number(op, value);

	return op->value[MAP_DTYPE] == DTYPE_I32 ? number : (float)number;
}

static double reference_elementwise(const struct reference *r, uint64_t element)
{
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_steps(r->op, steps), height = 0;
	bool integers = r->op->value[MAP_DTYPE] == DTYPE_I32;
	double stack[OP_STEPS_MAX + 3] = {0};
	uint64_t position[OP_RANK_MAX];

	position_of(out_of(r), element, position);
	for (uint32_t i = 0; i < count; i++) {
		static const char *const names[] = {"x", "y", "z"};
		double value;
		if (steps[i] >= SCALAR_ALPHA) {
			value = number_field(
			        r->op, steps[i] == SCALAR_ALPHA ? MAP_ALPHA : MAP_BETA);
		} else if (steps[i] >= SCALAR_X) {
			uint32_t tensor = reference_find(r, names[steps[i] - SCALAR_X]);
			value = broadcast(r, tensor, position);
		} else {
			height -= scalar_info(steps[i])->arity;
			const double *s = &stack[height];
			value = integers ? of_integers(steps[i], s[0], s[1], s[2])
			                 : reference_scalar(steps[i], s[0], s[1], s[2]);
		}
		stack[height++] = value;
	}
	return stack[0];
}

/* The low bits, as a signed or unsigned number. */
static double wrapped(double value, enum dtype to)
{
	int64_t whole = (int64_t)value;

	return to == DTYPE_I8 ? (int8_t)(uint8_t)whole : to == DTYPE_U8 ? (uint8_t)whole : value;
}

static double reference_cast(const struct reference *r, uint64_t element)
{
	enum dtype from = (enum dtype)r->op->value[CAST_DTYPE];
	enum dtype to = (enum dtype)r->op->value[CAST_OUT];
	double x = reference_at(r, 0, element);

	if (to == DTYPE_BOOL)
		return x != 0;
	if (dtype_is_float(to))
		return x;
	if (!dtype_is_float(from))
		return wrapped(x, to);
	return to == DTYPE_I8   ? cut(x, -128, 127)
	       : to == DTYPE_U8 ? cut(x, 0, 255)
	                        : cut(x, INT32_MIN, INT32_MAX);
}

static double reference_batchnorm(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	uint64_t c = element / v[BATCHNORM_INNER] % v[BATCHNORM_C];
	double x = reference_at(r, 0, element);

	return reference_acts(
	        r->op, BATCHNORM_ACT, x * reference_at(r, 1, c) + reference_at(r, 2, c));
}

static double reference_gate(const struct reference *r, uint64_t element)
{
	uint64_t n = r->op->value[GATE_N], row = element / n, column = element % n;
	double first = reference_at(r, 0, row * 2 * n + column);

	return reference_acts(r->op, GATE_ACT, first) *
	       reference_at(r, 0, row * 2 * n + n + column);
}

static double reference_quantise(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	uint64_t c = element / v[QUANTIZE_INNER] % v[QUANTIZE_C];
	double x = reference_at(r, 0, element), scale = reference_at(r, 1, c);
	double zero = v[QUANTIZE_ZEROS] ? reference_at(r, 2, c) : 0;
	bool is_signed = v[QUANTIZE_QUANTISED] == DTYPE_I8;

	if (r->op->kind == OP_DEQUANTIZE)
		return (x - zero) * scale;
	return fmin(fmax(rint(x / scale) + zero, is_signed ? -128 : 0), is_signed ? 127 : 255);
}

/* ---- Rotary. */

static double reference_rotary(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	uint64_t turned = v[ROTARY_ROTATED] ? v[ROTARY_ROTATED] : v[ROTARY_DIM];
	uint64_t position[OP_RANK_MAX], half = turned / 2, pair, partner;
	bool first;

	position_of(out_of(r), element, position);
	uint64_t i = position[3], at = position[v[ROTARY_ORDER] ? 1 : 2];
	if (i >= turned)
		return reference_at(r, 0, element);
	if (v[ROTARY_PAIRS]) {
		first = i % 2 == 0;
		pair = i / 2;
		partner = first ? element + 1 : element - 1;
	} else {
		first = i < half;
		pair = i % half;
		partner = first ? element + half : element - half;
	}
	double x = reference_at(r, 0, element), y = reference_at(r, 0, partner);
	double c = reference_at(r, 1, at * half + pair), s = reference_at(r, 2, at * half + pair);
	return first ? x * c - y * s : x * c + y * s;
}

/* ---- Rearranging. */

static double reference_transpose(const struct reference *r, uint64_t element)
{
	const uint32_t *perm = &r->op->value[TRANSPOSE_PERM + 1];
	uint64_t position[OP_RANK_MAX], from[OP_RANK_MAX];

	position_of(out_of(r), element, position);
	for (uint32_t i = 0; i < r->tensors[0].rank; i++)
		from[perm[i]] = position[i];
	return reference_at(r, 0, element_of(&r->tensors[0], from));
}

static double reference_gather(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	uint64_t inner = v[GATHER_INNER], count = v[GATHER_COUNT];
	uint64_t column = element % inner, outer = element / inner / count;
	double row = reference_at(r, 1, element / inner % count), rows = v[GATHER_ROWS];
	double of = v[GATHER_OF] ? v[GATHER_OF] : rows;

	row = fmin(fmax(row < 0 ? row + of : row, 0), of - 1) - v[GATHER_FIRST];
	if (row < 0 || row >= rows) /* another part's */
		return NAN;
	return reference_at(r, 0, (outer * v[GATHER_ROWS] + (uint64_t)row) * inner + column);
}

static double reference_concat(const struct reference *r, uint64_t element)
{
	uint64_t position[OP_RANK_MAX];
	uint32_t tensor = 0;

	position_of(out_of(r), element, position);
	while (position[1] >= r->tensors[tensor].shape[1])
		position[1] -= r->tensors[tensor++].shape[1];
	return reference_at(r, tensor, element_of(&r->tensors[tensor], position));
}

static double reference_slice(const struct reference *r, uint64_t element)
{
	uint64_t position[OP_RANK_MAX];

	position_of(out_of(r), element, position);
	for (uint32_t i = 0; i < r->tensors[0].rank; i++)
		position[i] = own_or(r->op, SLICE_BEGIN, i, 0) +
		              position[i] * own_or(r->op, SLICE_STEP, i, 1);
	return reference_at(r, 0, element_of(&r->tensors[0], position));
}

static double reference_pad(const struct reference *r, uint64_t element)
{
	enum { CONSTANT, EDGE, REFLECT };
	uint32_t mode = r->op->value[PAD_MODE];
	uint64_t position[OP_RANK_MAX];

	position_of(out_of(r), element, position);
	for (uint32_t i = 0; i < r->tensors[0].rank; i++) {
		int64_t extent = r->tensors[0].shape[i];
		int64_t at = (int64_t)position[i] - own_or(r->op, PAD_BEFORE, i, 0);
		bool inside = at >= 0 && at < extent;
		if (!inside && mode == CONSTANT)
			return op_number(r->op, PAD_NUMBER);
		if (!inside && mode == EDGE)
			at = at < 0 ? 0 : extent - 1;
		if (!inside && mode == REFLECT)
			at = at < 0 ? -at : 2 * (extent - 1) - at;
		position[i] = (uint64_t)at;
	}
	return reference_at(r, 0, element_of(&r->tensors[0], position));
}

static double reference_tile(const struct reference *r, uint64_t element)
{
	uint64_t position[OP_RANK_MAX];

	position_of(out_of(r), element, position);
	for (uint32_t i = 0; i < r->tensors[0].rank; i++)
		position[i] %= r->tensors[0].shape[i];
	return reference_at(r, 0, element_of(&r->tensors[0], position));
}

/* ---- All of them. */

#define MEANING_CONTRACTION(signature) NULL
#define MEANING_CONVOLUTION(signature) NULL
#define MEANING_REDUCTION(signature)   NULL
#define MEANING_ATTENTION(signature)   NULL
#define MEANING_MAP(signature)         reference_##signature

double reference_map(const struct reference *r, uint64_t element)
{
	static reference_of *const meanings[OP_COUNT] = {
#define OP(name, text, family, signature, doc) [OP_##name] = MEANING_##family(signature),
#define FIELD(...)
#define END(name)
#include "op/op.def"
	};

	return meanings[r->op->kind](r, element);
}
