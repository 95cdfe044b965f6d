/* SPDX-License-Identifier: Apache-2.0
 *
 * out = softmax(scale * q k^T + mask) v, by the definition: elements of one row of out walk
 * together over the keys that their query sees. The greatest score so far is taken off the
 * exponents, so that none overflows; it is finite always, so that a row that sees nothing but -inf
 * is 0.
 */
#include "reference/reference.h"

#include <float.h>
#include <math.h>

enum { Q, K, V, MASK }; /* the inputs */

/* Where one element of out stands. */
struct query {
	const struct reference *r;
	const uint32_t *v; /* the operator's values */
	uint64_t batch, head, kv_head, row, lane;
	double scale;
};

/* q and out, or k and v: `room` positions of `heads` heads. */
struct heads {
	uint64_t heads, room;
};

/* Index of an element of them. */
static uint64_t element_at(
        const struct query *x, struct heads of, uint64_t head, uint64_t position, uint64_t lane)
{
	uint64_t heads_first = (x->batch * of.heads + head) * of.room + position;
	uint64_t positions_first = (x->batch * of.room + position) * of.heads + head;

	return (x->v[ATTENTION_ORDER] ? positions_first : heads_first) * x->v[ATTENTION_DIM] + lane;
}

static uint64_t kv_element(const struct query *x, uint64_t key, uint64_t lane)
{
	const uint32_t *v = x->v;
	struct heads kv = {v[ATTENTION_KV_HEADS] ? v[ATTENTION_KV_HEADS] : v[ATTENTION_HEADS],
	        v[ATTENTION_CAPACITY] ? v[ATTENTION_CAPACITY] : v[ATTENTION_KV]};

	return element_at(x, kv, x->kv_head, key, lane);
}

static double mask_at(const struct query *x, uint64_t key)
{
	const uint32_t *v = x->v;
	uint64_t q = v[ATTENTION_Q], heads = v[ATTENTION_HEADS], row = 0;

	switch (v[ATTENTION_MASK]) {
	case 0:
		return 0;
	case 1:
		row = x->batch;
		break;
	case 2:
		row = x->row;
		break;
	case 3:
		row = x->head * q + x->row;
		break;
	default:
		row = (x->batch * heads + x->head) * q + x->row;
		break;
	}
	return reference_at(x->r, MASK, row * v[ATTENTION_KV] + key);
}

static double score(const struct query *x, uint64_t key)
{
	const uint32_t *v = x->v;
	struct heads queries = {v[ATTENTION_HEADS], v[ATTENTION_Q]};
	double sum = 0;

	for (uint32_t i = 0; i < v[ATTENTION_DIM]; i++) {
		uint64_t q = element_at(x, queries, x->head, x->row, i);
		sum += reference_at(x->r, Q, q) * reference_at(x->r, K, kv_element(x, key, i));
	}
	return sum * x->scale + mask_at(x, key);
}

static struct query locate(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	uint32_t dim = v[ATTENTION_DIM], heads = v[ATTENTION_HEADS], q = v[ATTENTION_Q];
	uint64_t row = element / dim, inner = v[ATTENTION_ORDER] ? heads : q;
	uint64_t outer = v[ATTENTION_ORDER] ? q : heads;
	uint32_t group = v[ATTENTION_KV_HEADS] ? heads / v[ATTENTION_KV_HEADS] : 1;
	float scale = op_float(r->op, ATTENTION_SCALE);
	struct query x = {.r = r, .v = v, .batch = row / inner / outer, .lane = element % dim};

	x.head = v[ATTENTION_ORDER] ? row % inner : row / inner % outer;
	x.row = v[ATTENTION_ORDER] ? row / inner % outer : row % inner;
	x.kv_head = x.head / group;
	x.scale = scale != 0 ? (double)scale : 1 / sqrt(dim);
	return x;
}

/* What a row's elements come to as its keys go by. */
struct sums {
	const uint64_t *elements;
	uint32_t count;
	double top, total; /* the greatest score; of the weights, relative to it */
	double *weighed;   /* of each element's values, likewise */
};

static void add_key(struct sums *sums, struct query *x, uint64_t key)
{
	double s = score(x, key), higher = fmax(sums->top, s);
	double kept = exp(sums->top - higher), weight = exp(s - higher);

	sums->top = higher;
	sums->total = sums->total * kept + weight;
	for (uint32_t i = 0; i < sums->count; i++) {
		x->lane = sums->elements[i] % x->v[ATTENTION_DIM];
		sums->weighed[i] = sums->weighed[i] * kept +
		                   weight * reference_at(x->r, V, kv_element(x, key, x->lane));
	}
}

uint32_t reference_attention_row(
        const struct reference *r, const uint64_t *elements, uint32_t count, double *ret_values)
{
	struct query x = locate(r, elements[0]);
	uint64_t q = x.v[ATTENTION_Q], kv = x.v[ATTENTION_KV], dim = x.v[ATTENTION_DIM];
	struct sums sums = {.elements = elements, .top = -DBL_MAX, .weighed = ret_values};

	while (sums.count < count && elements[sums.count] / dim == elements[0] / dim)
		ret_values[sums.count++] = 0;
	for (uint64_t key = 0; key < kv; key++) {
		if (x.v[ATTENTION_CAUSAL] && key + q > x.row + kv)
			break;
		add_key(&sums, &x, key);
	}
	for (uint32_t i = 0; i < sums.count; i++)
		ret_values[i] = sums.total == 0 ? 0 : ret_values[i] / sums.total;
	return sums.count;
}

double reference_attention(const struct reference *r, uint64_t element)
{
	double value;

	reference_attention_row(r, &element, 1, &value);
	return value;
}
