/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction's operands from memory, of whatever element type and order, to vectors of numbers
 * in registers. Packed types are taken apart without a conversion instruction: an integer i below
 * 2^23 put into the fraction of 2^23 is the float 2^23 + i, and the subtraction of 2^23 takes the
 * zero point along:
 *
 *   f32   sign  exponent  fraction
 *         0     10010110  iiiiiii iiiiiiii iiiiiiii    = 2^23 + i
 *
 * 4-bit weights are not even shifted down, but for the word's upper half: element k comes out
 * 16^(k % 4) times too large (lower_weights.c makes up for it).
 */
#include "family/contraction/lower.h"

#define FRACTION_BITS 0x4b000000u /* 2^23 */

/* ---- Binding. */

static uint32_t bind_words(struct lower *l, uint32_t words)
{
	uint32_t n = l->tensor_count++;
	uint64_t length = tensor_bytes(&l->tensors[n]) / (4 * words);

	l->lanes[n] = 1;
	return ir_binding(l->b, l->tensors[n].name, IR_TYPE(IR_U32, words), false,
	        length ? (uint32_t)length : 1);
}

static void bind_operand(struct gemm *g, struct operand *x, const struct contraction_operand *s)
{
	x->shape = s;
	if (s->load == CONTRACTION_NUMBERS)
		x->binding = lower_bind(g->l, s->width);
	else
		x->binding = bind_words(g->l, s->load == CONTRACTION_WORDS ? s->width : s->words);
}

void gemm_bind_operands(struct gemm *g)
{
	bind_operand(g, &g->left, &g->c.a);
	bind_operand(g, &g->right, &g->c.b);
}

/* ---- Taking words apart. */

/* Bits of `lanes` fields from field `from` on, each at the bottom of its lane. */
static ir_id fields(struct gemm *g, ir_id word, uint32_t bits, uint32_t from, uint32_t lanes)
{
	ir_id shifts[4];

	for (uint32_t i = 0; i < lanes; i++)
		shifts[i] = ir_u32(g->b, (from + i) * bits);
	ir_id by = ir_compose(g->b, shifts, lanes);
	ir_id shifted = ir_compute(g->b, IR_SHR, ir_splat(g->b, word, lanes), by, 0);
	ir_id mask = ir_splat(g->b, ir_u32(g->b, (1u << bits) - 1), lanes);
	return ir_compute(g->b, IR_AND, shifted, mask, 0);
}

/* Whole numbers below 2^23, less `zero` (2^23 included), as floats. */
static ir_id small_floats(struct gemm *g, ir_id values, ir_id zero)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(g->b, values));
	ir_id exponent = ir_splat(g->b, ir_u32(g->b, FRACTION_BITS), lanes);
	ir_id bits = ir_compute(g->b, IR_OR, values, exponent, 0);
	ir_id number = ir_bitcast(g->b, bits, IR_TYPE(IR_F32, lanes));
	ir_id less = ir_compute(g->b, IR_SUB, number, zero, 0);

	return ir_convert(g->b, less, g->number);
}

static ir_id signed_bytes(struct gemm *g, ir_id word, uint32_t from, uint32_t lanes)
{
	ir_id shifts[4];

	for (uint32_t i = 0; i < lanes; i++)
		shifts[i] = ir_u32(g->b, 24 - 8 * (from + i));
	ir_id by = ir_compose(g->b, shifts, lanes);
	ir_id high = ir_compute(g->b, IR_SHL, ir_splat(g->b, word, lanes), by, 0);
	ir_id number = ir_bitcast(g->b, high, IR_TYPE(IR_I32, lanes));
	return ir_compute(g->b, IR_SHR, number, ir_splat(g->b, ir_i32(g->b, 24), lanes), 0);
}

static ir_id bytes(struct gemm *g, ir_id word, uint32_t from, uint32_t lanes)
{
	if (g->c.sum != CONTRACTION_FLOAT)
		return signed_bytes(g, word, from, lanes);
	ir_id shifted = ir_compute(g->b, IR_XOR, word, ir_u32(g->b, 0x80808080), 0);
	ir_id values = fields(g, shifted, 8, from, lanes);
	return small_floats(g, values, ir_splat(g->b, ir_f32(g->b, GEMM_2_23 + 128), lanes));
}

/* Four neighbouring nibbles, less `zero`, 1, 16, 256 and 4096 times too large. */
static ir_id nibbles(struct gemm *g, ir_id word, uint32_t from, ir_id zero)
{
	ir_id masks[4];

	for (uint32_t i = 0; i < 4; i++)
		masks[i] = ir_u32(g->b, 15u << 4 * i);
	ir_id half = ir_compute(g->b, IR_SHR, word, ir_u32(g->b, 4 * from), 0);
	ir_id mask = ir_compose(g->b, masks, 4);
	ir_id values = ir_compute(g->b, IR_AND, ir_splat(g->b, half, 4), mask, 0);
	return small_floats(g, values, zero);
}

/* Elements from, from + 1, ... of the words of a load; 4-bit ones less `zero`. */
static ir_id unpack(
        struct gemm *g, const struct contraction_operand *s, ir_id words, uint32_t from, ir_id zero)
{
	uint32_t each = 32 / s->bits;
	ir_id word = ir_extract(g->b, words, from / each), halves[4];

	if (s->bits == 4)
		return nibbles(g, word, from % each, zero);
	if (s->bits == 8)
		return bytes(g, word, from % each, s->lanes);
	for (uint32_t i = 0; i < s->lanes; i++) {
		word = ir_extract(g->b, words, (from + i) / 2);
		halves[i] = ir_extract(g->b, ir_unpack_half(g->b, word), (from + i) % 2);
	}
	return ir_convert(g->b, ir_compose(g->b, halves, s->lanes), g->number);
}

/* ---- Loading. */

void gemm_load(struct gemm *g, const struct operand *x, ir_id at, ir_id zero, ir_id vectors[])
{
	const struct contraction_operand *s = x->shape;

	if (s->load == CONTRACTION_PACKED) {
		ir_id words = ir_load(g->b, x->binding, at);
		for (uint32_t i = 0; i < s->width; i += s->lanes)
			vectors[i / s->lanes] = unpack(g, s, words, i, zero);
		return;
	}
	ir_id value = s->load == CONTRACTION_WORDS ? ir_load(g->b, x->binding, at)
	                                           : lower_load(g->l, x->binding, at);
	vectors[0] = s->load == CONTRACTION_WORDS ? value : ir_convert(g->b, value, g->number);
}
