/* SPDX-License-Identifier: Apache-2.0
 *
 * A tile of k_step of an operand on its way into workgroup memory: all invocations of the workgroup
 * copy it together, load e of a copy being invocation e % threads's. What lies beyond k is staged
 * as 0 and never read from memory. Vectors in the array, `pitch` from one row to the next:
 *
 *   along k     [outer][k]                      else        [k][outer]
 *
 *      k:    0   1   2   3                      outer:   0   1   2   3
 *   outer 0  v   v   v   v                       k 0     v   v   v   v
 *         1  v   v   v   v    a group            k 1     v   v   v   v
 *         -  pad                                 k 2     v   v   v   v
 *         2  v   v   v   v
 *         3  v   v   v   v    the next           pitch = block / lanes
 *         -  pad
 *                             pitch = k_step / lanes
 *
 * A group is neighbours of one invocation's tile. The vector of padding behind each makes
 * neighbouring invocations begin in different banks.
 */
#include "family/contraction/lower.h"

/* Where row `row` of the workgroup array begins: groups of rows are one vector apart. */
static ir_id shared_row(struct gemm *g, const struct contraction_operand *s, ir_id row)
{
	ir_id at = lower_times(g->l, row, s->pitch);

	return s->along_k ? ir_add(g->b, at, lower_over(g->l, row, s->group)) : at;
}

static struct copy make_copy(struct gemm *g, const struct operand *x, ir_id k, ir_id e)
{
	const struct contraction_operand *s = x->shape;
	uint32_t row = (s->along_k ? g->c.k_step : s->block) / s->width;
	ir_id high = lower_over(g->l, e, row), low = lower_modulo(g->l, e, row);
	ir_id along = lower_times(g->l, low, s->width);
	ir_id position = ir_add(g->b, x->workgroup, s->along_k ? high : along);
	struct copy to = {.k = ir_add(g->b, k, s->along_k ? along : high)};

	to.position = gemm_clamp(g, x, position, gemm_span(s));
	ir_id first = shared_row(g, s, high);
	to.slot = ir_add(g->b, first, lower_times(g->l, low, s->width / s->lanes));
	if (!g->c.dynamic_k && g->c.k % g->c.k_step == 0)
		return to;
	to.inside = ir_compute(g->b, IR_LT, to.k, g->k, 0);
	to.k = ir_select(g->b, to.inside, to.k, ir_u32(g->b, 0));
	return to;
}

static ir_id or_zeros(struct gemm *g, ir_id inside, ir_id vector)
{
	ir_type type = ir_type_of(g->b, vector);
	ir_id zero = ir_convert(g->b, ir_u32(g->b, 0), ir_scalar_of(type));
	ir_id zeros = ir_splat(g->b, zero, ir_lanes_of(type));

	return ir_select(g->b, inside, vector, zeros);
}

void gemm_copy_in(
        struct gemm *g, const struct operand *x, const struct copy *copy, ir_id ret_vectors[])
{
	const struct contraction_operand *s = x->shape;
	uint32_t vectors = s->width / s->lanes;
	ir_id step = s->along_k ? lower_over(g->l, copy->k, s->width)
	                        : ir_mul(g->b, copy->k, x->stride);
	ir_id origin = gemm_origin(g, x, copy->position);
	ir_id at = ir_add(g->b, origin, step);

	if (s->bits == 4) {
		struct dequant d = gemm_dequant(g, copy->position, copy->k);
		gemm_load(g, x, at, d.zero, ret_vectors);
		for (uint32_t i = 0; i < vectors; i++)
			ret_vectors[i] = ir_mul(g->b, ret_vectors[i], d.factor);
	} else {
		gemm_load(g, x, at, 0, ret_vectors);
	}
	for (uint32_t i = 0; copy->inside && i < vectors; i++)
		ret_vectors[i] = or_zeros(g, copy->inside, ret_vectors[i]);
}

void gemm_copy_out(
        struct gemm *g, const struct operand *x, const struct copy *copy, const ir_id vectors[])
{
	for (uint32_t i = 0; i < x->shape->width / x->shape->lanes; i++)
		ir_shared_store(g->b, x->shared, lower_plus(g->l, copy->slot, i), vectors[i]);
}

struct copies gemm_copies(struct gemm *g, const struct operand *x, ir_id k)
{
	uint32_t threads = g->c.wg.x * g->c.wg.y, count = contraction_loads(&g->c, x->shape);

	return (struct copies){.x = x,
	        .k = k,
	        .first = g->local.thread,
	        .count = contraction_copies(&g->c, x->shape),
	        .sure = count / threads};
}

struct copy gemm_begin_copy(struct gemm *g, const struct copies *all, uint32_t i)
{
	ir_id e = lower_plus(g->l, all->first, i * g->c.wg.x * g->c.wg.y);
	uint32_t loads = contraction_loads(&g->c, all->x->shape);

	if (i >= all->sure)
		ir_if(g->b, ir_compute(g->b, IR_LT, e, ir_u32(g->b, loads), 0));
	return make_copy(g, all->x, all->k, e);
}

void gemm_end_copy(struct gemm *g, const struct copies *all, uint32_t i)
{
	if (i >= all->sure)
		ir_end(g->b);
}
