/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop over k of a contraction whose operands, one or both, go through workgroup memory. A
 * turn:
 *
 *   copy the tiles at k | barrier | multiply k_step, unroll at a time | barrier
 *
 * Invariant: barriers are reached by the whole workgroup, as the loop's bounds are the same for
 * all.
 */
#include "family/contraction/lower.h"

#define COPIES 8 /* of a round, where there are too many for straight code */

static void copy_all(struct gemm *g, const struct copies *all)
{
	ir_id vectors[GEMM_HELD];

	for (uint32_t i = 0; i < all->count; i++) {
		struct copy copy = gemm_begin_copy(g, all, i);
		gemm_copy_in(g, all->x, &copy, vectors);
		gemm_copy_out(g, all->x, &copy, vectors);
		gemm_end_copy(g, all, i);
	}
}

/* All invocations copy the workgroup's tile of x at k. */
static void stage(struct gemm *g, const struct operand *x, ir_id k)
{
	uint32_t threads = g->c.wg.x * g->c.wg.y, count = contraction_loads(&g->c, x->shape);
	struct copies all = gemm_copies(g, x, k);

	if (all.count <= CONTRACTION_COPIES_MAX) {
		copy_all(g, &all);
		return;
	}
	ir_id zero = ir_u32(g->b, 0), end = ir_u32(g->b, count);
	ir_id from = ir_loop(g->b, zero, end, COPIES * threads);
	all.first = ir_add(g->b, from, g->local.thread);
	all.count = COPIES;
	all.sure = count % (COPIES * threads) == 0 ? COPIES : 0;
	copy_all(g, &all);
	ir_end(g->b);
}

void gemm_begin_turn(struct gemm *g, ir_id k)
{
	ir_id zero = lower_u32(g->l, 0);

	g->left.k = g->c.a.staged ? zero : k;
	g->right.k = g->c.b.staged ? zero : k;
}

void gemm_multiply_staged(struct gemm *g)
{
	const struct contraction *c = &g->c;
	ir_id zero = lower_u32(g->l, 0);

	if (c->unroll == c->k_step)
		gemm_multiply(g, zero, c->k_step);
	else
		gemm_multiply_range(g, zero, lower_u32(g->l, c->k_step), c->unroll);
}

void gemm_accumulate_staged(struct gemm *g)
{
	ir_id k = ir_loop(g->b, lower_u32(g->l, 0), g->k, g->c.k_step);

	gemm_begin_turn(g, k);
	if (g->c.a.staged)
		stage(g, &g->left, k);
	if (g->c.b.staged)
		stage(g, &g->right, k);
	ir_barrier(g->b);
	gemm_multiply_staged(g);
	ir_barrier(g->b);
	ir_end(g->b);
}
