/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry of the convolutions' lowering: binds the tensors and dispatches. The files beneath
 * never call back into this one.
 */
#include "family/convolution/lower.h"

static void bind_tensors(struct convolving *v)
{
	struct lower *l = v->l;
	bool has_bias = lower_find(l, "bias") < OP_TENSORS_MAX;
	bool has_residual = lower_find(l, "residual") < OP_TENSORS_MAX;

	v->bound.x = lower_bind(l, v->c.flat.outputs ? 1 : v->c.x_width);
	v->bound.w = lower_bind(l, v->c.flat.outputs ? 1 : v->c.filter.width);
	v->bound.bias = has_bias ? lower_bind(l, 1) : OP_TENSORS_MAX;
	v->bound.residual = has_residual ? lower_bind(l, v->c.out_width) : OP_TENSORS_MAX;
	v->bound.out = lower_bind(l, v->c.out_width);
}

void convolution_lower(struct lower *l)
{
	struct convolving v = {.l = l, .b = l->b, .c = convolution_derive(l->op, l->schedule)};

	l->number = v.c.numbers.half ? IR_F16 : IR_F32;
	bind_tensors(&v);
	if (v.c.flat.outputs)
		convolution_lower_flat(&v);
	else
		convolution_lower_tiled(&v);
}
