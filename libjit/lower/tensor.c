/* SPDX-License-Identifier: Apache-2.0
 *
 * Tensors of every element type as numbers. Types of 32 bits are bound as they are; narrower ones
 * as words that are taken apart here (f16 natively where the schedule says so), so that no kernel
 * needs to know. A kernel that only moves elements has f16 as bits, so that every one arrives as it
 * was. Invariant: a store writes whole words, so that no two invocations share one.
 */
#include "lower/lower.h"

#include <assert.h>
#include <string.h>

static enum dtype dtype_of(const struct lower *l, uint32_t tensor)
{
	return l->tensors[tensor].dtype;
}

static bool is_native(const struct lower *l, uint32_t tensor)
{
	return dtype_bits(dtype_of(l, tensor)) == 32 ||
	       (dtype_of(l, tensor) == DTYPE_F16 && l->schedule->axis[AXIS_F16]);
}

static enum ir_scalar native_scalar(enum dtype dtype)
{
	return dtype == DTYPE_F32 ? IR_F32 : dtype == DTYPE_F16 ? IR_F16 : IR_I32;
}

/* Words that `lanes` elements take: 1 where they share one with others. */
static uint32_t words_of(enum dtype dtype, uint32_t lanes)
{
	uint32_t bits = lanes * dtype_bits(dtype);

	return bits < 32 ? 1 : bits / 32;
}

uint32_t lower_bind(struct lower *l, uint32_t lanes)
{
	uint32_t n = l->tensor_count++;
	const struct tensor *t = &l->tensors[n];
	ir_type type = is_native(l, n) ? IR_TYPE(native_scalar(t->dtype), lanes)
	                               : IR_TYPE(IR_U32, words_of(t->dtype, lanes));
	uint64_t length = tensor_bytes(t) / ir_bytes_of(type);

	l->lanes[n] = lanes;
	return ir_binding(l->b, t->name, type, t->output, (uint32_t)length);
}

uint32_t lower_find(const struct lower *l, const char *name)
{
	uint32_t n = 0;

	while (n < OP_TENSORS_MAX && l->tensors[n].name && strcmp(l->tensors[n].name, name))
		n++;
	return n < OP_TENSORS_MAX && l->tensors[n].name ? n : OP_TENSORS_MAX;
}

enum ir_scalar lower_number(const struct lower *l, uint32_t tensor)
{
	enum dtype dtype = dtype_of(l, tensor);

	if (dtype == DTYPE_F16 && l->moves)
		return is_native(l, tensor) ? IR_F16 : IR_U32;
	return dtype == DTYPE_BOOL ? IR_BOOL : dtype_is_float(dtype) ? l->number : IR_I32;
}

bool lower_can_store(enum dtype dtype, uint32_t lanes, bool native_f16)
{
	return lanes * dtype_bits(dtype) >= 32 || (dtype == DTYPE_F16 && native_f16);
}

/* ---- Loading. */

/* Bits first..first+bits of a word, `first` a value, as an i32, its sign extended if it has one. */
static ir_id take_bits(struct lower *l, ir_id word, ir_id first, enum dtype dtype)
{
	uint32_t bits = dtype_bits(dtype);
	struct ir_builder *b = l->b;

	if (dtype == DTYPE_I8) {
		ir_id up = ir_compute(b, IR_SUB, ir_u32(b, 32 - bits), first, 0);
		ir_id high = ir_compute(b, IR_SHL, word, up, 0);
		ir_id signed_high = ir_bitcast(b, high, IR_TYPE(IR_I32, 1));
		return ir_compute(b, IR_SHR, signed_high, ir_i32(b, (int32_t)(32 - bits)), 0);
	}
	ir_id low = ir_compute(b, IR_SHR, word, first, 0);
	ir_id masked = ir_compute(b, IR_AND, low, ir_u32(b, (1u << bits) - 1), 0);
	return ir_bitcast(b, masked, IR_TYPE(IR_I32, 1));
}

/* An f16 of a word, as its bits where the kernel only moves it. */
static ir_id half_of(struct lower *l, ir_id word, ir_id first)
{
	ir_id low = ir_compute(l->b, IR_SHR, word, first, 0);

	if (l->moves)
		return ir_compute(l->b, IR_AND, low, ir_u32(l->b, 0xffff), 0);
	return ir_convert(l->b, ir_extract(l->b, ir_unpack_half(l->b, low), 0), l->number);
}

