/* SPDX-License-Identifier: Apache-2.0
 *
 * out = act(x * w + bias + residual), by the definition (Dumoulin and Visin 2016, "A guide to
 * convolution arithmetic for deep learning"): every tap that meets the image adds its product.
 */
#include "reference/reference.h"

struct position { /* of an element of out */
	uint64_t image, channel, y, x;
};

static struct position position_of(const struct op_window *w, uint64_t element)
{
	struct position p;

	if (w->nhwc) {
		p.channel = element % w->oc;
		element /= w->oc;
	}
	p.x = element % w->ow;
	p.y = element / w->ow % w->oh;
	element /= (uint64_t)w->ow * w->oh;
	if (!w->nhwc) {
		p.channel = element % w->oc;
		element /= w->oc;
	}
	p.image = element;
	return p;
}

/* Where a tap meets the image along one direction; a negative number: nowhere. */
static int64_t meets(const struct op_window *w, bool rows, uint64_t out, uint32_t tap)
{
	int64_t stride = rows ? w->stride_h : w->stride_w, before = rows ? w->top : w->left;
	int64_t reach = (int64_t)tap * (rows ? w->dilation_h : w->dilation_w);
	int64_t in = rows ? w->h : w->w, at;

	if (w->transposed) {
		at = (int64_t)out + before - reach;
		at = at < 0 || at % stride ? -1 : at / stride;
	} else {
		at = (int64_t)out * stride + reach - before;
	}
	return at < in ? at : -1;
}

static uint64_t image_index(
        const struct op_window *w, uint64_t image, uint64_t channel, uint64_t y, uint64_t x)
{
	if (w->nhwc)
		return ((image * w->h + y) * w->w + x) * w->c + channel;
	return ((image * w->c + channel) * w->h + y) * w->w + x;
}

/* `inner`: the channel within the group of the filter's second channel dimension. */
static uint64_t filter_index(
        const struct op_window *w, uint64_t outer, uint64_t inner, uint32_t ky, uint32_t kx)
{
	uint64_t depth = (w->transposed ? w->oc : w->c) / w->groups;

	if (w->nhwc)
		return ((outer * w->kh + ky) * w->kw + kx) * depth + inner;
	return ((outer * depth + inner) * w->kh + ky) * w->kw + kx;
}

static double tap_sum(const struct reference *r, const struct op_window *w,
        const struct position *p, uint32_t ky, uint32_t kx)
{
	uint64_t in = w->c / w->groups, out = w->oc / w->groups, first = p->channel / out * in;
	int64_t y = meets(w, true, p->y, ky), x = meets(w, false, p->x, kx);
	double sum = 0;

	for (uint64_t i = 0; i < in && y >= 0 && x >= 0; i++) {
		uint64_t filter = w->transposed
		                          ? filter_index(w, first + i, p->channel % out, ky, kx)
		                          : filter_index(w, p->channel, i, ky, kx);
		sum += reference_at(r, 0,
		               image_index(w, p->image, first + i, (uint64_t)y, (uint64_t)x)) *
		       reference_at(r, 1, filter);
	}
	return sum;
}

double reference_convolution(const struct reference *r, uint64_t element)
{
	struct op_window w = op_window(r->op);
	struct position p = position_of(&w, element);
	uint32_t bias = reference_find(r, "bias"), residual = reference_find(r, "residual");
	double sum = 0;

	for (uint32_t ky = 0; ky < w.kh; ky++)
		for (uint32_t kx = 0; kx < w.kw; kx++)
			sum += tap_sum(r, &w, &p, ky, kx);
	if (bias < OP_TENSORS_MAX)
		sum += reference_at(r, bias, p.channel);
	if (residual < OP_TENSORS_MAX)
		sum += reference_at(r, residual, element);
	return reference_acts(r->op, op_convolution(r->op)->act, sum);
}
