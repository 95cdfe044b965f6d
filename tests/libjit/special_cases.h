/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators at the edges of their numbers: every function of scalar.def over combinations of
 * infinities, NaN, zeros and other edges; and rows, windows and masks that are special each in its
 * own way. What may come out is said by the reference. For tests on the interpreter, on devices and
 * in Dawn.
 */
#pragma once

#include "op/op.h"

/* The operator of case n, which is valid; false where there is none. */
bool special_op(uint32_t n, struct op *ret_op);

/* Fills the tensor of a static operator. */
void special_fill(const struct op *op, uint32_t tensor, void *buffer);

/* What a right kernel may answer: a number in the range, or NaN. */
struct special_range {
	double least, most; /* least > most: no number */
	bool nan;
};
struct special_range special_expect(const struct op *op, void *const buffers[], uint64_t element);

static inline bool special_allows(const struct special_range *range, double got)
{
	return got != got ? range->nan : got >= range->least && got <= range->most;
}
