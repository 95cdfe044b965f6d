/* SPDX-License-Identifier: Apache-2.0
 *
 * An operator whose tensors are larger than a binding may be is several smaller ones of the same
 * kind over parts of the same buffers, one dispatch each. A dimension can be cut where each part
 * reads and writes a contiguous range of every tensor that has it, or all of the tensor; which
 * dimensions do not sum over one another is the table's to say, the rest is found out from shapes.
 */
#include "base/error.h"
#include "op/rows.h"

#include <errno.h>

#define NONE          UINT32_MAX
#define ALIGNED_BYTES 256 /* of a binding's offset: WebGPU's minStorageBufferOffsetAlignment */

/* The dimensions that operators of a kind may be cut along, as values of op; best first. */
struct cuts {
	uint32_t value[3];
};

static struct cuts cuts_of(const struct op *op)
{
	switch (op->kind) {
	case OP_MATMUL:
		return (struct cuts){{MATMUL_BATCH, MATMUL_M, MATMUL_N}};
	case OP_MATMUL_NBITS:
		return (struct cuts){{MATMUL_NBITS_N, MATMUL_NBITS_M, NONE}};
	case OP_GATHER:
		return (struct cuts){{GATHER_COUNT, GATHER_OUTER, NONE}};
	case OP_SOFTMAX:
	case OP_LOG_SOFTMAX: /* which row of the mask a row uses depends on where it stands */
		return (struct cuts){{op->value[SOFTMAX_MASK] ? NONE : SOFTMAX_ROWS, NONE, NONE}};
	case OP_ROTARY:
		return (struct cuts){{ROTARY_BATCH, NONE, NONE}};
	case OP_TRANSPOSE:
	case OP_SLICE:
	case OP_PAD:
	case OP_TILE:
		return (struct cuts){{NONE, NONE, NONE}};
	default: /* what stands first is independent: batch, rows, outer, planes, shape[0] */
		return (struct cuts){
		        {op_field(op->kind, 0)->kind == FIELD_SHAPE ? 1 : 0, NONE, NONE}};
	}
}

/* The operator with `extent` along the cut. */
static struct op cut_to(const struct op *op, uint32_t value, uint32_t extent)
{
	static const uint32_t operands[] = {MAP_X, MAP_Y, MAP_Z};
	struct op part = *op;

	part.value[value] = extent;
	if (op->kind == OP_MATMUL && value == MATMUL_N && !op->value[MATMUL_PITCH])
		part.value[MATMUL_PITCH] = op->value[MATMUL_N];
	if (op->kind == OP_MATMUL_NBITS && value == MATMUL_NBITS_N &&
	        !op->value[MATMUL_NBITS_PITCH])
		part.value[MATMUL_NBITS_PITCH] = op->value[MATMUL_NBITS_N];
	for (uint32_t i = 0; op_has_steps(op) && i < 3; i++)
		if (op->value[operands[i]] == op->value[MAP_SHAPE] &&
		        op->value[operands[i] + 1] == op->value[value])
			part.value[operands[i] + 1] = extent;
	return part;
}

/* Bits from one step along the cut to the next in a tensor, 0 where it does not have the dimension;
 * NONE where its parts are not contiguous. */
static uint64_t step_bits(const struct tensor *whole, const struct tensor *part)
{
	uint64_t before = 1, step = dtype_bits(whole->dtype);
	uint32_t axis = 0;

	while (axis < whole->rank && axis < part->rank && whole->shape[axis] == part->shape[axis])
		before *= whole->shape[axis++];
	if (axis == whole->rank && whole->rank == part->rank)
		return 0;
	if (before != 1 || whole->rank != part->rank)
		return NONE;
	for (uint32_t i = axis + 1; i < whole->rank; i++) {
		if (whole->shape[i] != part->shape[i])
			return NONE;
		step *= whole->shape[i];
	}
	return step;
}

/* out and residual have rows of `pitch` elements: a cut of n is a column of them. */
static bool is_column(const struct op *op, uint32_t value, const char *name)
{
	bool n = (op->kind == OP_MATMUL && value == MATMUL_N) ||
	         (op->kind == OP_MATMUL_NBITS && value == MATMUL_NBITS_N);

	return n && (*name == 'o' || *name == 'r');
}

