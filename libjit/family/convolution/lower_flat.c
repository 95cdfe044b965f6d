/* SPDX-License-Identifier: Apache-2.0
 *
 * The plain convolution: an invocation computes one element of out, or two that share a word,
 * wherever they lie, tap by tap. Slow, and right for every operator on every device. Invariant:
 * what lies past the last element computes the last one and stores nothing of its own.
 */
#include "family/convolution/lower.h"

struct output { /* an element of out, taken apart */
	ir_id channel, y, x;
	ir_id image;  /* element index of the image and the group's first channel in x */
	ir_id filter; /* element index of what it needs of the filter */
	ir_id sum;    /* variable */
};

static void take_apart(struct convolving *v, struct output *o, ir_id element)
{
	const struct op_window *w = &v->c.w;
	struct lower *l = v->l;
	ir_id rest = element;

	if (w->nhwc) {
		o->channel = lower_modulo(l, rest, w->oc);
		rest = lower_over(l, rest, w->oc);
	}
	o->x = lower_modulo(l, rest, w->ow);
	rest = lower_over(l, rest, w->ow);
	o->y = lower_modulo(l, rest, w->oh);
	rest = lower_over(l, rest, w->oh);
	if (!w->nhwc) {
		o->channel = lower_modulo(l, rest, w->oc);
		rest = lower_over(l, rest, w->oc);
	}
	o->image = lower_times(l, rest, w->c * w->h * w->w);
}

static void begin_output(struct convolving *v, struct output *o, ir_id element)
{
	const struct op_window *w = &v->c.w;
	struct lower *l = v->l;
	uint32_t outputs = w->oc / w->groups, inputs = w->c / w->groups, taps = w->kh * w->kw;

	take_apart(v, o, element);
	ir_id group = lower_over(l, o->channel, outputs);
	ir_id first = lower_times(l, group, inputs);
	o->image = ir_add(v->b, o->image, lower_times(l, first, w->nhwc ? 1 : w->h * w->w));
	if (w->transposed) {
		ir_id own = lower_times(
		        l, lower_modulo(l, o->channel, outputs), w->nhwc ? 1 : taps);
		o->filter = ir_add(v->b, lower_times(l, first, outputs * taps), own);
	} else {
		o->filter = lower_times(l, o->channel, inputs * taps);
	}
	o->sum = ir_var(v->b, ir_float(v->b, v->l->number, 0));
}

/* Where tap `tap` meets x for output `at`, kept in bounds. */
static ir_id meet(struct convolving *v, const struct convolution_span *s, ir_id at, ir_id tap,
        ir_id *ret_inside)
{
	struct lower *l = v->l;
	ir_id reach = lower_times(l, tap, s->dilation), last = ir_u32(v->b, s->in - 1), position;

	if (!s->transposed) {
		ir_id start = lower_times(l, at, s->stride);
		position = lower_plus(l, ir_add(v->b, start, reach), 0u - s->before);
		*ret_inside = ir_compute(v->b, IR_LT, position, ir_u32(v->b, s->in), 0);
		return ir_compute(v->b, IR_MIN, position, last, 0);
	}
	ir_id start = lower_plus(l, at, s->before);
	ir_id grown = ir_compute(v->b, IR_SUB, start, reach, 0);
	uint32_t bound = (s->in - 1) * s->stride + 1;
	ir_id inside = ir_compute(v->b, IR_LT, grown, ir_u32(v->b, bound), 0);
	ir_id rest = lower_modulo(l, grown, s->stride);
	ir_id whole = ir_compute(v->b, IR_EQ, rest, ir_u32(v->b, 0), 0);
	*ret_inside = ir_compute(v->b, IR_LAND, inside, whole, 0);
	return ir_compute(v->b, IR_MIN, lower_over(l, grown, s->stride), last, 0);
}

static ir_id loop(struct convolving *v, uint32_t count)
{
	if (count == 1)
		return ir_u32(v->b, 0);
	ir_id from = ir_u32(v->b, 0), to = ir_u32(v->b, count);
	return ir_loop(v->b, from, to, 1);
}

