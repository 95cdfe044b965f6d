/* SPDX-License-Identifier: Apache-2.0
 *
 * Sampling an output. Tiled kernels go wrong at the edges of tiles, so those come first: the first
 * and last rows and columns and the neighbours of multiples of every power of two a tile may be.
 * Must not know a device. Invariant: the same arguments choose the same elements everywhere.
 */
#include "daemon/gpu/samples.h"
#include "base/hash.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define BUDGET_STEPS 2e7 /* multiply-adds spent on references */
#define EDGES_MAX    64

float samples_input(uint64_t seed, uint64_t index)
{
	uint64_t bits = hash_mix(seed + index * 0x9e3779b97f4a7c15ull);

	/* 24 bits, so that every value is exact in a float. */
	return (float)((int32_t)(bits >> 40) - (1 << 23)) * 0x1p-23f;
}

/* Steps of one element's sum. */
static uint32_t depth(const struct op *op)
{
	return op->value[MATMUL_K];
}

static uint32_t count_for(const struct op *op, const struct tensor *output)
{
	double affordable = BUDGET_STEPS / depth(op);
	uint32_t count = SAMPLES_MAX;

	if (affordable < SAMPLES_MAX)
		count = affordable < SAMPLES_LEAST ? SAMPLES_LEAST : (uint32_t)affordable;
	return output->elements < count ? (uint32_t)output->elements : count;
}

/* ---- Edges of one dimension. */

struct edges {
	uint32_t count, at[EDGES_MAX];
};

static void add_edge(struct edges *edges, uint64_t at, uint32_t extent)
{
	if (at < extent && edges->count < EDGES_MAX)
		edges->at[edges->count++] = (uint32_t)at;
}

/* First and last; then both sides of the first and of the last boundary of each tile size. */
static void find_edges(uint32_t extent, struct edges *edges)
{
	*edges = (struct edges){0};
	add_edge(edges, 0, extent);
	add_edge(edges, extent - 1, extent);
	for (uint32_t tile = 4; tile <= 128; tile *= 2) {
		uint32_t last = (extent - 1) / tile * tile;
		add_edge(edges, tile - 1, extent);
		add_edge(edges, tile, extent);
		add_edge(edges, last, extent);
		add_edge(edges, (uint64_t)last - 1, extent);
	}
}

/* ---- The choice. */

struct plane { /* the output as matrices */
	uint32_t rows, columns;
	uint64_t matrices;
};

static struct plane plane_of(const struct tensor *output)
{
	struct plane plane = {1, 1, 1};

	if (output->rank >= 1)
		plane.columns = output->shape[output->rank - 1];
	if (output->rank >= 2)
		plane.rows = output->shape[output->rank - 2];
	plane.matrices = output->elements / plane.rows / plane.columns;
	return plane;
}

static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state += 0x9e3779b97f4a7c15ull;
	return hash_mix(*state) % below;
}

/* Crossing number `i` of an edge row with an edge column, in the first or last matrix. */
static uint64_t crossing(const struct plane *plane, const struct edges *rows,
        const struct edges *columns, uint64_t i)
{
	uint64_t row = rows->at[i / 2 / columns->count % rows->count];
	uint64_t column = columns->at[i / 2 % columns->count];
	uint64_t matrix = i & 1 ? plane->matrices - 1 : 0;

	return (matrix * plane->rows + row) * plane->columns + column;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Up to half of the samples lie on edges, the rest anywhere. The corners are always among them. */
static void choose_some(const struct tensor *output, uint64_t seed, struct samples *samples)
{
	struct plane plane = plane_of(output);
	struct edges rows, columns;
	uint32_t at = 0, half = samples->count / 2;

	find_edges(plane.rows, &rows);
	find_edges(plane.columns, &columns);
	uint64_t crossings = 2ull * rows.count * columns.count;
	for (uint32_t corner = 0; corner < 8; corner++) {
		uint64_t row = corner & 4 ? plane.rows - 1 : 0;
		uint64_t column = corner & 2 ? plane.columns - 1 : 0;
		uint64_t matrix = corner & 1 ? plane.matrices - 1 : 0;
		samples->elements[at++] = (matrix * plane.rows + row) * plane.columns + column;
	}
	for (uint64_t i = 0; at < half; i++)
		samples->elements[at++] = crossing(&plane, &rows, &columns,
		        crossings <= half ? i % crossings : draw(&seed, crossings));
	while (at < samples->count)
		samples->elements[at++] = draw(&seed, output->elements);
	qsort(samples->elements, samples->count, sizeof *samples->elements, ascending);
}

int samples_choose(const struct op *op, const struct tensor *output, uint64_t seed,
        struct samples *ret_samples)
{
	struct samples samples = {.count = count_for(op, output)};

	samples.elements = calloc(samples.count, sizeof *samples.elements);
	samples.references = calloc(samples.count, sizeof *samples.references);
	if (!samples.elements || !samples.references) {
		samples_free(&samples);
		return -ENOMEM;
	}
	if (samples.count == output->elements)
		for (uint32_t i = 0; i < samples.count; i++)
			samples.elements[i] = i;
	else
		choose_some(output, seed, &samples);
	*ret_samples = samples;
	return 0;
}

void samples_free(struct samples *samples)
{
	free(samples->elements);
	free(samples->references);
	*samples = (struct samples){0};
}

/* Errors are stated against the scale of the output, not of each element: an element may cancel to
 * nearly nothing. The scale is the largest reference seen, but no less than a sum of k products of
 * numbers spread evenly over [-1, 1) typically is, sqrt(k)/3: a few samples may all be small.
 *
 * Summing k terms in sequence in f32 loses about 2e-8 * sqrt(k) of that scale, measured: 1e-5
 * leaves a wide margin up to k = 65536, and from there the allowance grows as the loss does. */
static double tolerance_of(const struct op *op)
{
	double k = depth(op);

	return k <= 65536 ? 1e-5 : 1e-5 * sqrt(k / 65536);
}

void samples_refer(struct samples *samples, const struct op *op, void *const buffers[])
{
	samples->scale = sqrt(depth(op)) / 3;
	for (uint32_t i = 0; i < samples->count; i++) {
		samples->references[i] = reference_element(op, buffers, samples->elements[i]);
		if (fabs(samples->references[i]) > samples->scale)
			samples->scale = fabs(samples->references[i]);
	}
	samples->tolerance = tolerance_of(op);
}