struct cut {
	uint32_t value, extent;         /* of every part but the last */
	uint64_t steps[OP_TENSORS_MAX]; /* bits */
};

/* How parts of 2 along the cut lie in the tensors; -EINVAL where they cannot. A leading dimension
 * of 1 is left out of shapes, hence not 1. */
static int measure(const struct op *op, struct cut *cut)
{
	struct tensor whole[OP_TENSORS_MAX], part[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, whole);
	struct op two = cut_to(op, cut->value, 2);

	if (op->value[cut->value] < 4 || op_dynamic_at(op, cut->value) >= 0)
		return -EINVAL;
	if (op->kind == OP_MATMUL && cut->value == MATMUL_BATCH &&
	        (op->value[MATMUL_BATCH_A] > 1 || op->value[MATMUL_BATCH_B] > 1))
		return -EINVAL;
	op_tensors(&two, part);
	for (uint32_t i = 0; i < count; i++) {
		cut->steps[i] = is_column(op, cut->value, whole[i].name)
		                        ? dtype_bits(whole[i].dtype)
		                        : step_bits(&whole[i], &part[i]);
		if (cut->steps[i] == NONE)
			return -EINVAL;
	}
	return 0;
}

static bool fits(const struct op *op, uint64_t most_bytes, struct tensor *ret_largest)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	*ret_largest = tensors[0];
	for (uint32_t i = 1; i < count; i++)
		if (tensor_bytes(&tensors[i]) > tensor_bytes(ret_largest))
			*ret_largest = tensors[i];
	return tensor_bytes(ret_largest) <= most_bytes;
}

/* The extent of the fewest, evenly sized parts whose tensors fit and whose offsets are aligned; 0:
 * none. */
static uint32_t fitting(const struct op *op, const struct cut *cut, uint64_t most_bytes)
{
	uint64_t whole = op->value[cut->value], extent = whole, unit = 1;
	struct tensor largest;

	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++) {
		while (cut->steps[i] * unit % (8 * ALIGNED_BYTES))
			unit *= 2;
		if (cut->steps[i] && 8 * most_bytes / cut->steps[i] < extent)
			extent = 8 * most_bytes / cut->steps[i];
	}
	extent = extent / unit * unit;
	if (!extent)
		return 0;
	uint64_t parts = (whole + extent - 1) / extent, even = (whole + parts - 1) / parts;
	extent = (even + unit - 1) / unit * unit;
	struct op part = cut_to(op, cut->value, (uint32_t)extent);
	return fits(&part, most_bytes, &largest) ? (uint32_t)extent : 0;
}

static uint32_t make_parts(
        const struct op *op, const struct cut *cut, struct op_part ret_parts[static OP_PARTS_MAX])
{
	uint32_t whole = op->value[cut->value], count = 0;

	for (uint32_t first = 0; first < whole; first += cut->extent) {
		uint32_t extent = whole - first < cut->extent ? whole - first : cut->extent;
		struct op_part *part = &ret_parts[count++];
		part->op = cut_to(op, cut->value, extent);
		for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
			part->offset_bytes[i] = cut->steps[i] * first / 8;
	}
	return count;
}

int op_split(const struct op *op, uint64_t most_bytes,
        struct op_part ret_parts[static OP_PARTS_MAX], uint32_t *ret_count, struct error *err)
{
	struct cuts cuts = cuts_of(op);
	struct tensor largest;

	if (fits(op, most_bytes, &largest)) {
		ret_parts[0] = (struct op_part){.op = *op};
		*ret_count = 1;
		return 0;
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct cut cut = {.value = cuts.value[i]};
		if (cut.value == NONE || measure(op, &cut))
			continue;
		cut.extent = fitting(op, &cut, most_bytes);
		if (!cut.extent || op->value[cut.value] / cut.extent >= OP_PARTS_MAX)
			continue;
		*ret_count = make_parts(op, &cut, ret_parts);
		return 0;
	}
	return error_set(err, -ERANGE, largest.name,
	        "%s takes %llu bytes, a binding may have %llu, and this operator cannot be cut: "
	        "create the device with a larger maxStorageBufferBindingSize",
	        largest.name, (unsigned long long)tensor_bytes(&largest),
	        (unsigned long long)most_bytes);
}
