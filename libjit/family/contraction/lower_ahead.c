/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop over k where the next tiles are loaded, into variables, before the current ones are
 * multiplied: nobody waits for global memory at the barrier. A turn:
 *
 *   variables to workgroup memory | barrier | fetch the tiles at k + k_step | multiply | barrier
 */
#include "family/contraction/lower.h"

/* The vectors of each copy of the next tile of a and of b. */
struct ahead {
	struct gemm *g;
	ir_id left[CONTRACTION_COPIES_MAX][GEMM_HELD], right[CONTRACTION_COPIES_MAX][GEMM_HELD];
};

static uint32_t vectors_of(const struct operand *x)
{
	return x->shape->width / x->shape->lanes;
}

static void begin(struct gemm *g, const struct operand *x, ir_id variables[][GEMM_HELD])
{
	enum ir_scalar number = g->c.sum == CONTRACTION_DOT4 ? IR_U32 : g->number;
	ir_id zero = ir_convert(g->b, ir_u32(g->b, 0), number);
	ir_id zeros = ir_splat(g->b, zero, x->shape->lanes);

	for (uint32_t i = 0; i < contraction_copies(&g->c, x->shape); i++)
		for (uint32_t j = 0; j < vectors_of(x); j++)
			variables[i][j] = ir_var(g->b, zeros);
}

static void fetch(struct gemm *g, const struct operand *x, ir_id k, ir_id variables[][GEMM_HELD])
{
	struct copies all = gemm_copies(g, x, k);
	ir_id vectors[GEMM_HELD];

	for (uint32_t i = 0; i < all.count; i++) {
		struct copy copy = gemm_begin_copy(g, &all, i);
		gemm_copy_in(g, x, &copy, vectors);
		for (uint32_t j = 0; j < vectors_of(x); j++)
			ir_set(g->b, variables[i][j], vectors[j]);
		gemm_end_copy(g, &all, i);
	}
}

static void put(struct gemm *g, const struct operand *x, ir_id variables[][GEMM_HELD])
{
	struct copies all = gemm_copies(g, x, lower_u32(g->l, 0));
	ir_id vectors[GEMM_HELD];

	for (uint32_t i = 0; i < all.count; i++) {
		struct copy copy = gemm_begin_copy(g, &all, i);
		for (uint32_t j = 0; j < vectors_of(x); j++)
			vectors[j] = ir_get(g->b, variables[i][j]);
		gemm_copy_out(g, x, &copy, vectors);
		gemm_end_copy(g, &all, i);
	}
}

static void fetch_tiles(struct ahead *ahead, ir_id k)
{
	struct gemm *g = ahead->g;

	if (g->c.a.staged)
		fetch(g, &g->left, k, ahead->left);
	if (g->c.b.staged)
		fetch(g, &g->right, k, ahead->right);
}

static void fetch_next(struct ahead *ahead, ir_id k)
{
	struct gemm *g = ahead->g;
	ir_id next = lower_plus(g->l, k, g->c.k_step);

	ir_if(g->b, ir_compute(g->b, IR_LT, next, g->k, 0));
	fetch_tiles(ahead, next);
	ir_end(g->b);
}

static void put_tiles(struct ahead *ahead)
{
	struct gemm *g = ahead->g;

	if (g->c.a.staged)
		put(g, &g->left, ahead->left);
	if (g->c.b.staged)
		put(g, &g->right, ahead->right);
}

void gemm_accumulate_ahead(struct gemm *g)
{
	struct ahead ahead = {.g = g};

	if (g->c.a.staged)
		begin(g, &g->left, ahead.left);
	if (g->c.b.staged)
		begin(g, &g->right, ahead.right);
	fetch_tiles(&ahead, lower_u32(g->l, 0));
	ir_id k = ir_loop(g->b, lower_u32(g->l, 0), g->k, g->c.k_step);
	gemm_begin_turn(g, k);
	put_tiles(&ahead);
	ir_barrier(g->b);
	fetch_next(&ahead, k);
	gemm_multiply_staged(g);
	ir_barrier(g->b);
	ir_end(g->b);
}
