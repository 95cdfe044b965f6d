/* SPDX-License-Identifier: Apache-2.0
 *
 * Pools and resizing by their definitions. Positions are fractions of whole numbers, so that which
 * element is nearest is exact.
 */
#include "reference/map.h"

#include <math.h>

/* ---- Pools. */

struct pixel {
	uint64_t n, c, y, x;
};

static double pixel_at(const struct reference *r, const struct op_window *w, struct pixel p)
{
	return reference_at(r, 0,
	        w->nhwc ? ((p.n * w->h + p.y) * w->w + p.x) * w->c + p.c
	                : ((p.n * w->c + p.c) * w->h + p.y) * w->w + p.x);
}

/* A window that holds nothing gives 0. */
double reference_window(const struct reference *r, uint64_t element)
{
	struct op_window w = op_window(r->op);
	bool max = r->op->kind == OP_MAX_POOL;
	uint64_t planes = w.nhwc ? 1 : w.c, last = w.nhwc ? w.c : 1;
	uint64_t x = element / last % w.ow, y = element / last / w.ow % w.oh;
	uint64_t plane = element / last / w.ow / w.oh, held = 0;
	uint64_t c = w.nhwc ? element % w.c : plane % w.c;
	double sum = 0;

	for (uint64_t i = 0; i < (uint64_t)w.kh * w.kw; i++) {
		uint64_t row = y * w.stride_h + i / w.kw * w.dilation_h - w.top;
		uint64_t column = x * w.stride_w + i % w.kw * w.dilation_w - w.left;
		if (row >= w.h || column >= w.w) /* negative ones wrapped round */
			continue;
		double value = pixel_at(r, &w, (struct pixel){plane / planes, c, row, column});
		sum = !max   ? sum + value
		      : held ? reference_scalar(SCALAR_MAX, sum, value, 0)
		             : value;
		held++;
	}
	if (max)
		return sum;
	if (r->op->value[AVG_POOL_COUNT_PAD])
		held = (uint64_t)w.kh * w.kw;
	return held ? sum / (double)held : 0;
}

/* ---- Resizing (ONNX, Resize). */

struct fraction {
	int64_t above, below;
};

/* How RESIZE_POSITION says where element o of out lies in x. */
enum { HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS };

static struct fraction position_of(uint32_t way, uint64_t in, uint64_t out, uint64_t o)
{
	switch (way) {
	case HALF_PIXEL:
		return (struct fraction){
		        (int64_t)((2 * o + 1) * in) - (int64_t)out, (int64_t)(2 * out)};
	case ASYMMETRIC:
		return (struct fraction){(int64_t)(o * in), (int64_t)out};
	default: /* ALIGN_CORNERS */
		return (struct fraction){(int64_t)(o * (in - 1)), out > 1 ? (int64_t)out - 1 : 1};
	}
}

/* Nearest: the floor, or what is nearest with halves down: the ceiling of one half less. */
static uint64_t nearest(uint32_t way, uint64_t in, uint64_t out, uint64_t o)
{
	struct fraction f = position_of(way, in, out, o);

	if (way == ASYMMETRIC)
		return (uint64_t)(f.above / f.below);
	/* Over 2 * below; the ceiling of a negative one is 0. */
	int64_t twice = 2 * f.above - f.below;
	uint64_t at = twice <= 0 ? 0 : (uint64_t)((twice + 2 * f.below - 1) / (2 * f.below));
	return at < in ? at : in - 1;
}

struct neighbours {
	uint64_t first, second;
	double weight; /* of the second */
};

static struct neighbours linear(uint32_t way, uint64_t in, uint64_t out, uint64_t o)
{
	struct fraction f = position_of(way, in, out, o);
	double at = fmin(fmax((double)f.above / (double)f.below, 0), (double)(in - 1));
	uint64_t first = (uint64_t)at;
	return (struct neighbours){first, first + 1 < in ? first + 1 : first, at - (double)first};
}

double reference_resize(const struct reference *r, uint64_t element)
{
	const uint32_t *v = r->op->value;
	uint64_t inner = v[RESIZE_INNER], h = v[RESIZE_H], w = v[RESIZE_W];
	uint64_t c = element % inner, x = element / inner % v[RESIZE_OW];
	uint64_t y = element / inner / v[RESIZE_OW] % v[RESIZE_OH];
	uint64_t plane = element / inner / v[RESIZE_OW] / v[RESIZE_OH];
	uint32_t way = v[RESIZE_POSITION];
	double sum = 0;

	if (!v[RESIZE_MODE]) {
		uint64_t row = nearest(way, h, v[RESIZE_OH], y);
		uint64_t column = nearest(way, w, v[RESIZE_OW], x);
		return reference_at(r, 0, ((plane * h + row) * w + column) * inner + c);
	}
	struct neighbours rows = linear(way, h, v[RESIZE_OH], y);
	struct neighbours columns = linear(way, w, v[RESIZE_OW], x);
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t row = i / 2 ? rows.second : rows.first;
		uint64_t column = i % 2 ? columns.second : columns.first;
		double weight = (i / 2 ? rows.weight : 1 - rows.weight) *
		                (i % 2 ? columns.weight : 1 - columns.weight);
		if (weight != 0)
			sum += weight *
			       reference_at(r, 0, ((plane * h + row) * w + column) * inner + c);
	}
	return sum;
}
