/* SPDX-License-Identifier: Apache-2.0
 *
 * Within op: one dimension of an operator, cut into parts.
 */
#pragma once

#include "op/op.h"

#define CUT_NONE UINT32_MAX

/* What the parts are to one another. */
enum cut_kind {
	CUT_APART, /* nothing: each writes what is its own */
	CUT_SUMS,  /* terms of one sum, which each passes on to the next */
	CUT_ROWS,  /* rows of one table: each writes what it finds */
};
/* Along a dimension of a matrix of which each part has some columns, or a stretch of memory. */
struct cut {
	enum cut_kind kind;
	uint32_t value;                  /* index in op.value */
	uint64_t bits[OP_TENSORS_MAX];   /* from one element along it to the next in each tensor; 0:
	                                  * every part has all of the tensor */
	uint64_t before[OP_TENSORS_MAX]; /* bits, from the tensor's start to the first part */
	bool column[OP_TENSORS_MAX];     /* rows of the tensor stay as far apart as they were */
};

/* The dimensions along which the operator may be cut, as values of op; best first, then CUT_NONE.
 */
#define CUTS_MAX 4
struct cut_list {
	struct {
		enum cut_kind kind;
		uint32_t value;
	} cut[CUTS_MAX];
};
struct cut_list cuts_of(const struct op *op);
/* The operator with `extent` along the dimension. */
struct op cut_to(const struct op *op, const struct cut *cut, uint32_t extent);
/* How parts lie in the tensors; -EINVAL where they are not contiguous, or no multiple of words. */
int cut_measure(const struct op *op, struct cut *cut);
/* Parts but the last must have a multiple of so many elements along it. */
uint32_t cut_unit(const struct op *op, const struct cut *cut);
