/* SPDX-License-Identifier: Apache-2.0
 *
 * One dimension of an operator, cut: where each part's tensors begin within the whole ones. A part
 * reads and writes a contiguous range of a tensor that has the dimension, or columns of a matrix
 * whose rows have a pitch, or all of the tensor. Which dimensions do not sum over one another is
 * the table's to say; the rest is found out by asking for the tensors at two extents.
 *
 *   along m (contiguous)      along n of out (columns)      along k of a (columns) and b
 *     +-----------+             +-----+-----+                 a: +---+---+   b: +-------+
 *     |  part 0   |             |  0  |  1  |                    | 0 | 1 |      |   0   |
 *     +-----------+             |     |     |                    +---+---+      +-------+
 *     |  part 1   |             +-----+-----+                                   |   1   |
 *     +-----------+              <-- pitch -->                                  +-------+
 */
#include "op/cut.h"

#include <errno.h>

/* The first axis of the shape at `at` that is more than 1. */
static uint32_t first_axis(const struct op *op, uint32_t at)
{
	uint32_t rank = op->value[at], axis = 0;

	while (axis + 1 < rank && op->value[at + 1 + axis] == 1)
		axis++;
	return axis;
}

static uint32_t first_of(const struct op *op, uint32_t at)
{
	return at + 1 + first_axis(op, at);
}

/* The axis where an operator that moves elements leaves them in their order; else none. */
static uint32_t unmoved(const struct op *op)
{
	const uint32_t *v = op->value;
	uint32_t axis = first_axis(op, TRANSPOSE_SHAPE); /* where all of them have their shape */

	switch (op->kind) {
	case OP_TRANSPOSE:
		for (uint32_t i = 0; i <= axis; i++)
			if (v[TRANSPOSE_PERM + 1 + i] != i)
				return CUT_NONE;
		break;
	case OP_SLICE:
		if (v[SLICE_STEP] && v[SLICE_STEP + 1 + axis] != 1)
			return CUT_NONE;
		return SLICE_SIZE + 1 + axis;
	case OP_PAD:
		for (uint32_t i = 0; i <= axis; i++)
			if (v[PAD_BEFORE + 1 + i] || v[PAD_AFTER + 1 + i])
				return CUT_NONE;
		break;
	default: /* OP_TILE */
		for (uint32_t i = 0; i <= axis; i++)
			if (v[TILE_REPEATS + 1 + i] != 1)
				return CUT_NONE;
	}
	return TRANSPOSE_SHAPE + 1 + axis;
}
_Static_assert((int)TRANSPOSE_SHAPE == SLICE_SHAPE && (int)TRANSPOSE_SHAPE == PAD_SHAPE &&
                       (int)TRANSPOSE_SHAPE == TILE_SHAPE,
        "unmoved() reads a shape for all of them");

static struct cut_list along(uint32_t first, uint32_t second, uint32_t third)
{
	return (struct cut_list){{{CUT_APART, first}, {CUT_APART, second}, {CUT_APART, third},
	        {CUT_APART, CUT_NONE}}};
}

static struct cut_list cuts_of_window(const struct op *op)
{
	struct op_window w = op_window(op);
	uint32_t batch = op_convolution(op)->batch;

	/* Output channels lie apart where the planes do, and filters are not shared out. */
	if (w.nhwc || w.groups != 1 || w.transposed)
		return along(batch, CUT_NONE, CUT_NONE);
	return along(batch, op->kind == OP_CONV2D ? CONV2D_OC : CONV1D_OC, CUT_NONE);
}

struct cut_list cuts_of(const struct op *op)
{
	struct cut_list cuts;

	switch (op->kind) {
	case OP_MATMUL:
		cuts = along(MATMUL_BATCH, MATMUL_M, MATMUL_N);
		cuts.cut[3].kind = CUT_SUMS;
		cuts.cut[3].value = MATMUL_K;
		return cuts;
	case OP_MATMUL_NBITS:
		return along(MATMUL_NBITS_N, MATMUL_NBITS_M, CUT_NONE);
	case OP_GATHER:
		cuts = along(GATHER_COUNT, GATHER_OUTER, GATHER_ROWS);
		cuts.cut[2].kind = CUT_ROWS;
		return cuts;
	case OP_CONV2D:
	case OP_CONV1D:
	case OP_CONV_TRANSPOSE2D:
		return cuts_of_window(op);
	case OP_TRANSPOSE:
	case OP_SLICE:
	case OP_PAD:
	case OP_TILE:
		return along(unmoved(op), CUT_NONE, CUT_NONE);
	default: /* what stands first is independent: batch, rows, outer, planes, shape[0] */
		if (op_field(op->kind, 0)->kind == FIELD_SHAPE)
			return along(first_of(op, 0), CUT_NONE, CUT_NONE);
		return along(0, CUT_NONE, CUT_NONE);
	}
}

/* ---- A part. */

/* Operands are aligned at their ends: those that have the dimension get as much of it. */
static void cut_operands(const struct op *op, struct op *part, uint32_t value)
{
	static const uint32_t operands[] = {MAP_X, MAP_Y, MAP_Z};
	uint32_t from_end = MAP_SHAPE + 1 + op->value[MAP_SHAPE] - value;

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t at = operands[i], rank = op->value[at];
		if (rank >= from_end && op->value[at + 1 + rank - from_end] == op->value[value])
			part->value[at + 1 + rank - from_end] = part->value[value];
	}
}

