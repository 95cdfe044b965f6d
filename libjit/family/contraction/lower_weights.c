/* SPDX-License-Identifier: Apache-2.0
 *
 * 4-bit weights: the scales and zero points of their blocks. The element at k is loaded 16^(k % 4)
 * times too large (lower_load.c). Either its partner in a is made as much smaller, or, where b is
 * staged, its own scale. Scales of a whole block apply to the block's sum (lower_multiply.c), or,
 * where b is staged, to each weight.
 */
#include "family/contraction/lower.h"

void gemm_bind_weights(struct gemm *g)
{
	struct weights *w = &g->weights;

	w->blocks = g->c.b.row / g->c.scale_step;
	w->scales = lower_bind(g->l, 1);
	w->zeros = g->op->value[MATMUL_NBITS_ZEROS] ? lower_bind(g->l, 1) : GEMM_NONE;
}

static ir_id scale_at(struct gemm *g, ir_id column, ir_id block)
{
	ir_id at = ir_add(g->b, lower_times(g->l, column, g->weights.blocks), block);

	return lower_load(g->l, g->weights.scales, at);
}

/* The column's zero point, as nibbles are to be lessened by. Rows of zero points begin in a byte of
 * their own. */
static ir_id zero_at(struct gemm *g, ir_id column, ir_id block)
{
	const struct weights *w = &g->weights;
	ir_id zero = ir_f32(g->b, 8), one = ir_f32(g->b, GEMM_2_23), lanes[4];

	if (w->zeros != GEMM_NONE) {
		ir_id row = lower_times(g->l, column, w->blocks + w->blocks % 2);
		zero = lower_load(g->l, w->zeros, ir_add(g->b, row, block));
		zero = ir_convert(g->b, zero, IR_F32);
	}
	for (uint32_t i = 0; i < 4; i++) {
		ir_id times = ir_f32(g->b, (float)(1u << 4 * i));
		lanes[i] = ir_compute(g->b, IR_FMA, zero, times, one);
	}
	return ir_compose(g->b, lanes, 4);
}

void gemm_begin_block(struct gemm *g, ir_id k)
{
	struct weights *w = &g->weights;
	ir_id block = lower_over(g->l, ir_add(g->b, g->right.k, k), g->c.scale_step);

	for (uint32_t i = 0; i < g->c.tile_n; i++) {
		w->scale[i] = scale_at(g, w->column[i], block);
		w->zero[i] = zero_at(g, w->column[i], block);
	}
}

/* 16^-(k % 4) for the k of `lanes` neighbours. */
static ir_id shrinking(struct gemm *g, uint32_t k, uint32_t lanes)
{
	static const float factors[] = {1, 0x1p-4f, 0x1p-8f, 0x1p-12f};
	ir_id values[4];

	for (uint32_t i = 0; i < lanes; i++)
		values[i] = ir_f32(g->b, factors[(k + i) % 4]);
	return ir_compose(g->b, values, lanes);
}

void gemm_shrink(struct gemm *g, ir_id vectors[], uint32_t width, uint32_t kk)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(g->b, vectors[0]));

	for (uint32_t i = 0; i < width; i += lanes) {
		ir_id factor = shrinking(g, kk + i, lanes);
		vectors[i / lanes] = ir_mul(g->b, vectors[i / lanes], factor);
	}
}

struct dequant gemm_dequant(struct gemm *g, ir_id column, ir_id k)
{
	ir_id block = lower_over(g->l, k, g->c.scale_step);
	ir_id scale = scale_at(g, column, block);
	ir_id zero = zero_at(g, column, block);
	ir_id scales = ir_splat(g->b, scale, 4), shrunk = shrinking(g, 0, 4);

	return (struct dequant){zero, ir_mul(g->b, scales, shrunk)};
}
