/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel tests share: the spaces to walk, and seeded inputs that every side can make
 * alike. Header-only, for tests.
 */
#pragma once

#include "nnjit.h"

#include <math.h>
#include <stdlib.h>

/* The two machines whose spaces are walked; subgroups of 4 are what SwiftShader has. */
static const struct facts case_facts[] = {
        {.fma_gflops = 10000, .memory_gbps = 500, .launch_ns = 3000},
        {.fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true},
};
#define CASE_FACTS         (sizeof case_facts / sizeof *case_facts)
#define CASE_SUBGROUP_SIZE 4

static inline struct limits case_limits(void)
{
	struct limits limits = limits_web_default;

	limits.features = FEATURE_SUBGROUPS;
	limits.subgroup_min = limits.subgroup_max = CASE_SUBGROUP_SIZE;
	return limits;
}

/* Uniform in [-1, 1), the same sequence everywhere (splitmix64). */
static inline float case_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return (float)((double)(z >> 40) / (1 << 23) - 1.0);
}

struct case_buffers {
	void *data[OP_TENSORS_MAX];
	uint32_t count;
	uint64_t outputs; /* elements of the output, the last tensor */
	double *expected; /* of every output element */
	double scale;     /* greatest magnitude among them */
};

static inline void case_free(struct case_buffers *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		free(c->data[i]);
	free(c->expected);
}

/* Random inputs and the reference's output, all of it. */
static inline struct case_buffers case_make(const struct op *op, uint64_t seed)
{
	struct tensor tensors[OP_TENSORS_MAX];
	struct case_buffers c = {.count = op_tensors(op, tensors)};

	for (uint32_t i = 0; i < c.count; i++) {
		float *data = calloc(tensors[i].elements, sizeof *data);
		for (uint64_t e = 0; !tensors[i].output && e < tensors[i].elements; e++)
			data[e] = case_random(&seed);
		c.data[i] = data;
	}
	c.outputs = tensors[c.count - 1].elements;
	c.expected = calloc(c.outputs, sizeof *c.expected);
	c.scale = 1e-30;
	for (uint64_t e = 0; e < c.outputs; e++) {
		c.expected[e] = reference_element(op, c.data, e);
		c.scale = fmax(c.scale, fabs(c.expected[e]));
	}
	return c;
}

/* Fills the output with NaN, so that what a kernel does not write is seen. */
static inline void case_poison(struct case_buffers *c)
{
	float *out = c->data[c->count - 1];

	for (uint64_t e = 0; e < c->outputs; e++)
		out[e] = NAN;
}

/* Greatest error relative to the output's scale; infinity where something was not written. */
static inline double case_error(const struct case_buffers *c)
{
	const float *out = c->data[c->count - 1];
	double worst = 0;

	for (uint64_t e = 0; e < c->outputs; e++) {
		double error = fabs(out[e] - c->expected[e]) / c->scale;
		worst = isnan(error) ? INFINITY : fmax(worst, error);
	}
	return worst;
}
