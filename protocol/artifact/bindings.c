/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes what to bind and how much to dispatch. Knows no operator: what a tensor's axes follow is
 * found out by asking for its shape twice.
 */
#include "protocol/artifact/bindings.h"

#include <string.h>

#define UNIFORM_BYTES 16 /* a vec4<u32> */

/* Which dynamic dimension each axis of each tensor follows, and how the tensors look: told apart by
 * what changes when one dimension does. An axis is always a whole multiple of its dimension. */
struct layout {
	struct tensor tensors[OP_TENSORS_MAX];
	int8_t follows[OP_TENSORS_MAX][OP_RANK_MAX]; /* -1: static */
};

/* At 2 and more every dimension has an axis of its own: a leading 1 is left out. */
static void probe_layout(const struct op *op, struct layout *layout)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0};

	memset(layout->follows, -1, sizeof layout->follows);
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = 2;
	struct op at = op_at(op, dims);
	uint32_t count = op_tensors(&at, layout->tensors);
	for (uint32_t n = 0; n < op->dynamic_count; n++) {
		struct tensor changed[OP_TENSORS_MAX];
		dims[n] = 3;
		at = op_at(op, dims);
		op_tensors(&at, changed);
		dims[n] = 2;
		for (uint32_t t = 0; t < count; t++)
			for (uint32_t axis = 0; axis < changed[t].rank; axis++)
				if (changed[t].shape[axis] != layout->tensors[t].shape[axis])
					layout->follows[t][axis] = (int8_t)n;
	}
	for (uint32_t t = 0; t < count; t++)
		for (uint32_t axis = 0; axis < layout->tensors[t].rank; axis++)
			if (layout->follows[t][axis] >= 0)
				layout->tensors[t].shape[axis] /= 2;
}

static void write_shape(
        struct writer *writer, const struct kernel *kernel, const struct layout *layout, uint32_t t)
{
	write_open(writer, "shape", '[');
	for (uint32_t i = 0; i < layout->tensors[t].rank; i++) {
		int n = layout->follows[t][i];
		uint32_t times = n < 0 ? 1 : kernel->dimensions[n].hint;
		write_whole(writer, NULL, (int64_t)layout->tensors[t].shape[i] * times);
	}
	write_close(writer, ']');
}

/* Nothing for a tensor of one shape. */
static void write_axes(
        struct writer *writer, const struct kernel *kernel, const struct layout *layout, uint32_t t)
{
	bool dynamic = false;

	for (uint32_t i = 0; i < layout->tensors[t].rank; i++)
		dynamic |= layout->follows[t][i] >= 0;
	if (!dynamic)
		return;
	write_open(writer, "dims", '[');
	for (uint32_t i = 0; i < layout->tensors[t].rank; i++) {
		int n = layout->follows[t][i];
		if (n < 0)
			write_null(writer, NULL);
		else
			write_text(writer, NULL, kernel->dimensions[n].name);
	}
	write_close(writer, ']');
}

static void write_binding(
        struct writer *writer, const struct kernel *kernel, const struct layout *layout, uint32_t t)
{
	const struct tensor *tensor = &kernel->tensors[t];

	write_open(writer, NULL, '{');
	write_whole(writer, "binding", t);
	write_text(writer, "name", tensor->name);
	write_text(writer, "type", tensor->output ? "storage" : "read-only-storage");
	write_text(writer, "dtype", dtype_name(tensor->dtype));
	write_shape(writer, kernel, layout, t);
	write_whole(writer, "bytes", (int64_t)tensor_bytes(tensor));
	write_axes(writer, kernel, layout, t);
	write_close(writer, '}');
}

/* The values of the open dimensions. */
static void write_uniform(struct writer *writer, uint32_t binding)
{
	write_open(writer, NULL, '{');
	write_whole(writer, "binding", binding);
	write_text(writer, "name", "dims");
	write_text(writer, "type", "uniform");
	write_text(writer, "dtype", "u32");
	write_open(writer, "shape", '[');
	write_whole(writer, NULL, UNIFORM_BYTES / 4);
	write_close(writer, ']');
	write_whole(writer, "bytes", UNIFORM_BYTES);
	write_close(writer, '}');
}

static void write_list(
        struct writer *writer, const struct kernel *kernel, const struct op *op, bool block)
{
	struct layout layout;

	probe_layout(op, &layout);
	write_open(writer, "bindings", '[');
	for (uint32_t i = 0; i < kernel->tensor_count; i++)
		write_binding(writer, kernel, &layout, i);
	if (block)
		write_uniform(writer, kernel->tensor_count);
	write_close(writer, ']');
}

void write_bindings(struct writer *writer, const struct kernel *kernel, const struct op *op)
{
	write_list(writer, kernel, op, kernel->dimension_count);
}

void write_tensors(struct writer *writer, const struct kernel *kernel, const struct op *op)
{
	write_list(writer, kernel, op, false);
}

uint64_t largest_binding(const struct kernel *kernel)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < kernel->tensor_count; i++) {
		uint64_t bytes = tensor_bytes(&kernel->tensors[i]);
		if (bytes > largest)
			largest = bytes;
	}
	return largest;
}

/* ---- Open dimensions. */

static void write_dimension(struct writer *writer, const struct kernel_dimension *dimension)
{
	write_open(writer, NULL, '{');
	write_text(writer, "name", dimension->name);
	write_whole(writer, "min", dimension->low);
	write_whole(writer, "max", dimension->high);
	write_whole(writer, "hint", dimension->hint);
	write_close(writer, '}');
}

static void write_extent(
        struct writer *writer, const struct kernel *kernel, const struct extent *extent)
{
	write_open(writer, NULL, '{');
	write_whole(writer, "times", extent->times);
	write_whole(writer, "over", extent->over);
	write_open(writer, "dims", '[');
	for (uint32_t i = 0; i < kernel->dimension_count; i++)
		if (extent->dims >> i & 1)
			write_text(writer, NULL, kernel->dimensions[i].name);
	write_close(writer, ']');
	if (extent->most)
		write_whole(writer, "most", extent->most);
	write_close(writer, '}');
}

void write_dimensions(struct writer *writer, const struct kernel *kernel)
{
	write_open(writer, "dimensions", '[');
	for (uint32_t i = 0; i < kernel->dimension_count; i++)
		write_dimension(writer, &kernel->dimensions[i]);
	write_close(writer, ']');
}

void write_dispatch(struct writer *writer, const struct kernel *kernel)
{
	write_open(writer, "dispatch", '[');
	for (uint32_t i = 0; i < 3; i++)
		write_extent(writer, kernel, &kernel->grid[i]);
	write_close(writer, ']');
}
