/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a contraction's workgroups, invocations and tile elements are: in out, in the two operands
 * and in the arrays that stage these. Loads clamp their outer position, so that no edge is passed;
 * what they compute there is never stored.
 *
 *   out           block: wg_x * tile_n columns            the next block
 *                 x=0      x=1      x=0      x=1           x=0
 *             +--------+--------+--------+--------+ +--------+--
 *   y=0       |        |        |        |        | |        |        tile_m rows
 *             +--------+--------+--------+--------+ +--------+--
 *   y=1       |        |        |        |        | |        |
 *             +--------+--------+--------+--------+ +--------+--
 *               group 0 of each   group 1 of each
 *
 * An invocation's tile_m rows are neighbours. Its tile_n columns are groups of `group` neighbours,
 * wg_x * group columns apart, so that neighbouring invocations read neighbouring vectors of b:
 *
 *   column i of x's tile = (i / group * wg_x + x) * group + i % group
 *
 * Dynamic dimensions that may pass what a dispatch holds are walked in turns by the workgroups
 * there are (strided).
 */
#include "family/contraction/lower.h"

/* ---- The invocation and the extents. */

static void take_locals(struct gemm *g)
{
	const struct contraction *c = &g->c;
	uint32_t shift = c->wg.k_fastest || c->subgroup ? 1 : 0;

	g->local.x = c->form == CONTRACTION_QUAD ? ir_builtin(g->b, IR_SUBGROUP_INVOCATION)
	                                         : lower_local(g->l, shift);
	g->local.y = lower_local(g->l, shift + 1);
	g->local.k = c->subgroup ? ir_builtin(g->b, IR_SUBGROUP_INVOCATION)
	                         : lower_local(g->l, (shift + 2) % 3);
	g->local.thread = ir_add(g->b, lower_times(g->l, g->local.y, c->wg.x), g->local.x);
}

void gemm_measure(struct gemm *g)
{
	const struct contraction_fields *f = contraction_fields(g->op);

	take_locals(g);
	g->m = lower_dim(g->l, f->m);
	g->n = lower_dim(g->l, f->n);
	g->k = g->c.dynamic_k ? lower_dim(g->l, f->k) : lower_u32(g->l, g->c.k);
	g->batch = g->c.nbits ? lower_u32(g->l, 1) : lower_dim(g->l, f->batch);
	g->left.outer = g->m;
	g->right.outer = g->n;
}

static void measure_operand(struct gemm *g, struct operand *x)
{
	const struct contraction_operand *s = x->shape;

	x->k = lower_u32(g->l, 0);
	if (s->row)
		x->stride = lower_u32(g->l, s->row / s->width);
	else
		x->stride = s->along_k ? g->k : x->outer;
}

void gemm_measure_operands(struct gemm *g)
{
	measure_operand(g, &g->left);
	measure_operand(g, &g->right);
}

/* ---- Blocks. */

/* Which block along x, y or z: the workgroup's, or one after another in turns. */
static ir_id take_block(struct gemm *g, uint32_t dimension, ir_id extent, uint32_t block)
{
	ir_id own = ir_builtin(g->b, (enum ir_builtin)(IR_WORKGROUP_ID_X + dimension));

	if (!g->c.wg.strided[dimension])
		return own;
	ir_id blocks = lower_over(g->l, lower_plus(g->l, extent, block - 1), block);
	return ir_loop(g->b, own, blocks, CONTRACTION_GRID_MAX);
}

/* The block's first element along an outer dimension; 0 when one block covers it. */
static ir_id block_start(struct gemm *g, const struct operand *x, uint32_t dimension, bool dynamic)
{
	if (!dynamic && x->shape->block >= x->shape->outer)
		return lower_u32(g->l, 0);
	return lower_times(
	        g->l, take_block(g, dimension, x->outer, x->shape->block), x->shape->block);
}