static void set_pitch(struct op *part, uint32_t pitch, uint32_t own)
{
	if (!part->value[pitch])
		part->value[pitch] = own;
}

static bool is_one_row(const struct op *op)
{
	return op->value[MATMUL_M] == 1 && op->value[MATMUL_BATCH] == 1 && !op->dynamic_count;
}

struct op cut_to(const struct op *op, const struct cut *cut, uint32_t extent)
{
	struct op part = *op;
	uint32_t whole = op->value[cut->value];

	part.value[cut->value] = extent;
	if (op->kind == OP_MATMUL && cut->value == MATMUL_N && !is_one_row(op))
		set_pitch(&part, MATMUL_PITCH, whole);
	if (op->kind == OP_MATMUL && cut->value == MATMUL_K && !is_one_row(op) &&
	        !op->value[MATMUL_TRANS_A])
		set_pitch(&part, MATMUL_PITCH_A, whole);
	if (op->kind == OP_MATMUL_NBITS && cut->value == MATMUL_NBITS_N)
		set_pitch(&part, MATMUL_NBITS_PITCH, whole);
	if (op->kind == OP_SLICE) {
		part.value[SLICE_SHAPE + cut->value - SLICE_SIZE] = extent;
		if (part.value[SLICE_BEGIN])
			part.value[SLICE_BEGIN + cut->value - SLICE_SIZE] = 0;
	}
	if (op_has_steps(op))
		cut_operands(op, &part, cut->value);
	return part;
}

/* ---- Where the parts lie. */

/* Bits from one element along the cut to the next, 0 where the tensor does not have the dimension;
 * CUT_NONE where its parts are not contiguous. Two and four elements along it tell. */
static uint64_t step_bits(const struct tensor *four, const struct tensor *two)
{
	uint64_t before = 1, step = dtype_bits(four->dtype);
	uint32_t axis = 0;

	while (axis < four->rank && four->shape[axis] == two->shape[axis])
		before *= four->shape[axis++];
	if (axis == four->rank)
		return 0;
	if (before != 1)
		return CUT_NONE;
	for (uint32_t i = axis + 1; i < four->rank; i++) {
		if (four->shape[i] != two->shape[i])
			return CUT_NONE;
		step *= four->shape[i];
	}
	return step;
}

/* out and residual have rows of `pitch` elements, a of `pitch_a`: n and k are columns of them. */
static bool is_column(const struct op *op, uint32_t value, const char *name)
{
	bool n = (op->kind == OP_MATMUL && value == MATMUL_N) ||
	         (op->kind == OP_MATMUL_NBITS && value == MATMUL_NBITS_N);
	bool k = op->kind == OP_MATMUL && value == MATMUL_K && !op->value[MATMUL_TRANS_A];

	return (n && (*name == 'o' || *name == 'r')) || (k && *name == 'a');
}

/* Some operators of the kind can, this one cannot. */
static bool is_refused(const struct op *op, const struct cut *cut)
{
	const uint32_t *v = op->value;

	if (op_dynamic_at(op, cut->value) >= 0)
		return true;
	if (cut->kind == CUT_SUMS)
		return v[MATMUL_BATCH] != 1 || op_dynamic_at(op, MATMUL_BATCH) >= 0;
	if (cut->kind == CUT_ROWS)
		return v[GATHER_OUTER] != 1 || op_dynamic_at(op, GATHER_OUTER) >= 0;
	return op->kind == OP_MATMUL && cut->value == MATMUL_BATCH &&
	       (v[MATMUL_BATCH_A] > 1 || v[MATMUL_BATCH_B] > 1);
}

int cut_measure(const struct op *op, struct cut *cut)
{
	struct tensor four[OP_TENSORS_MAX], two[OP_TENSORS_MAX];

	if (is_refused(op, cut))
		return -EINVAL;
	struct op of_four = cut_to(op, cut, 4), of_two = cut_to(op, cut, 2);
	uint32_t count = op_tensors(&of_four, four);
	op_tensors(&of_two, two);
	for (uint32_t i = 0; i < count; i++) {
		cut->column[i] = is_column(op, cut->value, four[i].name);
		cut->bits[i] = cut->column[i] ? dtype_bits(four[i].dtype)
		                              : step_bits(&four[i], &two[i]);
		if (cut->bits[i] == CUT_NONE)
			return -EINVAL;
	}
	if (op->kind == OP_SLICE && op->value[SLICE_BEGIN])
		cut->before[0] = cut->bits[0] * op->value[SLICE_BEGIN + cut->value - SLICE_SIZE];
	return 0;
}

/* Which row of the mask a row of a softmax uses depends on where it stands. */
uint32_t cut_unit(const struct op *op, const struct cut *cut)
{
	bool masked = (op->kind == OP_SOFTMAX || op->kind == OP_LOG_SOFTMAX) &&
	              cut->value == SOFTMAX_ROWS && op->value[SOFTMAX_MASK];
	uint64_t period = (uint64_t)op->value[SOFTMAX_MASK_ROWS] * op->value[SOFTMAX_MASK_EVERY];

	if (!masked || op->value[SOFTMAX_MASK_ROWS] == 1)
		return 1;
	return period < UINT32_MAX ? (uint32_t)period : UINT32_MAX;
}
