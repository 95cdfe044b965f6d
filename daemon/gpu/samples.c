/* SPDX-License-Identifier: Apache-2.0
 *
 * Sampling an output. Tiled kernels go wrong at the edges of tiles, so those come first: the first
 * and last rows and columns and the neighbours of multiples of every power of two a tile may be. A
 * kernel may tile an output of many dimensions as other matrices than the last two make, so it is
 * looked at as each of those. Must not know a device. Invariant: the same arguments choose the same
 * elements everywhere.
 */
#include "daemon/gpu/samples.h"
#include "base/hash.h"
#include "daemon/gpu/parallel.h"
#include "reference/reference.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EDGES_MAX  64
#define ROWS_LEAST 16

static uint32_t count_for(const struct op *op, const struct tensor *output, double steps)
{
	double affordable = steps / reference_steps(op);
	uint32_t count = SAMPLES_MAX;

	if (affordable < SAMPLES_MAX)
		count = affordable < SAMPLES_LEAST ? SAMPLES_LEAST : (uint32_t)affordable;
	return output->elements < count ? (uint32_t)output->elements : count;
}

/* ---- Edges of one dimension. */

struct edges {
	uint32_t count;
	uint64_t at[EDGES_MAX];
};

static void add_edge(struct edges *edges, uint64_t at, uint64_t extent)
{
	if (at < extent && edges->count < EDGES_MAX)
		edges->at[edges->count++] = at;
}

/* First and last; then both sides of the first and of the last boundary of each tile size. */
static void find_edges(uint64_t extent, struct edges *edges)
{
	*edges = (struct edges){0};
	add_edge(edges, 0, extent);
	add_edge(edges, extent - 1, extent);
	for (uint64_t tile = 4; tile <= 128; tile *= 2) {
		uint64_t last = (extent - 1) / tile * tile;
		add_edge(edges, tile - 1, extent);
		add_edge(edges, tile, extent);
		add_edge(edges, last, extent);
		add_edge(edges, last - 1, extent);
	}
}

/* ---- The output as matrices. */

struct view {
	uint64_t matrices, rows, columns;
};
#define VIEWS_MAX (OP_RANK_MAX + 1)

static uint64_t product(const struct tensor *tensor, uint32_t from, uint32_t to)
{
	uint64_t extent = 1;

	for (uint32_t i = from; i < to; i++)
		extent *= tensor->shape[i];
	return extent;
}

/* The last two dimensions; then one long row; then, cut in two after each dimension, all before it
 * and all behind. Returns how many. */
static uint32_t find_views(const struct tensor *output, struct view ret_views[static VIEWS_MAX])
{
	uint32_t rank = output->rank, inner = rank < 2 ? 0 : rank - 2, count = 0;

	ret_views[count++] = (struct view){product(output, 0, inner),
	        rank < 2 ? 1 : output->shape[rank - 2], rank < 1 ? 1 : output->shape[rank - 1]};
	ret_views[count++] = (struct view){1, 1, output->elements};
	for (uint32_t cut = 1; rank > 2 && cut < rank; cut++)
		ret_views[count++] = (struct view){
		        1, product(output, 0, cut), product(output, cut, rank)};
	return count;
}

static uint64_t element_at(const struct view *view, uint64_t matrix, uint64_t row, uint64_t column)
{
	return (matrix * view->rows + row) * view->columns + column;
}

static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state += 0x9e3779b97f4a7c15ull;
	return hash_mix(*state) % below;
}

/* Up to `most` crossings of an edge row with an edge column in the first or last matrix: all of
 * them, or as many drawn. Returns how many. */
static uint32_t cross_edges(
        const struct view *view, uint32_t most, uint64_t *seed, uint64_t ret_elements[])
{
	struct edges rows, columns;

	find_edges(view->rows, &rows);
	find_edges(view->columns, &columns);
	uint64_t all = (view->matrices > 1 ? 2ull : 1ull) * rows.count * columns.count;
	for (uint32_t i = 0; i < most && i < all; i++) {
		uint64_t number = all <= most ? i : draw(seed, all);
		uint64_t row = rows.at[number / columns.count % rows.count];
		uint64_t column = columns.at[number % columns.count];
		bool last = number >= (uint64_t)rows.count * columns.count;
		ret_elements[i] = element_at(view, last ? view->matrices - 1 : 0, row, column);
	}
	return all < most ? (uint32_t)all : most;
}

