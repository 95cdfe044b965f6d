/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction's inner product: sums of a tile in registers, over a stretch of k. `acc` are
 * variables between turns; within one, sums are values. Knows nothing of where k comes from or goes
 * to.
 */
#include "family/contraction/lower.h"

/* ---- Sums. */

static ir_id zeros(struct gemm *g)
{
	ir_id zero = g->number == IR_I32 ? ir_i32(g->b, 0) : ir_float(g->b, g->number, 0);

	return ir_splat(g->b, zero, g->c.lanes);
}

void gemm_begin_sums(struct gemm *g)
{
	for (uint32_t i = 0; i < g->c.tile_m; i++)
		for (uint32_t j = 0; j < g->vectors; j++)
			g->acc[i][j] = ir_var(g->b, zeros(g));
}

static ir_id dot4(struct gemm *g, ir_id left, ir_id right)
{
	ir_id lanes[4];

	for (uint32_t i = 0; i < g->c.lanes; i++) {
		ir_id word = ir_extract(g->b, left, i);
		ir_id other = ir_extract(g->b, right, i);
		lanes[i] = ir_dot4i8(g->b, word, other);
	}
	return ir_compose(g->b, lanes, g->c.lanes);
}

ir_id gemm_multiply_add(struct gemm *g, ir_id left, ir_id right, ir_id sum)
{
	if (sum && g->c.sum == CONTRACTION_FLOAT)
		return ir_compute(g->b, IR_FMA, left, right, sum);
	ir_id product = g->c.sum == CONTRACTION_DOT4 ? dot4(g, left, right)
	                                             : ir_mul(g->b, left, right);
	return sum ? ir_add(g->b, sum, product) : product;
}

/* ---- The tile at one k. */

ir_id gemm_right(struct gemm *g, uint32_t j)
{
	const struct contraction_operand *s = g->right.shape;
	const struct ref *refs = g->right.refs + j * g->c.lanes;
	ir_id lanes[4];

	if (!s->along_k && s->lanes == g->c.lanes)
		return refs[0].vector;
	for (uint32_t i = 0; i < g->c.lanes; i++)
		lanes[i] = ir_extract(g->b, refs[i].vector, refs[i].lane);
	return ir_compose(g->b, lanes, g->c.lanes);
}

ir_id gemm_splat(struct gemm *g, struct ref ref)
{
	return ir_splat(g->b, ir_extract(g->b, ref.vector, ref.lane), g->c.lanes);
}

static void multiply_step(struct gemm *g, ir_id k, uint32_t kk, ir_id sum[][GEMM_TILE])
{
	ir_id right[GEMM_TILE];

	gemm_fetch(g, &g->left, k, kk);
	gemm_fetch(g, &g->right, k, kk);
	for (uint32_t j = 0; j < g->vectors; j++)
		right[j] = gemm_right(g, j);
	for (uint32_t i = 0; i < g->c.tile_m; i++) {
		for (uint32_t j = 0; j < g->vectors; j++) {
			ir_id left = gemm_splat(g, g->left.refs[i]);
			sum[i][j] = gemm_multiply_add(g, left, right[j], sum[i][j]);
		}
	}
}

void gemm_multiply_tile(struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE])
{
	for (uint32_t kk = from; kk < to; kk++)
		multiply_step(g, k, kk, sum);
}

/* ---- A stretch of k. */

/* acc += sum * scale, where scales apply to a whole block's sum. */
static void add_scaled(struct gemm *g, ir_id sum[][GEMM_TILE])
{
	for (uint32_t j = 0; j < g->vectors; j++) {
		const ir_id *scales = g->weights.scale + j * g->c.lanes;
		ir_id scale = ir_compose(g->b, scales, g->c.lanes);
		for (uint32_t i = 0; i < g->c.tile_m; i++) {
			ir_id acc = ir_get(g->b, g->acc[i][j]);
			acc = ir_compute(g->b, IR_FMA, sum[i][j], scale, acc);
			ir_set(g->b, g->acc[i][j], acc);
		}
	}
}

/* acc += a x b over from..to of the turn at k, within one block of weights. */
static void multiply_block(struct gemm *g, ir_id k, uint32_t from, uint32_t to)
{
	ir_id sum[GEMM_TILE][GEMM_TILE];
	bool scaled = gemm_dequantises(g);

	if (scaled)
		gemm_begin_block(g, lower_plus(g->l, k, from));
	for (uint32_t i = 0; i < g->c.tile_m; i++)
		for (uint32_t j = 0; j < g->vectors; j++)
			sum[i][j] = scaled ? 0 : ir_get(g->b, g->acc[i][j]);
	g->form->multiply(g, k, from, to, sum);
	if (scaled) {
		add_scaled(g, sum);
		return;
	}
	for (uint32_t i = 0; i < g->c.tile_m; i++)
		for (uint32_t j = 0; j < g->vectors; j++)
			ir_set(g->b, g->acc[i][j], sum[i][j]);
}

void gemm_multiply(struct gemm *g, ir_id k, uint32_t count)
{
	uint32_t block = gemm_dequantises(g) ? g->c.scale_step : count;

	for (uint32_t from = 0; from < count; from += block)
		multiply_block(g, k, from, from + block < count ? from + block : count);
}

void gemm_multiply_range(struct gemm *g, ir_id from, ir_id to, uint32_t step)
{
	ir_id k = ir_loop(g->b, from, to, step);

	gemm_multiply(g, k, step);
	ir_end(g->b);
}
