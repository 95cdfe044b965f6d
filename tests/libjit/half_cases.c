/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of narrow element types. What moves is expected by its twin: the same operator in f32,
 * whose elements are the bits as numbers, and pad's number a negative one, which no bits are.
 */
#include "half_cases.h"

#include "base/half.h"
#include "reference/reference.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS "1024" /* SPECIALS squared */
#define ALL   "65536"

const struct half_case half_cases[] = {
        {"copy shape=" ALL " dtype=f16", true, 0},
        {"copy shape=65535 dtype=f16", true, 0},
        {"cast shape=" ALL " dtype=f16 out=f16", true, 0},
        {"map shape=" ALL " dtype=f16 steps=x,copy,copy", true, 0},
        {"where shape=" ALL " dtype=f16", true, 0},
        {"where shape=256,256 x=256,1 z=1,256 dtype=f16", true, 0},
        {"transpose shape=256,256 perm=1,0 dtype=f16", true, 0},
        {"transpose shape=2,256,128 perm=1,0,2 dtype=f16", true, 0},
        {"transpose shape=257,255 perm=1,0 dtype=f16", true, 0},
        {"slice shape=256,256 begin=1,3 size=255,250 dtype=f16", true, 0},
        {"slice shape=256,256 begin=0,1 size=128,85 step=2,3 dtype=f16", true, 0},
        {"concat outer=3 sizes=5,8 inner=7 dtype=f16", true, 0},
        {"concat outer=128 sizes=256,256 dtype=f16", true, 0},
        {"gather rows=256 inner=256 count=99 dtype=f16", true, 0},
        {"gather rows=999 count=64 dtype=f16", true, 0},
        {"pad shape=256,256 before=1,2 after=0,3 value=-7 dtype=f16", true, 0},
        {"pad shape=255 after=2 value=-1e6 dtype=f16", true, 0},
        {"pad shape=256 after=2 value=-inf dtype=f16", true, 0},
        {"pad shape=256,256 before=2,1 after=1,1 mode=reflect dtype=f16", true, 0},
        {"tile shape=99,33 repeats=2,3 dtype=f16", true, 0},
        {"resize h=128 w=256 oh=100 ow=300 dtype=f16", true, 0},
        {"transpose shape=16,32 perm=1,0 dtype=i8", true, 0},
        {"transpose shape=16,32 perm=1,0 dtype=u8", true, 0},
        {"transpose shape=16,32 perm=1,0 dtype=bool", true, 0},
        {"cast shape=256 dtype=i8 out=i8", true, 0},
        {"cast shape=256 dtype=u8 out=u8", true, 0},
        {"cast shape=262144 dtype=f32 out=f16", false, 0},
        {"cast shape=" PAIRS " dtype=i32 out=f16", false, 0},
        {"cast shape=" ALL " dtype=f16 out=f32", false, 0},
        {"cast shape=" ALL " dtype=f16 out=i32", false, 0},
        {"cast shape=" ALL " dtype=f16 out=i8", false, 0},
        {"cast shape=" ALL " dtype=f16 out=u8", false, 0},
        {"cast shape=" ALL " dtype=f16 out=bool", false, 0},
        {"cast shape=65536 dtype=f32 out=i32", false, 0},
        {"add shape=" PAIRS " dtype=f16", false, 1},
        {"sub shape=" PAIRS " dtype=f16", false, 1},
        {"mul shape=" PAIRS " dtype=f16", false, 1},
        {"neg shape=" ALL " dtype=f16", false, 1},
        {"abs shape=" ALL " dtype=f16", false, 1},
        {"square shape=" ALL " dtype=f16", false, 1},
        {"matmul m=32 n=32 k=1 a=f16 b=f16 out=f16", false, 1},
        {"matmul m=31 n=31 k=1 a=f16 b=f16 out=f16", false, 1},
        {"matmul m=32 n=32 k=1 a=f16 b=f16 out=f16 acc=f16", false, 1},
        {"max shape=" PAIRS " dtype=f16", false, 0},
        {"not_equal shape=" PAIRS " dtype=f16", false, 0},
        {"max_pool c=4 h=16 w=16 kernel=2 stride=2 dtype=f16", false, 0},
        {"max_pool c=1 h=32 w=32 kernel=5 pad=2 dtype=f16", false, 0},
        {"max_pool c=8 h=16 w=8 kernel=2 dilation=2 pad=1 layout=nhwc dtype=f16", false, 0},
        {"reduce_sum rows=512 n=2 dtype=f16", false, 1},
        {"cumsum rows=512 n=2 dtype=f16", false, 1},
};
const uint32_t half_case_count = sizeof half_cases / sizeof *half_cases;

/* ---- Inputs. */

#define SPECIALS 32

/* -65504, 65504 and their like, 300, 60000, infinities, NaN, zeros, subnormals, the least that is
 * none, and numbers whose sums and products lie on ties. */
static const uint16_t specials[SPECIALS] = {0xfc00, 0x4500, 0x7c00, 0x7e00, 0xfe01, 0x7c01, 0x8000,
        0x0000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x8400, 0x5cb0, 0xdcb0, 0x7b53, 0xfb53, 0x7bff,
        0xfbff, 0x3c00, 0xbc00, 0x3c01, 0x3bff, 0x4c00, 0x1400, 0x13ff, 0x6400, 0x6801, 0x2c01,
        0x5bff, 0x3555, 0xb555};

