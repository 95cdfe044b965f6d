/* SPDX-License-Identifier: Apache-2.0
 *
 * The way into a family's meaning, and what the families share: elements of every type as numbers,
 * and the functions of scalar.def.
 */
#include "reference/reference.h"

#include "base/half.h"

#include <math.h>
#include <string.h>

double reference_element(const struct op *op, void *const buffers[], uint64_t element)
{
	static reference_of *const families[] = {[FAMILY_CONTRACTION] = reference_contraction,
	        [FAMILY_CONVOLUTION] = reference_convolution,
	        [FAMILY_REDUCTION] = reference_reduction,
	        [FAMILY_MAP] = reference_map,
	        [FAMILY_ATTENTION] = reference_attention};
	struct reference r = {.op = op, .buffers = buffers};

	op_tensors(op, r.tensors);
	return families[op_family(op->kind)](&r, element);
}

void reference_elements(const struct op *op, void *const buffers[], const uint64_t *elements,
        uint32_t count, double *ret_values)
{
	struct reference r = {.op = op, .buffers = buffers};
	uint32_t done = 0;

	op_tensors(op, r.tensors);
	while (done < count && op_family(op->kind) == FAMILY_ATTENTION)
		done += reference_attention_row(
		        &r, elements + done, count - done, ret_values + done);
	for (; done < count; done++)
		ret_values[done] = reference_element(op, buffers, elements[done]);
}

double reference_at(const struct reference *r, uint32_t tensor, uint64_t index)
{
	return reference_read(r->tensors[tensor].dtype, r->buffers[tensor], index);
}

uint32_t reference_find(const struct reference *r, const char *name)
{
	uint32_t n = 0;

	while (n < OP_TENSORS_MAX && r->tensors[n].name && strcmp(r->tensors[n].name, name))
		n++;
	return n < OP_TENSORS_MAX && r->tensors[n].name ? n : OP_TENSORS_MAX;
}

/* ---- Elements. */

double reference_read(enum dtype dtype, const void *buffer, uint64_t index)
{
	const uint8_t *bytes = buffer;

	switch (dtype) {
	case DTYPE_F32:
		return ((const float *)buffer)[index];
	case DTYPE_F16:
		return half_to_float(((const uint16_t *)buffer)[index]);
	case DTYPE_I32:
		return ((const int32_t *)buffer)[index];
	case DTYPE_I8:
		return (int8_t)bytes[index];
	case DTYPE_U8:
		return bytes[index];
	case DTYPE_BOOL:
		return bytes[index] != 0;
	case DTYPE_U4:
		return bytes[index / 2] >> 4 * (index % 2) & 15;
	case DTYPE_COUNT:
		break;
	}
	return 0;
}

static double kept(double value, double low, double high)
{
	return fmin(fmax(rint(value), low), high);
}

static void write_u4(uint8_t *byte, uint64_t index, double value)
{
	uint32_t shift = 4 * (index % 2);

	*byte = (uint8_t)((*byte & ~(15u << shift)) | (uint32_t)kept(value, 0, 15) << shift);
}

void reference_write(enum dtype dtype, void *buffer, uint64_t index, double value)
{
	uint8_t *bytes = buffer;

	switch (dtype) {
	case DTYPE_F32:
		((float *)buffer)[index] = (float)value;
		break;
	case DTYPE_F16:
		((uint16_t *)buffer)[index] = half_of_double(value);
		break;
	case DTYPE_I32:
		((int32_t *)buffer)[index] = (int32_t)kept(value, INT32_MIN, INT32_MAX);
		break;
	case DTYPE_I8:
		bytes[index] = (uint8_t)(int8_t)kept(value, -128, 127);
		break;
	case DTYPE_U8:
		bytes[index] = (uint8_t)kept(value, 0, 255);
		break;
	case DTYPE_BOOL:
		bytes[index] = value != 0;
		break;
	case DTYPE_U4:
		write_u4(&bytes[index / 2], index, value);
		break;
	case DTYPE_COUNT:
		break;
	}
}

/* ---- Functions of numbers. */

double reference_scalar(enum scalar function, double a, double b, double c)
{
	(void)b, (void)c;
	switch (function) {
#define SCALAR(name, text, arity, takes, gives, instructions, cost, lowering, meaning, doc) \
	case SCALAR_##name:                                                                 \
		return meaning;
#include "op/scalar.def"
	default:
		return 0;
	}
}

double reference_acts(const struct op *op, uint32_t value, double x)
{
	enum scalar acts[OP_ACTS_MAX];

	for (uint32_t i = 0, count = op_acts(op, value, acts); i < count; i++)
		x = reference_scalar(acts[i], x, 0, 0);
	return x;
}
