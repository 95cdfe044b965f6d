/* SPDX-License-Identifier: Apache-2.0
 *
 * Copying by all invocations of a workgroup, each an element in turn; what an element is, `copy`
 * knows.
 */
#include "family/convolution/lower.h"

void convolution_copy(
        struct convolving *v, uint32_t count, void (*copy)(struct convolving *v, ir_id element))
{
	uint32_t threads = v->c.wg_x * v->c.wg_y, rounds = count / threads + (count % threads != 0);
	bool rolled = rounds > 4, partial = count % threads != 0;
	ir_id first = 0;

	if (rolled) {
		ir_id from = ir_u32(v->b, 0), to = ir_u32(v->b, count);
		first = ir_loop(v->b, from, to, threads);
	}
	for (uint32_t i = 0; i < (rolled ? 1 : rounds); i++) {
		ir_id element = rolled ? ir_add(v->b, first, v->thread)
		                       : lower_plus(v->l, v->thread, i * threads);
		bool guarded = partial && (rolled || i + 1 == rounds);
		if (guarded)
			ir_if(v->b, ir_compute(v->b, IR_LT, element, ir_u32(v->b, count), 0));
		copy(v, element);
		if (guarded)
			ir_end(v->b);
	}
	if (rolled)
		ir_end(v->b);
}
