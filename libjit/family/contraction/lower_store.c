/* SPDX-License-Identifier: Apache-2.0
 *
 * From a contraction's sums to its output: the sum over the invocations that k was split among, the
 * epilogue, and stores that are guarded at the edges.
 */
#include "family/contraction/lower.h"

/* ---- Binding. */

static uint32_t bind_if(struct gemm *g, bool there, uint32_t lanes)
{
	return there ? lower_bind(g->l, lanes) : GEMM_NONE;
}

void gemm_bind_outputs(struct gemm *g)
{
	const struct contraction_fields *f = contraction_fields(g->op);
	const uint32_t *v = g->op->value;
	bool weights = !g->c.nbits && v[MATMUL_B] == DTYPE_I8 && v[MATMUL_A] != DTYPE_I8;

	g->epilogue.scales = bind_if(g, weights, g->c.out.column_width);
	g->epilogue.bias = bind_if(g, contraction_has(g->op, f->bias), g->c.out.column_width);
	g->epilogue.residual = bind_if(g, contraction_has(g->op, f->residual), g->c.out.width);
	g->epilogue.out = lower_bind(g->l, g->c.out.width);
}

/* ---- The split's sum. */

static ir_id slot_of(struct gemm *g, uint32_t accumulator, ir_id lane)
{
	uint32_t threads = g->c.wg.x * g->c.wg.y;
	ir_id row = lower_plus(g->l, lane, accumulator * g->c.wg.split);

	return ir_add(g->b, lower_times(g->l, row, threads), g->local.thread);
}

static void put_own(struct gemm *g)
{
	for (uint32_t n = 0; n < g->c.tile_m * g->vectors; n++) {
		ir_id slot = slot_of(g, n, g->local.k);
		ir_id own = ir_get(g->b, g->acc[n / g->vectors][n % g->vectors]);
		ir_shared_store(g->b, g->reduce, slot, own);
	}
}

/* acc += those of the lanes next, 2 next, ... below `span` further on. */
static void add_others(struct gemm *g, uint32_t next, uint32_t span)
{
	for (uint32_t n = 0; n < g->c.tile_m * g->vectors; n++) {
		ir_id var = g->acc[n / g->vectors][n % g->vectors];
		ir_id sum = ir_get(g->b, var);
		for (uint32_t other = next; other < span; other += next) {
			ir_id slot = slot_of(g, n, lower_plus(g->l, g->local.k, other));
			ir_id part = ir_shared_load(g->b, g->reduce, slot);
			sum = ir_add(g->b, part, sum);
		}
		ir_set(g->b, var, sum);
	}
}

/* A tree in workgroup memory, four branches a level. Each level writes only slots that nobody reads
 * in it. */
static void reduce_workgroup(struct gemm *g)
{
	put_own(g);
	for (uint32_t span = g->c.wg.split, next; span > 1; span = next) {
		next = span > 4 ? span / 4 : 1;
		ir_barrier(g->b);
		ir_if(g->b, ir_compute(g->b, IR_LT, g->local.k, lower_u32(g->l, next), 0));
		add_others(g, next, span);
		if (next > 1)
			put_own(g);
		ir_end(g->b);
	}
}

static void reduce_subgroup(struct gemm *g)
{
	for (uint32_t i = 0; i < g->c.tile_m; i++) {
		for (uint32_t j = 0; j < g->vectors; j++) {
			ir_id own = ir_get(g->b, g->acc[i][j]);
			ir_set(g->b, g->acc[i][j], ir_subgroup(g->b, IR_SUBGROUP_ADD, own));
		}
	}
}

void gemm_reduce(struct gemm *g)
{
	if (g->c.subgroup)
		reduce_subgroup(g);
	else if (g->c.wg.split > 1)
		reduce_workgroup(g);
}

/* ---- The epilogue. */

/* out_width elements of a tensor that has one for each column. */
static ir_id load_columns(struct gemm *g, uint32_t tensor, const ir_id columns[])
{
	ir_id lanes[4];

	if (g->c.out.column_width == g->c.out.width)
		return lower_load(g->l, tensor, lower_over(g->l, columns[0], g->c.out.width));
	for (uint32_t i = 0; i < g->c.out.width; i++)
		lanes[i] = lower_load(g->l, tensor, columns[i]);
	return ir_compose(g->b, lanes, g->c.out.width);
}

static ir_id scaled(struct gemm *g, ir_id value, const ir_id columns[])
{
	const struct contraction_fields *f = contraction_fields(g->op);

	if (g->epilogue.scales != GEMM_NONE)
		value = ir_mul(g->b, value, load_columns(g, g->epilogue.scales, columns));
	if (f->scale == CONTRACTION_NONE || op_float(g->op, f->scale) == 1)
		return value;
	return ir_mul(g->b, value, lower_literal(g->b, op_float(g->op, f->scale), value));
}

ir_id gemm_epilogue(struct gemm *g, ir_id sum, const ir_id columns[], ir_id at)
{
	ir_id value = ir_convert(g->b, sum, lower_number(g->l, g->epilogue.out));

	value = scaled(g, value, columns);
	if (g->epilogue.bias != GEMM_NONE)
		value = ir_add(g->b, value, load_columns(g, g->epilogue.bias, columns));
	if (g->epilogue.residual != GEMM_NONE)
		value = ir_add(g->b, value, lower_load(g->l, g->epilogue.residual, at));
	return lower_acts(g->l, contraction_fields(g->op)->act, value);
}

