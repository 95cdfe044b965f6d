/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows that slide over images: what convolutions and pools have in common, and their tensors.
 */
#include "op/rows.h"

/* A filter along one dimension. */
struct slide {
	uint32_t taps, dilation, stride;
};

/* Elements from its first tap to its last. */
static uint64_t reach(struct slide s)
{
	return (uint64_t)(s.taps - 1) * s.dilation + 1;
}

/* Positions of the filter over `in` elements and the padding around them. */
static uint32_t window_out(uint32_t in, uint32_t before, uint32_t after, struct slide s)
{
	uint64_t padded = (uint64_t)in + before + after;

	return padded < reach(s) ? 0 : (uint32_t)((padded - reach(s)) / s.stride + 1);
}

/* Transposed: elements that the filter reaches from `in` positions, `cut` of them left off. */
static uint32_t window_grown(uint32_t in, uint32_t cut, uint32_t added, struct slide s)
{
	uint64_t out = (uint64_t)(in - 1) * s.stride + reach(s) + added;

	return out <= cut || out - cut > OP_DIM_MAX ? 0 : (uint32_t)(out - cut);
}

static struct op_window window_1d(const uint32_t *v)
{
	struct slide along = {v[CONV1D_KERNEL], v[CONV1D_DILATION], v[CONV1D_STRIDE]};

	return (struct op_window){.batch = v[CONV1D_BATCH],
	        .c = v[CONV1D_C],
	        .h = 1,
	        .w = v[CONV1D_L],
	        .oc = v[CONV1D_OC],
	        .oh = 1,
	        .ow = window_out(v[CONV1D_L], v[CONV1D_PAD], v[CONV1D_PAD + 1], along),
	        .kh = 1,
	        .kw = v[CONV1D_KERNEL],
	        .stride_h = 1,
	        .stride_w = v[CONV1D_STRIDE],
	        .left = v[CONV1D_PAD],
	        .dilation_h = 1,
	        .dilation_w = v[CONV1D_DILATION],
	        .groups = v[CONV1D_GROUPS],
	        .nhwc = v[CONV1D_LAYOUT]};
}

/* The fields of one operator as a window; they have the same names in each. */
#define WINDOW_2D(OPERATOR, channels_out, group_count)                                    \
	(struct op_window)                                                                \
	{                                                                                 \
		.batch = v[OPERATOR##_BATCH], .c = v[OPERATOR##_C], .h = v[OPERATOR##_H], \
		.w = v[OPERATOR##_W], .oc = (channels_out), .kh = v[OPERATOR##_KERNEL],   \
		.kw = v[OPERATOR##_KERNEL + 1], .stride_h = v[OPERATOR##_STRIDE],         \
		.stride_w = v[OPERATOR##_STRIDE + 1], .top = v[OPERATOR##_PAD],           \
		.left = v[OPERATOR##_PAD + 1], .dilation_h = v[OPERATOR##_DILATION],      \
		.dilation_w = v[OPERATOR##_DILATION + 1], .groups = (group_count),        \
		.nhwc = v[OPERATOR##_LAYOUT]                                              \
	}

static struct slide slide_rows(const struct op_window *w)
{
	return (struct slide){w->kh, w->dilation_h, w->stride_h};
}

static struct slide slide_columns(const struct op_window *w)
{
	return (struct slide){w->kw, w->dilation_w, w->stride_w};
}

static void set_out(struct op_window *w, uint32_t bottom, uint32_t right)
{
	w->oh = window_out(w->h, w->top, bottom, slide_rows(w));
	w->ow = window_out(w->w, w->left, right, slide_columns(w));
}

static struct op_window window_transposed(const uint32_t *v)
{
	struct op_window w = WINDOW_2D(
	        CONV_TRANSPOSE2D, v[CONV_TRANSPOSE2D_OC], v[CONV_TRANSPOSE2D_GROUPS]);
	const uint32_t *pad = &v[CONV_TRANSPOSE2D_PAD], *more = &v[CONV_TRANSPOSE2D_OUT_PAD];

	w.transposed = true;
	w.oh = window_grown(w.h, pad[0] + pad[2], more[0], slide_rows(&w));
	w.ow = window_grown(w.w, pad[1] + pad[3], more[1], slide_columns(&w));
	return w;
}

struct op_window op_window(const struct op *op)
{
	const uint32_t *v = op->value;
	struct op_window w;

	switch (op->kind) {
	case OP_CONV1D:
		return window_1d(v);
	case OP_CONV_TRANSPOSE2D:
		return window_transposed(v);
	case OP_CONV2D:
		w = WINDOW_2D(CONV2D, v[CONV2D_OC], v[CONV2D_GROUPS]);
		set_out(&w, v[CONV2D_PAD + 2], v[CONV2D_PAD + 3]);
		return w;
	default: /* the pools have the same fields */
		w = WINDOW_2D(MAX_POOL, v[MAX_POOL_C], v[MAX_POOL_C]);
		set_out(&w, v[MAX_POOL_PAD + 2], v[MAX_POOL_PAD + 3]);
		return w;
	}
}

struct image {
	uint32_t batch, c, h, w;
	bool nhwc;
};

static void add_image(struct shaper *s, const char *name, uint32_t dtype, const struct image *image)
{
	bool flat = s->op->kind == OP_CONV1D;

	if (image->nhwc && flat)
		SHAPER_ADD(s, name, dtype, image->batch, image->w, image->c);
	else if (image->nhwc)
		SHAPER_ADD(s, name, dtype, image->batch, image->h, image->w, image->c);
	else if (flat)
		SHAPER_ADD(s, name, dtype, image->batch, image->c, image->w);
	else
		SHAPER_ADD(s, name, dtype, image->batch, image->c, image->h, image->w);
}

static void add_filter(struct shaper *s, uint32_t dtype, const struct op_window *w)
{
	uint32_t outer = w->transposed ? w->c : w->oc;
	uint32_t inner = (w->transposed ? w->oc : w->c) / (w->groups ? w->groups : 1);
	bool flat = s->op->kind == OP_CONV1D;

	if (w->nhwc && flat)
		SHAPER_ADD(s, "w", dtype, outer, w->kw, inner);
	else if (w->nhwc)
		SHAPER_ADD(s, "w", dtype, outer, w->kh, w->kw, inner);
	else if (flat)
		SHAPER_ADD(s, "w", dtype, outer, inner, w->kw);
	else
		SHAPER_ADD(s, "w", dtype, outer, inner, w->kh, w->kw);
}

void tensors_window(struct shaper *s)
{
	const struct op *op = s->op;
	struct op_window w = op_window(op);
	bool pool = op->kind == OP_MAX_POOL || op->kind == OP_AVG_POOL;
	const struct op_convolution *f = op_convolution(op);
	uint32_t dtype = op->value[pool ? (uint32_t)MAX_POOL_DTYPE : f->dtype];
	struct image x = {w.batch, w.c, w.h, w.w, w.nhwc};
	struct image out = {w.batch, pool ? w.c : w.oc, w.oh, w.ow, w.nhwc};

	add_image(s, "x", dtype, &x);
	if (!pool) {
		add_filter(s, dtype, &w);
		if (op->value[f->bias])
			SHAPER_ADD(s, "bias", dtype, w.oc);
		if (op->value[f->residual])
			add_image(s, "residual", dtype, &out);
	}
	add_image(s, "out", dtype, &out);
}