/* Each f16, the middle between it and the next, and the numbers on either side of that. */
static float near_half(uint32_t i)
{
	uint16_t half = (uint16_t)(i / 4);
	float value = half_to_float(half), next = half_to_float(half + 1);

	if (!isfinite(value) || i % 4 == 0)
		return value;
	float middle = isfinite(next) ? (value + next) / 2 : copysignf(65520, value);
	return i % 4 == 1 ? middle : nextafterf(middle, i % 4 == 2 ? 0 : copysignf(1e9f, value));
}

/* Indices and conditions, which choose what moves. */
static bool is_chooser(const struct op *op, uint32_t tensor, enum dtype dtype)
{
	return (op->kind == OP_GATHER && tensor == 1) ||
	       (op->kind == OP_WHERE && dtype == DTYPE_BOOL);
}

/* Large tensors hold every pattern in turn; two of SPECIALS squared, every pair of specials. */
void half_fill(const struct op *op, const struct tensor tensors[], uint32_t tensor, void *buffer)
{
	enum dtype dtype = tensors[tensor].dtype;
	uint64_t count = tensors[tensor].elements;
	bool pairs = count == SPECIALS * SPECIALS;

	if (is_chooser(op, tensor, dtype)) {
		reference_fill(op, tensor, 1, buffer);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = tensor && pairs ? i / SPECIALS : i;
		if (dtype == DTYPE_F32)
			((float *)buffer)[i] = near_half(i);
		else if (dtype == DTYPE_I32)
			((int32_t *)buffer)[i] = ((int32_t)i - 512) * (i % 3 ? 127 : 1 << 20);
		else if (dtype == DTYPE_BOOL)
			((uint8_t *)buffer)[i] = i % 2;
		else if (dtype == DTYPE_F16)
			((uint16_t *)buffer)[i] = count > SPECIALS * SPECIALS
			                                  ? (uint16_t)i
			                                  : specials[n % SPECIALS];
		else
			((uint8_t *)buffer)[i] = (uint8_t)i;
	}
}

/* ---- Outputs. */

uint32_t half_bits_at(enum dtype dtype, const void *buffer, uint64_t index)
{
	switch (dtype_bits(dtype)) {
	case 16:
		return ((const uint16_t *)buffer)[index];
	case 8:
		return ((const uint8_t *)buffer)[index];
	default:
		return ((const uint32_t *)buffer)[index];
	}
}

static struct op twin_of(const struct op *op)
{
	const struct op_field *field;
	struct op twin = *op;

	for (uint32_t i = 0; (field = op_field(op->kind, i)); i++)
		if (field->kind == FIELD_DTYPE)
			twin.value[field->value] = DTYPE_F32;
	return twin;
}

static void expect_moved(const struct op *op, void *const buffers[], uint32_t *ret_expected)
{
	struct op twin = twin_of(op);
	struct tensor tensors[OP_TENSORS_MAX], twins[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	void *numbers[OP_TENSORS_MAX];

	assert(op_tensors(&twin, twins) == count);
	for (uint32_t t = 0; t < count; t++) {
		bool as_it_is = is_chooser(op, t, tensors[t].dtype) || tensors[t].output;
		numbers[t] = as_it_is ? buffers[t] : malloc(4 * tensors[t].elements);
		for (uint32_t i = 0; !as_it_is && i < tensors[t].elements; i++)
			((float *)numbers[t])[i] = (float)half_bits_at(
			        tensors[t].dtype, buffers[t], i);
	}
	for (uint32_t i = 0; i < tensors[count - 1].elements; i++) {
		double number = reference_element(&twin, numbers, i);
		ret_expected[i] = number < 0 ? half_of_double(number) : (uint32_t)number;
	}
	for (uint32_t t = 0; t < count; t++)
		if (numbers[t] != buffers[t])
			free(numbers[t]);
}

void half_expect(const struct half_case *row, const struct op *op, void *const buffers[],
        uint32_t *ret_expected)
{
	struct tensor tensors[OP_TENSORS_MAX];
	const struct tensor *out = &tensors[op_tensors(op, tensors) - 1];

	if (row->moves) {
		expect_moved(op, buffers, ret_expected);
		return;
	}
	for (uint32_t i = 0; i < out->elements; i++) {
		uint64_t element = 0; /* any type's */
		reference_write(out->dtype, &element, 0, reference_element(op, buffers, i));
		ret_expected[i] = half_bits_at(out->dtype, &element, 0);
	}
}

static bool is_near(uint32_t a, uint32_t b, uint32_t ulps)
{
	int32_t x = a & 0x8000 ? -(int32_t)(a & 0x7fff) : (int32_t)a;
	int32_t y = b & 0x8000 ? -(int32_t)(b & 0x7fff) : (int32_t)b;

	return abs(x - y) <= (int32_t)ulps;
}

bool half_is_right(const struct half_case *row, const struct tensor *out, const void *buffer,
        uint32_t element, uint32_t expected, bool native)
{
	uint32_t bits = half_bits_at(out->dtype, buffer, element);
	double number = reference_read(out->dtype, buffer, element);
	double wanted = reference_read(out->dtype, &expected, 0);

	if (bits == expected || !dtype_is_float(out->dtype))
		return bits == expected;
	if (isnan(wanted))
		return isnan(number) && (!row->moves || native);
	return row->ulps && !isnan(number) && is_near(bits, expected, row->ulps);
}