/* ---- Stores. */

void gemm_merge(struct gemm *g, ir_id at, ir_id pair, ir_id first, ir_id second)
{
	ir_id none = ir_u32(g->b, 0);
	ir_id low = ir_select(g->b, first, ir_u32(g->b, 0xffff), none);
	ir_id high = ir_select(g->b, second, ir_u32(g->b, 0xffff0000), none);
	ir_id mask = ir_compute(g->b, IR_OR, low, high, 0);
	ir_id rest = ir_compute(g->b, IR_XOR, mask, ir_u32(g->b, UINT32_MAX), 0);
	ir_id value = lower_half_word(g->b, lower_half_bits(g->b, pair), 0);
	ir_id old = ir_load(g->b, g->epilogue.out, at);

	value = ir_compute(g->b, IR_AND, value, mask, 0);
	old = ir_compute(g->b, IR_AND, old, rest, 0);
	ir_store(g->b, g->epilogue.out, at, ir_compute(g->b, IR_OR, value, old, 0));
}

/* Lanes lane, lane + 1, ... of an accumulator. */
static ir_id part_of(struct gemm *g, ir_id sum, uint32_t lane)
{
	ir_id lanes[4];

	if (g->c.out.width == g->c.lanes)
		return sum;
	for (uint32_t i = 0; i < g->c.out.width; i++)
		lanes[i] = ir_extract(g->b, sum, lane + i);
	return ir_compose(g->b, lanes, g->c.out.width);
}

/* Vector index in out of the first element of row `row`. */
static ir_id row_start(struct gemm *g, ir_id row)
{
	uint32_t width = g->c.out.width;

	if (g->c.out.one_row)
		return lower_u32(g->l, 0);
	ir_id rows = ir_add(g->b, ir_mul(g->b, g->matrix, g->m), row);
	return g->c.out.pitch ? lower_times(g->l, rows, g->c.out.pitch / width)
	                      : ir_mul(g->b, rows, g->n);
}

/* One store, at columns column, column + 1, ... of the row that starts at `row`. Columns of a
 * ragged row may lie beyond it; what is loaded for them is clamped. */
static void store_part(struct gemm *g, ir_id sum, ir_id row, ir_id column)
{
	ir_id at = ir_add(g->b, row, lower_over(g->l, column, g->c.out.width));
	ir_id columns[2] = {column, column}, inside = 0;

	if (g->c.out.ragged) {
		ir_id next = lower_plus(g->l, column, 1);
		ir_id last = ir_compute(g->b, IR_SUB, g->n, ir_u32(g->b, 1), 0);
		inside = ir_compute(g->b, IR_LT, next, g->n, 0);
		columns[1] = ir_compute(g->b, IR_MIN, next, last, 0);
	}
	ir_id value = gemm_epilogue(g, sum, columns, at);
	if (g->c.out.keeps)
		gemm_merge(g, at, value, ir_compute(g->b, IR_LT, column, g->n, 0), inside);
	else
		lower_store(g->l, g->epilogue.out, at, value);
}

static void store_row(struct gemm *g, uint32_t i, ir_id row)
{
	const struct contraction *c = &g->c;
	bool guarded = !c->b.exact;

	for (uint32_t j = 0; j < g->vectors; j++) {
		ir_id sum = ir_get(g->b, g->acc[i][j]);
		for (uint32_t lane = 0; lane < c->lanes; lane += c->out.width) {
			ir_id column = ir_add(
			        g->b, g->right.workgroup, gemm_column(g, j * c->lanes + lane));
			ir_id part = part_of(g, sum, lane);
			if (guarded)
				ir_if(g->b, ir_compute(g->b, IR_LT, column, g->n, 0));
			store_part(g, part, row, column);
			if (guarded)
				ir_end(g->b);
		}
	}
}

void gemm_store_vector(struct gemm *g, ir_id sum, ir_id row, ir_id column)
{
	ir_id rows = ir_compute(g->b, IR_LT, row, g->m, 0);
	ir_id columns = ir_compute(g->b, IR_LT, column, g->n, 0);

	if (!g->c.a.exact)
		ir_if(g->b, rows);
	if (!g->c.b.exact)
		ir_if(g->b, columns);
	store_part(g, sum, row_start(g, row), column);
	if (!g->c.b.exact)
		ir_end(g->b);
	if (!g->c.a.exact)
		ir_end(g->b);
}

void gemm_store_tile(struct gemm *g)
{
	const struct contraction *c = &g->c;
	bool guarded = !c->a.exact;

	if (c->wg.split > 1)
		ir_if(g->b, ir_compute(g->b, IR_EQ, g->local.k, lower_u32(g->l, 0), 0));
	for (uint32_t i = 0; i < c->tile_m; i++) {
		ir_id position = g->form->row(g, i);
		ir_id row = ir_add(g->b, g->left.workgroup, position);
		if (guarded)
			ir_if(g->b, ir_compute(g->b, IR_LT, row, g->m, 0));
		store_row(g, i, row_start(g, row));
		if (guarded)
			ir_end(g->b);
	}
	if (c->wg.split > 1)
		ir_end(g->b);
}
