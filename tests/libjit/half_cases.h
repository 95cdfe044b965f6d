/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators on f16 and other narrow types with every bit pattern and every special number: what the
 * inputs are, and what a right output is. For the interpreter and for devices alike.
 */
#pragma once

#include "op/op.h"

struct half_case {
	const char *op;
	bool moves;    /* every element of out is an input's, bit for bit, or pad's number; else
	                * numbers    are compared */
	uint32_t ulps; /* f16 that lie between a right number and the reference, at most */
};
extern const struct half_case half_cases[];
extern const uint32_t half_case_count;

/* Fills the input `tensor` of the case's operator. */
void half_fill(const struct op *op, const struct tensor tensors[], uint32_t tensor, void *buffer);
/* What out is, as the bits of each element; `ret_expected` has room for one a element. */
void half_expect(const struct half_case *row, const struct op *op, void *const buffers[],
        uint32_t *ret_expected);
/* Whether the element of the output `buffer` is right; natively, NaN may change its bits. */
bool half_is_right(const struct half_case *row, const struct tensor *out, const void *buffer,
        uint32_t element, uint32_t expected, bool native);
/* The bits of an element. */
uint32_t half_bits_at(enum dtype dtype, const void *buffer, uint64_t index);
