/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over k of a contraction whose operands come straight from global memory. k's remainder
 * has a loop of its own, or straight code:
 *
 *   k    0 ........................ whole ......... end .... k
 *        turns of k_step            turns as wide   what is
 *        (of the split's            as the loads    less
 *        invocations in rounds)
 */
#include "family/contraction/lower.h"

/* Each of the split's invocations takes every split-th step. The loop's bounds are the same for
 * all, and constants where k is, so that compilers see it end; a last, partial round is guarded. */
static void multiply_split(struct gemm *g, ir_id whole)
{
	uint32_t step = g->c.k_step, round = g->c.wg.split * step;
	bool guarded = g->c.dynamic_k || g->c.k / step * step % round;
	ir_id from = ir_loop(g->b, lower_u32(g->l, 0), whole, round);
	ir_id k = ir_add(g->b, from, lower_times(g->l, g->local.k, step));

	if (guarded)
		ir_if(g->b, ir_compute(g->b, IR_LT, k, whole, 0));
	gemm_multiply(g, k, step);
	if (guarded)
		ir_end(g->b);
	ir_end(g->b);
}

/* The last k % k_step: in turns as wide as the loads, then what is less than one. */
static void multiply_rest(struct gemm *g, uint32_t whole)
{
	const struct contraction *c = &g->c;
	uint32_t a = c->a.along_k ? c->a.width : 1, b = c->b.along_k ? c->b.width : 1;
	uint32_t turn = a > b ? a : b, end = whole + (c->k - whole) / turn * turn;
	ir_id from = lower_u32(g->l, whole), to = lower_u32(g->l, end);

	if (end - whole == turn)
		gemm_multiply(g, from, turn);
	else if (end > whole)
		gemm_multiply_range(g, from, to, turn);
	if (c->k > end)
		gemm_multiply(g, to, c->k - end);
}

static ir_id whole_steps(struct gemm *g)
{
	uint32_t step = g->c.k_step;

	return lower_times(g->l, lower_over(g->l, g->k, step), step);
}

static void multiply_whole(struct gemm *g, ir_id whole)
{
	const struct contraction *c = &g->c;

	if (!c->dynamic_k && c->k < c->k_step)
		return;
	if (c->wg.split > 1)
		multiply_split(g, whole);
	else if (!c->dynamic_k && c->k / c->k_step == 1)
		gemm_multiply(g, lower_u32(g->l, 0), c->k_step);
	else
		gemm_multiply_range(g, lower_u32(g->l, 0), whole, c->k_step);
}

void gemm_accumulate_direct(struct gemm *g)
{
	const struct contraction *c = &g->c;
	ir_id whole = whole_steps(g);

	multiply_whole(g, whole);
	if (c->dynamic_k ? c->k_step == 1 : c->k % c->k_step == 0)
		return;
	if (c->wg.split > 1)
		ir_if(g->b, ir_compute(g->b, IR_EQ, g->local.k, lower_u32(g->l, 0), 0));
	if (c->dynamic_k)
		gemm_multiply_range(g, whole, g->k, 1);
	else
		multiply_rest(g, c->k / c->k_step * c->k_step);
	if (c->wg.split > 1)
		ir_end(g->b);
}
