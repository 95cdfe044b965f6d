/* SPDX-License-Identifier: Apache-2.0
 *
 * From numbers to f16 that stand in words, by integer arithmetic alone: nearest, ties to even, with
 * infinities, NaN and subnormals as IEEE 754 has them. WGSL's pack2x16float leaves a whole word
 * open where one number is beyond f16's range, and drivers round as they like; this does not
 * depend on either. Invariant: an element never touches its neighbour in the word.
 */
#include "lower/lower.h"

static ir_id with(struct ir_builder *b, enum ir_op op, ir_id x, uint32_t constant)
{
	return ir_compute(
	        b, op, x, ir_splat(b, ir_u32(b, constant), ir_lanes_of(ir_type_of(b, x))), 0);
}

static ir_id as(struct ir_builder *b, enum ir_scalar scalar, ir_id x)
{
	return ir_bitcast(b, x, IR_TYPE(scalar, ir_lanes_of(ir_type_of(b, x))));
}

/* From 2^-14 on, f16 is f32 with 13 fewer bits of fraction and an exponent that is 112 less. What
 * is 65520 at least becomes an infinity, what is no number the quiet NaN. */
static ir_id round_normal(struct ir_builder *b, ir_id magnitude)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(b, magnitude));
	ir_id infinity = ir_splat(b, ir_u32(b, 0x7c00), lanes);
	ir_id nan = ir_splat(b, ir_u32(b, 0x7e00), lanes);
	ir_id last = with(b, IR_AND, with(b, IR_SHR, magnitude, 13), 1);
	ir_id more = with(b, IR_ADD, magnitude, 0xfffu - (112u << 23));
	ir_id half = with(b, IR_SHR, ir_add(b, more, last), 13);
	ir_id is_nan = with(b, IR_GE, magnitude, 0x7f800001);

	return ir_compute(b, IR_MIN, half, ir_select(b, is_nan, nan, infinity), 0);
}

/* Below 2^-14, f16 is a multiple of 2^-24, and so is f32 from 0.5 to 1: the device's own addition
 * rounds. */
static ir_id round_small(struct ir_builder *b, ir_id magnitude)
{
	ir_id small = as(b, IR_F32, magnitude);
	ir_id moved = ir_add(b, small, lower_literal(b, 0.5f, small));

	return with(b, IR_SUB, as(b, IR_U32, moved), 0x3f000000);
}

ir_id lower_half_bits(struct ir_builder *b, ir_id value)
{
	ir_id bits = as(b, IR_U32, ir_convert(b, value, IR_F32));
	ir_id magnitude = with(b, IR_AND, bits, 0x7fffffff);
	ir_id sign = with(b, IR_SHR, ir_compute(b, IR_XOR, bits, magnitude, 0), 16);
	ir_id normal = round_normal(b, magnitude), small = round_small(b, magnitude);
	ir_id half = ir_select(b, with(b, IR_LT, magnitude, 113u << 23), small, normal);

	return ir_compute(b, IR_OR, half, sign, 0);
}

ir_id lower_half_word(struct ir_builder *b, ir_id bits, uint32_t word)
{
	ir_id low = ir_extract(b, bits, 2 * word), high = ir_extract(b, bits, 2 * word + 1);

	return ir_compute(b, IR_OR, low, with(b, IR_SHL, high, 16), 0);
}
