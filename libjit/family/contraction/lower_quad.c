/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction whose workgroup is a quad: four invocations that can swap values. Row i of
 * invocation l's tile is row i ^ l within each four rows of the block. Each invocation loads only
 * its rows 0, 4, 8, ...; the three after each are loaded by the others and swapped for:
 *
 *   row of the block   l=0  l=1  l=2  l=3
 *   tile row 0          0    1    2    3     loaded
 *            1          1    0    3    2     swapped along x
 *            2          2    3    0    1     swapped along y
 *            3          3    2    1    0     swapped across
 */
#include "family/contraction/lower.h"

/* ---- Positions. */

ir_id gemm_quad_row(struct gemm *g, uint32_t i)
{
	uint32_t way = i % CONTRACTION_QUAD_SIZE;
	ir_id lane = way ? ir_compute(g->b, IR_XOR, g->local.x, ir_u32(g->b, way), 0) : g->local.x;

	return lower_plus(g->l, lane, i - way);
}

void gemm_position_quad(struct gemm *g)
{
	gemm_position_blocks(g);
	gemm_position_operand(g, &g->left, CONTRACTION_QUAD_SIZE);
	gemm_position_operand(g, &g->right, 1);
}

/* ---- Products. */

/* Row i of a at k + kk; must be asked for in ascending order of i, and for each of kk. */
static struct ref fetch_row(struct gemm *g, uint32_t i, ir_id k, uint32_t kk)
{
	static const uint8_t ways[] = {0, IR_QUAD_SWAP_X, IR_QUAD_SWAP_Y, IR_QUAD_SWAP_DIAGONAL};
	struct operand *x = &g->left;
	uint32_t way = i % CONTRACTION_QUAD_SIZE, lanes = x->shape->lanes, at = kk / lanes;
	uint32_t vectors = kk % x->shape->width ? 0 : x->shape->width / lanes;

	if (vectors && !way) {
		struct step step = gemm_step_along_k(g, x, k, kk);
		gemm_read_along_k(g, x, i, &step, x->held[i] + at);
	}
	for (uint32_t v = at; way && v < at + vectors; v++)
		x->held[i][v] = ir_subgroup(g->b, (enum ir_op)ways[way], x->held[i - way][v]);
	return (struct ref){x->held[i][at], kk % lanes};
}

/* Four rows after another, so that few values are alive at once: what a compiler for a processor
 * cannot keep in registers it stores and loads. */
void gemm_multiply_quad(struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE])
{
	ir_id right[GEMM_UNROLL][GEMM_TILE];
	struct ref left[GEMM_UNROLL];

	for (uint32_t kk = from; kk < to; kk++) {
		gemm_fetch(g, &g->right, k, kk);
		for (uint32_t j = 0; j < g->vectors; j++)
			right[kk][j] = gemm_right(g, j);
	}
	for (uint32_t i = 0; i < g->c.tile_m; i++) {
		for (uint32_t kk = from; kk < to; kk++)
			left[kk] = fetch_row(g, i, k, kk);
		for (uint32_t j = 0; j < g->vectors; j++)
			for (uint32_t kk = from; kk < to; kk++)
				sum[i][j] = gemm_multiply_add(
				        g, gemm_splat(g, left[kk]), right[kk][j], sum[i][j]);
	}
}