/* ---- The choice. */

static uint32_t add_corners(const struct view *view, uint64_t ret_elements[static 8])
{
	for (uint32_t corner = 0; corner < 8; corner++)
		ret_elements[corner] = element_at(view, corner & 1 ? view->matrices - 1 : 0,
		        corner & 4 ? view->rows - 1 : 0, corner & 2 ? view->columns - 1 : 0);
	return 8;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* How many samples of `count` lie in each row, where the elements of a row share most of their
 * meaning and there are steps for so many rows; else 1. */
static uint32_t samples_a_row(const struct op *op, double steps, uint32_t count)
{
	double shared = reference_shared_steps(op);
	double rows = fmax(ROWS_LEAST, shared > 0 ? steps / shared : count);

	return rows < count ? (uint32_t)ceil(count / rows) : 1;
}

/* So many samples anywhere, `each` of them in a row. */
static void draw_some(const struct view *view, uint32_t each, uint64_t seed, uint32_t count,
        uint64_t ret_elements[])
{
	uint64_t all = view->matrices * view->rows * view->columns, row = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t element = i % each ? row * view->columns + draw(&seed, view->columns)
		                            : draw(&seed, all);
		row = element / view->columns;
		ret_elements[i] = element;
	}
}

/* Up to half of the samples lie on edges, most of them the last two dimensions'; the rest anywhere.
 * The corners are always among them. */
static void choose_some(const struct op *op, const struct tensor *output, uint64_t seed,
        double steps, struct samples *samples)
{
	struct view views[VIEWS_MAX];
	uint32_t view_count = find_views(output, views), half = samples->count / 2;
	uint64_t *elements = samples->elements;
	uint32_t at = add_corners(&views[0], elements);

	at += cross_edges(&views[0], (half - at) / 4 * 3, &seed, elements + at);
	uint32_t each = (half - at) / (view_count - 1);
	for (uint32_t i = 1; i < view_count; i++)
		at += cross_edges(&views[i], each, &seed, elements + at);
	uint32_t left = samples->count - at;
	draw_some(&views[0], samples_a_row(op, steps, left), seed, left, elements + at);
	for (uint32_t i = 0; i < samples->count;
	        i++) /* rows with a pitch: the last one is shorter */
		if (elements[i] >= output->elements)
			elements[i] = output->elements - 1;
	qsort(elements, samples->count, sizeof *elements, ascending);
}

/* The value of the operator's field of that name; 0 where it has none. */
static uint32_t value_of(const struct op *op, const char *name)
{
	const struct op_field *field;

	for (uint32_t i = 0; (field = op_field(op->kind, i)); i++)
		if (!strcmp(field->name, name))
			return op->value[field->value];
	return 0;
}

int samples_choose(const struct op *op, uint64_t seed, double steps, struct samples *ret_samples)
{
	struct tensor tensors[OP_TENSORS_MAX];
	const struct tensor *output = &tensors[op_tensors(op, tensors) - 1];
	struct samples samples = {.count = count_for(op, output, steps),
	        .pitch = value_of(op, "pitch"),
	        .columns = value_of(op, "n")};

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
		choose_some(op, output, seed, steps, &samples);
	*ret_samples = samples;
	return 0;
}

void samples_free(struct samples *samples)
{
	free(samples->elements);
	free(samples->references);
	*samples = (struct samples){0};
}

#define STRETCH 32 /* samples that a thread takes at once */

struct referring {
	const struct samples *samples;
	const struct op *op;
	void *const *buffers;
};

static void refer_some(void *context, uint64_t from, uint64_t to)
{
	const struct referring *of = context;

	reference_elements(of->op, of->buffers, of->samples->elements + from, (uint32_t)(to - from),
	        of->samples->references + from);
}

/* Errors are stated against the scale of the output, not of each element: an element may cancel to
 * nearly nothing. The scale is the largest reference seen, but no less than such outputs typically
 * are: a few samples may all be small. */
void samples_refer(struct samples *samples, const struct op *op, void *const buffers[],
        enum reference_special kind)
{
	struct referring of = {samples, op, buffers};

	parallel_run(samples->count, STRETCH, refer_some, &of);
	samples->rule = reference_rule(op, kind);
	for (uint32_t i = 0; i < samples->count; i++)
		reference_rule_see(&samples->rule, samples->references[i]);
}
