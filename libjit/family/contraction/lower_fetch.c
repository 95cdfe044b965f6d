/* SPDX-License-Identifier: Apache-2.0
 *
 * What a tile needs of an operand at one k: vectors read from workgroup or from global memory, and
 * which lane of them each element is. An operand along k is read once for all the k that its
 * vectors cover; one along its outer dimension anew for each k.
 */
#include "family/contraction/lower.h"

static void read_element(
        struct gemm *g, const struct operand *x, uint32_t i, ir_id step, ir_id vectors[])
{
	ir_id from = x->shape->staged ? x->slot[i] : x->origin[i];
	ir_id at = ir_add(g->b, from, step);

	if (x->shape->staged)
		vectors[0] = ir_shared_load(g->b, x->shared, at);
	else
		gemm_load(g, x, at, g->weights.zero[i], vectors);
}

/* Elements that one read yields, from either memory. */
static uint32_t read_width(const struct contraction_operand *s)
{
	return s->staged ? s->lanes : s->width;
}

struct step gemm_step_along_k(struct gemm *g, const struct operand *x, ir_id k, uint32_t kk)
{
	uint32_t width = read_width(x->shape);
	ir_id from = lower_over(g->l, ir_add(g->b, x->k, k), width);

	return (struct step){lower_plus(g->l, from, kk / width), kk};
}

void gemm_read_along_k(struct gemm *g, const struct operand *x, uint32_t i, const struct step *step,
        ir_id vectors[])
{
	read_element(g, x, i, step->vectors, vectors);
	if (x == &g->left && gemm_dequantises(g))
		gemm_shrink(g, vectors, read_width(x->shape), step->kk);
}

static void fetch_along_k(struct gemm *g, struct operand *x, ir_id k, uint32_t kk)
{
	const struct contraction_operand *s = x->shape;
	uint32_t width = read_width(s);

	if (kk % width == 0) {
		struct step step = gemm_step_along_k(g, x, k, kk);
		for (uint32_t i = 0; i < s->tile; i++)
			gemm_read_along_k(g, x, i, &step, x->held[i]);
	}
	for (uint32_t i = 0; i < s->tile; i++)
		x->refs[i] = (struct ref){x->held[i][kk % width / s->lanes], kk % s->lanes};
}

void gemm_fetch(struct gemm *g, struct operand *x, ir_id k, uint32_t kk)
{
	const struct contraction_operand *s = x->shape;
	uint32_t width = read_width(s);

	if (s->along_k) {
		fetch_along_k(g, x, k, kk);
		return;
	}
	ir_id row = lower_plus(g->l, ir_add(g->b, x->k, k), kk);
	ir_id step = s->staged ? lower_times(g->l, row, s->pitch) : ir_mul(g->b, row, x->stride);
	for (uint32_t i = 0; i < s->tile; i++) {
		if (i % width == 0)
			read_element(g, x, i, step, x->held[i]);
		x->refs[i].vector = x->held[i - i % width][i % width / s->lanes];
		x->refs[i].lane = i % s->lanes;
	}
}
