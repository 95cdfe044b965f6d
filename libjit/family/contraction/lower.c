/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction's lowering, step by step. Each invocation accumulates a tile of out in registers
 * over k: `unroll` k at a time straight from global memory, or through workgroup memory in tiles of
 * k_step. Only names the steps; each form (contraction_form) brings its own where it differs.
 */
#include "family/contraction/lower.h"

/* A form that is a kernel of its own has no row. */
static const struct gemm_form forms[] = {
        [CONTRACTION_TILE] = {gemm_position_tile, gemm_tile_row, gemm_multiply_tile,
                gemm_store_tile},
        [CONTRACTION_QUAD] = {gemm_position_quad, gemm_quad_row, gemm_multiply_quad,
                gemm_store_tile},
        [CONTRACTION_FLAT] = {gemm_position_flat, NULL, gemm_multiply_flat, gemm_store_flat},
};
_Static_assert(sizeof forms / sizeof *forms == CONTRACTION_MATRIX, "each other form has a row");

static void declare_arrays(struct gemm *g)
{
	const struct contraction *c = &g->c;
	enum ir_scalar number = c->sum == CONTRACTION_DOT4 ? IR_U32 : g->number;

	if (c->a.staged)
		g->left.shared = ir_shared(g->b, IR_TYPE(number, c->a.lanes), c->a.shared_length);
	if (c->b.staged)
		g->right.shared = ir_shared(g->b, IR_TYPE(number, c->b.lanes), c->b.shared_length);
	if (c->reduce_length)
		g->reduce = ir_shared(g->b, IR_TYPE(g->number, c->lanes), c->reduce_length);
}

static void bind(struct gemm *g)
{
	gemm_bind_operands(g);
	if (g->c.nbits)
		gemm_bind_weights(g);
	gemm_bind_outputs(g);
}

static void accumulate(struct gemm *g)
{
	gemm_begin_sums(g);
	if (!g->c.a.staged && !g->c.b.staged)
		gemm_accumulate_direct(g);
	else if (g->c.ahead)
		gemm_accumulate_ahead(g);
	else
		gemm_accumulate_staged(g);
}

static void lower_form(struct gemm *g)
{
	g->form = &forms[g->c.form];
	bind(g);
	declare_arrays(g);
	gemm_measure(g);
	gemm_measure_operands(g);
	g->form->position(g);
	accumulate(g);
	gemm_reduce(g);
	g->form->store(g);
	gemm_end_turns(g);
}

void contraction_lower(struct lower *l)
{
	struct gemm g = {
	        .l = l, .b = l->b, .op = l->op, .c = contraction_derive(l->op, l->schedule)};

	l->number = g.c.half_sums ? IR_F16 : IR_F32;
	g.number = g.c.sum == CONTRACTION_FLOAT ? l->number : IR_I32;
	g.vectors = g.c.tile_n / g.c.lanes;
	if (g.c.form == CONTRACTION_MATRIX)
		gemm_by_matrices(&g);
	else
		lower_form(&g);
}