static void end(struct convolving *v, uint32_t count)
{
	if (count > 1)
		ir_end(v->b);
}

/* All input channels at one tap. */
static void add_tap(struct convolving *v, struct output *o, ir_id ky, ir_id kx)
{
	const struct op_window *w = &v->c.w;
	struct lower *l = v->l;
	uint32_t depth = w->transposed ? w->oc / w->groups : w->c / w->groups;
	uint32_t channel = w->nhwc ? 1 : w->h * w->w, between = w->nhwc ? 1 : w->kh * w->kw;
	ir_id inside_y, inside_x, y = meet(v, &v->c.rows, o->y, ky, &inside_y);
	ir_id x = meet(v, &v->c.columns, o->x, kx, &inside_x);
	ir_id inside = ir_compute(v->b, IR_LAND, inside_y, inside_x, 0);
	ir_id pixel = lower_times(l, ir_add(v->b, lower_times(l, y, w->w), x), w->nhwc ? w->c : 1);
	ir_id tap = lower_times(
	        l, ir_add(v->b, lower_times(l, ky, w->kw), kx), w->nhwc ? depth : 1);
	ir_id image = ir_add(v->b, o->image, pixel), filter = ir_add(v->b, o->filter, tap);
	uint32_t inputs = w->c / w->groups;
	uint32_t step = w->transposed ? depth * w->kh * w->kw : between;

	ir_id k = loop(v, inputs);
	ir_id at = ir_add(v->b, image, lower_times(l, k, channel));
	ir_id value = lower_load(l, v->bound.x, at), zero = lower_literal(v->b, 0, value);
	ir_id weight = lower_load(l, v->bound.w, ir_add(v->b, filter, lower_times(l, k, step)));
	value = ir_select(v->b, inside, value, zero);
	ir_set(v->b, o->sum, ir_compute(v->b, IR_FMA, value, weight, ir_get(v->b, o->sum)));
	end(v, inputs);
}

static void add_taps(struct convolving *v, struct output *o)
{
	ir_id ky = loop(v, v->c.w.kh), kx = loop(v, v->c.w.kw);

	add_tap(v, o, ky, kx);
	end(v, v->c.w.kw);
	end(v, v->c.w.kh);
}

static void store(struct convolving *v, const struct output outputs[2], ir_id index)
{
	uint32_t width = v->c.out_width;
	ir_id sums[2], bias[2];

	for (uint32_t i = 0; i < width; i++) {
		sums[i] = ir_get(v->b, outputs[i].sum);
		if (v->bound.bias != OP_TENSORS_MAX)
			bias[i] = lower_load(v->l, v->bound.bias, outputs[i].channel);
	}
	convolution_conclude(v, sums, bias, index);
}

void convolution_lower_flat(struct convolving *v)
{
	const struct convolution *c = &v->c;
	struct lower *l = v->l;
	uint32_t width = c->out_width;
	ir_id images = c->merged ? ir_u32(v->b, 1) : lower_dim(l, c->fields->batch);
	ir_id total = lower_times(l, images, c->w.oc * c->w.oh * c->w.ow);
	ir_id workgroup = lower_times(l, lower_flat_workgroup(l), c->wg_x);
	ir_id index = ir_add(v->b, workgroup, lower_local(l, 0));
	ir_id first = lower_times(l, index, width), minus_one = ir_u32(v->b, UINT32_MAX);
	ir_id last = ir_add(v->b, total, minus_one);
	struct output outputs[2];

	ir_if(v->b, ir_compute(v->b, IR_LT, first, total, 0));
	for (uint32_t i = 0; i < width; i++) {
		ir_id element = lower_plus(l, first, i);
		begin_output(v, &outputs[i], ir_compute(v->b, IR_MIN, element, last, 0));
		add_taps(v, &outputs[i]);
	}
	store(v, outputs, index);
	ir_end(v->b);
}
