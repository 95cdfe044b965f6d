/* SPDX-License-Identifier: Apache-2.0
 *
 * The epilogue: out = act(sums + bias + residual), in the order of the reference.
 */
#include "family/convolution/lower.h"

void convolution_conclude(struct convolving *v, const ir_id *sums, const ir_id *bias, ir_id index)
{
	uint32_t width = v->c.out_width;
	ir_id value = ir_compose(v->b, sums, width);

	if (v->bound.bias != OP_TENSORS_MAX)
		value = ir_add(v->b, value, ir_compose(v->b, bias, width));
	if (v->bound.residual != OP_TENSORS_MAX)
		value = ir_add(v->b, value, lower_load(v->l, v->bound.residual, index));
	value = lower_acts(v->l, v->c.fields->act, value);
	lower_store(v->l, v->bound.out, index, value);
}
