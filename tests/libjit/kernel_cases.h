/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel tests share: the spaces to walk, the dimensions to try dynamic operators with,
 * and buffers with seeded inputs, of every element type, with what the output must be. Header-only,
 * for tests.
 */
#pragma once

#include "nnjit.h"
#include "reference/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The two machines whose spaces are walked; subgroups of 4 are what SwiftShader has. */
static const struct facts case_facts[] = {
        {.fma_gflops = 10000, .memory_gbps = 500, .launch_ns = 3000},
        {.fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true},
};
#define CASE_FACTS         (sizeof case_facts / sizeof *case_facts)
#define CASE_SUBGROUP_SIZE 4

/* What pages have, with every feature there is. */
static inline struct limits case_limits(void)
{
	struct limits limits = limits_web_default;

	limits.features = (1u << FEATURE_COUNT) - 1;
	limits.subgroup_min = limits.subgroup_max = CASE_SUBGROUP_SIZE;
	limits.matrices[0] = (struct matrix_shape){8, 8, 8};
	return limits;
}

/* Debian 12's SPIRV-Tools and shaderc do not know cooperative matrices; matrix_test looks at their
 * words instead. */
static inline bool case_is_foreign(const struct schedule *schedule)
{
	return schedule->axis[AXIS_CONTRACTION_MATRIX] != 0;
}

/* ---- Dimensions. */

#define CASE_DIMS 4

/* Try number i: as tuned, the least, one more, twice as much and a bit; kept in range. False: no
 * more, which a static operator says after one. */
static inline bool case_dims(const struct op *op, uint32_t i, uint32_t ret_dims[OP_DYNAMIC_MAX])
{
	if (i >= (op->dynamic_count ? CASE_DIMS : 1u))
		return false;
	memset(ret_dims, 0, OP_DYNAMIC_MAX * sizeof *ret_dims);
	for (uint32_t n = 0; n < op->dynamic_count; n++) {
		uint32_t low, high, hint = op->value[op->dynamic[n].value];
		op_range(op, n, &low, &high);
		const uint32_t tries[CASE_DIMS] = {hint, low, hint + 1 + n, 2 * hint + 3};
		ret_dims[n] = tries[i] < low ? low : tries[i] > high ? high : tries[i];
	}
	return true;
}

/* ---- Buffers. */

struct case_buffers {
	struct op op; /* static */
	uint32_t count;
	struct tensor tensors[OP_TENSORS_MAX];
	void *data[OP_TENSORS_MAX];
	uint64_t outputs; /* elements of the output, the last tensor */
	double *expected; /* of every output element; NaN for what is to be left alone */
	double scale;     /* greatest magnitude among them, and no less than such outputs' */
	double tolerance; /* of errors, relative to it */
};

static inline void case_free(struct case_buffers *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		free(c->data[i]);
	free(c->expected);
}

/* Random inputs and the reference's output, all of it. */
static inline struct case_buffers case_make(
        const struct op *op, const uint32_t dims[OP_DYNAMIC_MAX], uint64_t seed)
{
	struct case_buffers c = {.op = op_at(op, dims)};

	c.count = op_tensors(&c.op, c.tensors);
	for (uint32_t i = 0; i < c.count; i++) {
		c.data[i] = calloc(tensor_bytes(&c.tensors[i]), 1);
		if (!c.tensors[i].output)
			reference_fill(&c.op, i, seed, c.data[i]);
	}
	c.outputs = c.tensors[c.count - 1].elements;
	c.expected = calloc(c.outputs, sizeof *c.expected);
	c.scale = reference_scale(&c.op);
	c.tolerance = reference_tolerance(&c.op);
	for (uint64_t e = 0; e < c.outputs; e++) {
		c.expected[e] = reference_element(&c.op, c.data, e);
		c.scale = fmax(c.scale, fabs(c.expected[e])); /* fmax passes NaN over */
	}
	return c;
}

/* What a kernel does not write is seen: as NaN, or, where every bit pattern is a number, because no
 * number is right over both fills. */
static inline uint32_t case_rounds(const struct case_buffers *c)
{
	return dtype_is_float(c->tensors[c->count - 1].dtype) ? 1 : 2;
}

static inline void case_poison(struct case_buffers *c, uint32_t round)
{
	memset(c->data[c->count - 1], round ? 0 : 0xff, tensor_bytes(&c->tensors[c->count - 1]));
}

/* Of element e of the output, relative to its scale: infinity where it was not written, or was and
 * should not have been. */
static inline double case_error_at(const struct case_buffers *c, uint32_t round, uint64_t e)
{
	enum dtype dtype = c->tensors[c->count - 1].dtype;
	double value = reference_read(dtype, c->data[c->count - 1], e);
	const uint64_t poison = round ? 0 : UINT64_MAX;
	double before = reference_read(dtype, &poison, 0);

	if (isnan(c->expected[e]))
		return value == before || (isnan(value) && isnan(before)) ? 0 : INFINITY;
	double error = fabs(value - c->expected[e]) / c->scale;
	return isnan(error) ? INFINITY : error;
}

static inline double case_error(const struct case_buffers *c, uint32_t round)
{
	double worst = 0;

	for (uint64_t e = 0; e < c->outputs; e++)
		worst = fmax(worst, case_error_at(c, round, e));
	return worst;
}
