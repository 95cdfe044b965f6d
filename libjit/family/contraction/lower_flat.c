/* SPDX-License-Identifier: Apache-2.0
 *
 * Contractions whose output is f16 in words of two, with an odd number of elements in a row: words
 * then hold the end of one row and the beginning of the next. Out is taken as one long line of
 * pairs, so that each word has one invocation that writes it. An invocation's pairs touch two rows
 * at most: it reads both rows of a, and selects.
 *
 *   n=5    row      0 0 0 0 0 1 1 1 1 1 2 2 ...
 *          column   0 1 2 3 4 0 1 2 3 4 0 1
 *          word     |  0|  1|  2|  3|  4|  5|
 *                             ^ the end of row 0 and the beginning of row 1
 */
#include "family/contraction/lower.h"

/* ---- Positions. */

static ir_id rows_of_out(struct gemm *g)
{
	return ir_mul(g->b, g->batch, g->m);
}

static ir_id pitch_of(struct gemm *g)
{
	return g->c.out.pitch ? lower_u32(g->l, g->c.out.pitch) : g->n;
}

/* Load index of the matrix that row `row`, counted over all matrices, multiplies. */
static ir_id matrix_of_row(struct gemm *g, const struct operand *x, ir_id row)
{
	ir_id size = gemm_matrix_size(g, x);
	ir_id matrix = ir_compute(g->b, IR_DIV, row, g->m, 0);

	return ir_mul(g->b, gemm_matrix_of(g, x, matrix), size);
}

static void position_line(struct gemm *g)
{
	ir_id group = lower_times(g->l, lower_flat_workgroup(g->l), g->c.wg.x);
	ir_id invocation = ir_add(g->b, group, g->local.x);
	ir_id rows = rows_of_out(g);

	g->flat.first = lower_times(g->l, invocation, g->c.tile_n);
	g->flat.end = ir_mul(g->b, rows, pitch_of(g));
	if (g->c.out.keeps) /* out ends with the last row's own elements */
		g->flat.end = lower_plus(g->l, g->flat.end, g->c.n - g->c.out.pitch);
}

/* The two rows of a: that of the first element, and the one after, at most the last. */
static void position_rows(struct gemm *g, ir_id rows[2])
{
	struct operand *x = &g->left;
	ir_id row = ir_compute(g->b, IR_DIV, g->flat.first, pitch_of(g), 0);
	ir_id last = ir_compute(g->b, IR_SUB, rows_of_out(g), ir_u32(g->b, 1), 0);

	for (uint32_t i = 0; i < 2; i++) {
		rows[i] = ir_compute(g->b, IR_MIN, lower_plus(g->l, row, i), last, 0);
		x->matrix = matrix_of_row(g, x, rows[i]);
		ir_id within = ir_compute(g->b, IR_MOD, rows[i], g->m, 0);
		x->origin[i] = gemm_origin(g, x, within);
	}
}

/* Element i of the line: its column of b, in the matrix of its row. Answers whether it lies in the
 * second of the rows. */
static ir_id position_column(struct gemm *g, uint32_t i, ir_id start, const ir_id matrices[2])
{
	struct operand *x = &g->right;
	ir_id offset = lower_plus(g->l, start, i), pitch = pitch_of(g);
	ir_id next = ir_compute(g->b, IR_GE, offset, pitch, 0);
	ir_id less = ir_compute(g->b, IR_SUB, offset, pitch, 0);
	ir_id column = ir_select(g->b, next, less, offset);
	ir_id last = ir_compute(g->b, IR_SUB, g->n, ir_u32(g->b, 1), 0);

	g->flat.inside[i] = ir_compute(g->b, IR_LT, column, g->n, 0);
	g->flat.column[i] = ir_compute(g->b, IR_MIN, column, last, 0);
	g->weights.column[i] = g->flat.column[i];
	x->matrix = ir_select(g->b, next, matrices[1], matrices[0]);
	x->origin[i] = gemm_origin(g, x, g->flat.column[i]);
	return next;
}

void gemm_position_flat(struct gemm *g)
{
	ir_id rows[2], matrices[2], next[2];

	position_line(g);
	position_rows(g, rows);
	for (uint32_t i = 0; i < 2; i++)
		matrices[i] = matrix_of_row(g, &g->right, rows[i]);
	ir_id start = ir_compute(g->b, IR_MOD, g->flat.first, pitch_of(g), 0);
	for (uint32_t i = 0; i < g->c.tile_n; i += 2) {
		next[0] = position_column(g, i, start, matrices);
		next[1] = position_column(g, i + 1, start, matrices);
		g->flat.next_row[i / 2] = ir_compose(g->b, next, 2);
	}
}

/* ---- Products and stores. */

/* What pair j of b is multiplied with. */
static ir_id left_pair(struct gemm *g, uint32_t j)
{
	ir_id rows[2];

	for (uint32_t i = 0; i < 2; i++)
		rows[i] = gemm_splat(g, g->left.refs[i]);
	return ir_select(g->b, g->flat.next_row[j], rows[1], rows[0]);
}

void gemm_multiply_flat(struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE])
{
	ir_id right[GEMM_TILE];

	for (uint32_t kk = from; kk < to; kk++) {
		gemm_fetch(g, &g->left, k, kk);
		gemm_fetch(g, &g->right, k, kk);
		for (uint32_t j = 0; j < g->vectors; j++)
			right[j] = gemm_right(g, j);
		for (uint32_t j = 0; j < g->vectors; j++)
			sum[0][j] = gemm_multiply_add(g, left_pair(g, j), right[j], sum[0][j]);
	}
}

static void store_pair(struct gemm *g, uint32_t j, ir_id element)
{
	const ir_id *inside = g->flat.inside + 2 * j;
	ir_id at = lower_over(g->l, element, 2), sum = ir_get(g->b, g->acc[0][j]);
	ir_id value = gemm_epilogue(g, sum, g->flat.column + 2 * j, at);

	if (!g->c.out.keeps) {
		lower_store(g->l, g->epilogue.out, at, value);
		return;
	}
	ir_if(g->b, ir_compute(g->b, IR_LOR, inside[0], inside[1], 0));
	gemm_merge(g, at, value, inside[0], inside[1]);
	ir_end(g->b);
}

void gemm_store_flat(struct gemm *g)
{
	if (g->c.wg.split > 1)
		ir_if(g->b, ir_compute(g->b, IR_EQ, g->local.k, lower_u32(g->l, 0), 0));
	for (uint32_t j = 0; j < g->vectors; j++) {
		ir_id element = lower_plus(g->l, g->flat.first, 2 * j);
		ir_if(g->b, ir_compute(g->b, IR_LT, element, g->flat.end, 0));
		store_pair(g, j, element);
		ir_end(g->b);
	}
	if (g->c.wg.split > 1)
		ir_end(g->b);
}