/* An element's bits as a number. */
static ir_id number_of(struct lower *l, ir_id word, ir_id first, enum dtype dtype)
{
	if (dtype == DTYPE_F16)
		return half_of(l, word, first);
	ir_id bits = take_bits(l, word, first, dtype);
	if (dtype == DTYPE_BOOL)
		return ir_compute(l->b, IR_NE, bits, ir_i32(l->b, 0), 0);
	return bits;
}

/* One element of a word that others share. */
static ir_id load_part(struct lower *l, uint32_t tensor, ir_id at, uint32_t lanes)
{
	enum dtype dtype = dtype_of(l, tensor);
	uint32_t bits = dtype_bits(dtype), per_word = 32 / bits / lanes;
	ir_id word = ir_load(l->b, tensor, lower_over(l, at, per_word));
	ir_id first = lower_times(l, lower_modulo(l, at, per_word), bits * lanes);
	ir_id elements[4];

	for (uint32_t i = 0; i < lanes; i++)
		elements[i] = number_of(l, word, lower_plus(l, first, bits * i), dtype);
	return ir_compose(l->b, elements, lanes);
}

/* One of a word's two f16, not yet in the kernel's number type. */
static ir_id half_of_pair(struct lower *l, ir_id word, bool high)
{
	if (!l->moves)
		return ir_extract(l->b, ir_unpack_half(l->b, word), high);
	return high ? ir_compute(l->b, IR_SHR, word, ir_u32(l->b, 16), 0)
	            : ir_compute(l->b, IR_AND, word, ir_u32(l->b, 0xffff), 0);
}

/* All elements of whole words. */
static ir_id load_words(struct lower *l, uint32_t tensor, ir_id at, uint32_t lanes)
{
	enum dtype dtype = dtype_of(l, tensor);
	uint32_t each = 32 / dtype_bits(dtype);
	ir_id words = ir_load(l->b, tensor, at), elements[4];

	for (uint32_t i = 0; i < lanes; i++) {
		ir_id word = ir_extract(l->b, words, i / each);
		if (dtype == DTYPE_F16)
			elements[i] = half_of_pair(l, word, i % 2);
		else
			elements[i] = number_of(
			        l, word, ir_u32(l->b, i % each * dtype_bits(dtype)), dtype);
	}
	ir_id value = ir_compose(l->b, elements, lanes);
	return dtype == DTYPE_F16 && !l->moves ? ir_convert(l->b, value, l->number) : value;
}

ir_id lower_load(struct lower *l, uint32_t tensor, ir_id at)
{
	uint32_t lanes = l->lanes[tensor];

	if (is_native(l, tensor)) {
		ir_id value = ir_load(l->b, tensor, at);
		return ir_convert(l->b, value, lower_number(l, tensor));
	}
	if (lanes * dtype_bits(dtype_of(l, tensor)) < 32)
		return load_part(l, tensor, at, lanes);
	return load_words(l, tensor, at, lanes);
}

/* ---- Storing. */

static ir_id pack_bytes(struct lower *l, ir_id value, uint32_t word)
{
	ir_id sum = ir_u32(l->b, 0);

	for (uint32_t i = 0; i < 4; i++) {
		ir_id lane = ir_extract(l->b, value, 4 * word + i);
		ir_id bits = ir_convert(l->b, lane, IR_U32);
		ir_id byte = ir_compute(l->b, IR_AND, bits, ir_u32(l->b, 255), 0);
		ir_id placed = ir_compute(l->b, IR_SHL, byte, ir_u32(l->b, 8 * i), 0);
		sum = ir_compute(l->b, IR_OR, sum, placed, 0);
	}
	return sum;
}

void lower_store(struct lower *l, uint32_t tensor, ir_id at, ir_id value)
{
	enum dtype dtype = dtype_of(l, tensor);
	uint32_t lanes = l->lanes[tensor], words = words_of(dtype, lanes);
	ir_id packed[4];

	assert(lower_can_store(dtype, lanes, is_native(l, tensor)));
	if (is_native(l, tensor)) {
		ir_store(l->b, tensor, at, ir_convert(l->b, value, native_scalar(dtype)));
		return;
	}
	if (dtype == DTYPE_F16 && ir_scalar_of(ir_type_of(l->b, value)) != IR_U32)
		value = lower_half_bits(l->b, value);
	for (uint32_t i = 0; i < words; i++)
		packed[i] = dtype == DTYPE_F16 ? lower_half_word(l->b, value, i)
		                               : pack_bytes(l, value, i);
	ir_store(l->b, tensor, at, ir_compose(l->b, packed, words));
}
