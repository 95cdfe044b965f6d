/* SPDX-License-Identifier: Apache-2.0
 *
 * From numbers to f16 that stand in words, by integer arithmetic alone: nearest, ties to even, with
 * infinities, NaN and subnormals as IEEE 754 has them. WGSL's pack2x16float leaves a whole word
 * open where one number is beyond f16's range, and drivers round as they like; this does not
 * depend on either. Invariant: an element never touches its neighbour in the word.
 */
#include "lower/lower.h"

#define LEAST_NORMAL (113 << 23) /* 2^-14 as an f32's bits */
#define OVERFLOW     (143 << 23) /* 2^16, which becomes an infinity as all above does */

static ir_id with(struct ir_builder *b, enum ir_op op, ir_id x, int32_t constant)
{
	return ir_compute(
	        b, op, x, ir_splat(b, ir_i32(b, constant), ir_lanes_of(ir_type_of(b, x))), 0);
}

static ir_id as(struct ir_builder *b, enum ir_scalar scalar, ir_id x)
{
	return ir_bitcast(b, x, IR_TYPE(scalar, ir_lanes_of(ir_type_of(b, x))));
}

/* A number from 2^e to 2^(e + 1) has 10 bits of fraction in f16, down to e = -14, and so it has in
 * f32 once 2^(e + 13) is added to it: the device's own addition rounds. With E, the exponent's bits
 * of 2^e where they stand in f32,
 *   half = (bits of the sum) - (bits of 2^(e + 13)) + (E - bits of 2^-14) / 2^13
 * whose first difference is the fraction with its leading 1. */
static ir_id rounded(struct ir_builder *b, ir_id magnitude)
{
	ir_id kept = with(b, IR_MIN, magnitude, OVERFLOW);
	ir_id exponent = with(b, IR_MAX, with(b, IR_AND, kept, 0x7f800000), LEAST_NORMAL);
	ir_id large = as(b, IR_F32, with(b, IR_ADD, exponent, 13 << 23));
	ir_id sum = as(b, IR_I32, ir_add(b, as(b, IR_F32, kept), large));
	ir_id fraction = ir_compute(b, IR_SUB, sum, exponent, 0);
	ir_id half = ir_add(b, fraction, with(b, IR_SHR, exponent, 13));

	return with(b, IR_SUB, half, (13 << 23) + (LEAST_NORMAL >> 13));
}

/* With signs, because processors compare signed integers alone. */
ir_id lower_half_bits(struct ir_builder *b, ir_id value)
{
	ir_id bits = as(b, IR_I32, ir_convert(b, value, IR_F32));
	ir_id nan = ir_splat(b, ir_i32(b, 0x7e00), ir_lanes_of(ir_type_of(b, bits)));
	ir_id magnitude = with(b, IR_AND, bits, 0x7fffffff);
	ir_id sign = with(b, IR_AND, with(b, IR_SHR, bits, 16), 0x8000);
	ir_id half = rounded(b, magnitude);

	half = ir_select(b, with(b, IR_GE, magnitude, 0x7f800001), nan, half);
	return as(b, IR_U32, ir_compute(b, IR_OR, half, sign, 0));
}

ir_id lower_half_word(struct ir_builder *b, ir_id bits, uint32_t word)
{
	ir_id low = ir_extract(b, bits, 2 * word), high = ir_extract(b, bits, 2 * word + 1);

	return ir_compute(b, IR_OR, low, ir_compute(b, IR_SHL, high, ir_u32(b, 16), 0), 0);
}
