/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction's operands on their way through workgroup memory: the workgroup's invocations copy
 * a tile of k_step together. Loads of the tile after that may be issued before the current one is
 * multiplied, into variables, so that nobody waits for global memory at the barrier. What lies
 * beyond k is staged as 0 and never read from memory.
 */
#include "family/contraction/lower.h"

/* ---- Copying. */

#define COPIES 8 /* of a turn, where there are too many for straight code */

/* Where row `row` of the workgroup array begins: groups of rows are one vector apart. */
static ir_id shared_row(struct gemm *g, const struct contraction_operand *s, ir_id row)
{
	ir_id at = lower_times(g->l, row, s->pitch);

	return s->along_k ? ir_add(g->b, at, lower_over(g->l, row, s->group)) : at;
}

/* Where load e of the workgroup's tile of x at k comes from and goes to. */
struct errand {
	ir_id position, k, inside, place; /* inside: whether k is, or 0 where it always is */
};

static struct errand make_errand(struct gemm *g, const struct operand *x, ir_id k, ir_id e)
{
	const struct contraction_operand *s = x->shape;
	uint32_t row = (s->along_k ? g->c.k_step : s->block) / s->width;
	ir_id high = lower_over(g->l, e, row), low = lower_modulo(g->l, e, row);
	ir_id along = lower_times(g->l, low, s->width);
	ir_id position = ir_add(g->b, x->workgroup, s->along_k ? high : along);
	struct errand to = {.k = ir_add(g->b, k, s->along_k ? along : high)};

	to.position = gemm_clamp(g, x, position, gemm_span(s));
	ir_id first = shared_row(g, s, high);
	to.place = ir_add(g->b, first, lower_times(g->l, low, s->width / s->lanes));
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

/* The vectors that errand `to` brings. */
static void fetch_errand(
        struct gemm *g, const struct operand *x, const struct errand *to, ir_id vectors[])
{
	const struct contraction_operand *s = x->shape;
	ir_id step = s->along_k ? lower_over(g->l, to->k, s->width)
	                        : ir_mul(g->b, to->k, x->stride);
	ir_id origin = gemm_origin(g, x, to->position);
	ir_id at = ir_add(g->b, origin, step);

	if (s->bits == 4)
		gemm_load_weights(g, x, to->position, to->k, at, vectors);
	else
		gemm_load(g, x, at, 0, vectors);
	for (uint32_t i = 0; to->inside && i < s->width / s->lanes; i++)
		vectors[i] = or_zeros(g, to->inside, vectors[i]);
}

static void put_vectors(
        struct gemm *g, const struct operand *x, const struct errand *to, const ir_id vectors[])
{
	for (uint32_t i = 0; i < x->shape->width / x->shape->lanes; i++)
		ir_shared_store(g->b, x->shared, lower_plus(g->l, to->place, i), vectors[i]);
}

/* What an invocation copies of the tile at k: loads first + i * threads for i < count. */
struct round {
	ir_id k, first;
	uint32_t count, sure; /* those from `sure` on are copied if there are that many */
};

/* Begins copy i, inside an IF where it may not be there. */
static struct errand begin_copy(
        struct gemm *g, const struct operand *x, const struct round *r, uint32_t i)
{
	ir_id e = lower_plus(g->l, r->first, i * g->c.wg_x * g->c.wg_y);

	if (i >= r->sure)
		ir_if(g->b, ir_compute(g->b, IR_LT, e,
		                    ir_u32(g->b, contraction_loads(&g->c, x->shape)), 0));
	return make_errand(g, x, r->k, e);
}

static void end_copy(struct gemm *g, const struct round *r, uint32_t i)
{
	if (i >= r->sure)
		ir_end(g->b);
}

static void copy_round(struct gemm *g, const struct operand *x, const struct round *r)
{
	ir_id vectors[GEMM_HELD];

	for (uint32_t i = 0; i < r->count; i++) {
		struct errand to = begin_copy(g, x, r, i);
		fetch_errand(g, x, &to, vectors);
		put_vectors(g, x, &to, vectors);
		end_copy(g, r, i);
	}
}

/* All in straight code. */
static struct round whole_round(struct gemm *g, const struct operand *x, ir_id k)
{
	uint32_t threads = g->c.wg_x * g->c.wg_y, count = contraction_loads(&g->c, x->shape);

	return (struct round){k, g->thread, contraction_copies(&g->c, x->shape), count / threads};
}

void gemm_stage(struct gemm *g, struct operand *x, ir_id k)
{
	uint32_t threads = g->c.wg_x * g->c.wg_y, count = contraction_loads(&g->c, x->shape);
	struct round r = whole_round(g, x, k);

	if (r.count <= CONTRACTION_COPIES_MAX) {
		copy_round(g, x, &r);
		return;
	}
	ir_id zero = ir_u32(g->b, 0), end = ir_u32(g->b, count);
	ir_id from = ir_loop(g->b, zero, end, COPIES * threads);
	r.first = ir_add(g->b, from, g->thread);
	r.count = COPIES;
	r.sure = count % (COPIES * threads) == 0 ? COPIES : 0;
	copy_round(g, x, &r);
	ir_end(g->b);
}

/* ---- Ahead. */

void gemm_begin_ahead(struct gemm *g, struct operand *x)
{
	enum ir_scalar number = g->c.sum == CONTRACTION_DOT4 ? IR_U32 : g->number;
	ir_id zero = ir_convert(g->b, ir_u32(g->b, 0), number);
	ir_id zeros = ir_splat(g->b, zero, x->shape->lanes);

	for (uint32_t i = 0; i < contraction_copies(&g->c, x->shape); i++)
		for (uint32_t j = 0; j < x->shape->width / x->shape->lanes; j++)
			x->ahead[i][j] = ir_var(g->b, zeros);
}

void gemm_fetch_ahead(struct gemm *g, struct operand *x, ir_id k)
{
	struct round r = whole_round(g, x, k);
	ir_id vectors[GEMM_HELD];

	for (uint32_t i = 0; i < r.count; i++) {
		struct errand to = begin_copy(g, x, &r, i);
		fetch_errand(g, x, &to, vectors);
		for (uint32_t j = 0; j < x->shape->width / x->shape->lanes; j++)
			ir_set(g->b, x->ahead[i][j], vectors[j]);
		end_copy(g, &r, i);
	}
}

void gemm_put_ahead(struct gemm *g, struct operand *x)
{
	struct round r = whole_round(g, x, lower_u32(g->l, 0));
	ir_id vectors[GEMM_HELD];

	for (uint32_t i = 0; i < r.count; i++) {
		struct errand to = begin_copy(g, x, &r, i);
		for (uint32_t j = 0; j < x->shape->width / x->shape->lanes; j++)
			vectors[j] = ir_get(g->b, x->ahead[i][j]);
		put_vectors(g, x, &to, vectors);
		end_copy(g, &r, i);
	}
}