void gemm_position_blocks(struct gemm *g)
{
	const struct contraction_fields *f = contraction_fields(g->op);
	bool one = g->c.batch == 1 && (g->c.nbits || op_dynamic_at(g->op, f->batch) < 0);

	g->matrix = one ? lower_u32(g->l, 0) : take_block(g, 2, g->batch, 1);
	g->left.workgroup = block_start(g, &g->left, 1, op_dynamic_at(g->op, f->m) >= 0);
	g->right.workgroup = block_start(g, &g->right, 0, op_dynamic_at(g->op, f->n) >= 0);
}

void gemm_end_turns(struct gemm *g)
{
	const bool *strided = g->c.wg.strided;
	uint32_t loops = strided[0] + strided[1] + strided[2];

	if (loops && g->c.reduce_length)
		ir_barrier(g->b);
	while (loops--)
		ir_end(g->b);
}

/* ---- Elements of an operand. */

uint32_t gemm_span(const struct contraction_operand *x)
{
	return x->along_k ? 1 : x->width;
}

ir_id gemm_clamp(struct gemm *g, const struct operand *x, ir_id position, uint32_t elements)
{
	if (x->shape->exact)
		return position;
	ir_id last = ir_compute(g->b, IR_SUB, x->outer, ir_u32(g->b, elements), 0);
	return ir_compute(g->b, IR_MIN, position, last, 0);
}

ir_id gemm_origin(struct gemm *g, const struct operand *x, ir_id position)
{
	const struct contraction_operand *s = x->shape;
	ir_id at = s->along_k ? ir_mul(g->b, position, x->stride)
	                      : lower_over(g->l, position, s->width);

	return ir_add(g->b, at, x->matrix);
}

ir_id gemm_matrix_size(struct gemm *g, const struct operand *x)
{
	return ir_mul(g->b, x->shape->along_k ? x->outer : g->k, x->stride);
}

ir_id gemm_matrix_of(struct gemm *g, const struct operand *x, ir_id matrix)
{
	return x->shape->matrices ? lower_modulo(g->l, matrix, x->shape->matrices) : matrix;
}

ir_id gemm_tile_row(struct gemm *g, uint32_t i)
{
	return lower_plus(g->l, lower_times(g->l, g->local.y, g->left.shape->tile), i);
}

ir_id gemm_column(struct gemm *g, uint32_t i)
{
	uint32_t columns = g->right.shape->group, group = i / columns;

	return lower_plus(g->l, lower_times(g->l, g->local.x, columns),
	        group * g->c.wg.x * columns + i % columns);
}

/* Vector index in the workgroup array of tile element i at k = 0, as one product and a constant
 * (lower_copy.c draws the array). */
static ir_id shared_slot(struct gemm *g, const struct operand *x, uint32_t i)
{
	const struct contraction_operand *s = x->shape;
	ir_id local = x == &g->left ? g->local.y : g->local.x;
	uint32_t locals = x == &g->left ? g->c.wg.y : g->c.wg.x;
	uint32_t group = s->along_k ? s->group * s->pitch + 1 : s->group / s->lanes;
	uint32_t within = s->along_k ? i % s->group * s->pitch : i % s->group / s->lanes;

	return lower_plus(
	        g->l, lower_times(g->l, local, group), i / s->group * locals * group + within);
}

void gemm_position_operand(struct gemm *g, struct operand *x, uint32_t each)
{
	const struct contraction_operand *s = x->shape;
	uint32_t span = s->staged && !s->along_k ? s->lanes : gemm_span(s);
	ir_id size = gemm_matrix_size(g, x);

	x->matrix = ir_mul(g->b, gemm_matrix_of(g, x, g->matrix), size);
	for (uint32_t i = 0; i < s->tile; i += each * span) {
		if (s->staged) {
			x->slot[i] = shared_slot(g, x, i);
			continue;
		}
		ir_id within = x == &g->left ? g->form->row(g, i) : gemm_column(g, i);
		ir_id position = ir_add(g->b, x->workgroup, within);
		position = gemm_clamp(g, x, position, span);
		x->origin[i] = gemm_origin(g, x, position);
		if (x == &g->right)
			g->weights.column[i] = position;
	}
}

void gemm_position_tile(struct gemm *g)
{
	gemm_position_blocks(g);
	gemm_position_operand(g, &g->left, 1);
	gemm_position_operand(g, &g->right, 1);
}
