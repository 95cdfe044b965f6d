/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction by cooperative matrices, the whole kernel. A subgroup's tile is of whole matrices:
 *
 *            n: tile_n = along * shape.n
 *          +-------+-------+-------+
 *   m:     | 0,0   | 0,1   | 0,2   |        acc[across][along], in the subgroup's registers
 *   tile_m +-------+-------+-------+
 *          | 1,0   | 1,1   | 1,2   |        wg_x x wg_y subgroups to a workgroup
 *          +-------+-------+-------+
 *
 * Invocations copy the next slab of each operand into registers while their subgroups multiply the
 * one in workgroup memory (lower_slab.c). Sums leave through workgroup memory, where each
 * invocation takes elements of its own and guards its stores. Invariant: whatever holds a matrix
 * instruction or a barrier is the same for the workgroup.
 */
#include "family/contraction/lower_slab.h"

#define ACROSS_MAX 16 /* matrices of a tile in either direction */

struct coop {
	struct gemm *g;
	const struct contraction_matrix *x;
	struct slab a, b;
	uint32_t across, along; /* matrices of a tile along m and n */
	uint32_t sums;          /* workgroup array */
	ir_id acc[ACROSS_MAX][ACROSS_MAX];
};

/* ---- Multiplying. */

/* sum += a x b of the matrices at k. */
static void multiply_at(struct coop *c, ir_id parity, uint32_t k, ir_id sum[][ACROSS_MAX])
{
	struct gemm *g = c->g;
	const struct matrix_shape *shape = &c->x->shape;
	ir_id rows = lower_times(g->l, g->local.y, g->c.tile_m), left[ACROSS_MAX];
	ir_id columns = lower_times(g->l, g->local.x, g->c.tile_n);

	for (uint32_t i = 0; i < c->across; i++)
		left[i] = slab_matrix(
		        g, &c->a, &(struct slab_corner){parity, rows, i * shape->m, k});
	for (uint32_t j = 0; j < c->along; j++) {
		struct slab_corner corner = {parity, columns, j * shape->n, k};
		ir_id right = slab_matrix(g, &c->b, &corner);
		for (uint32_t i = 0; i < c->across; i++)
			sum[i][j] = ir_matrix_multiply(g->b, left[i], right, sum[i][j]);
	}
}

static void multiply(struct coop *c, ir_id parity)
{
	ir_id sum[ACROSS_MAX][ACROSS_MAX];

	for (uint32_t i = 0; i < c->across; i++)
		for (uint32_t j = 0; j < c->along; j++)
			sum[i][j] = ir_get(c->g->b, c->acc[i][j]);
	for (uint32_t k = 0; k < c->g->c.k_step; k += c->x->shape.k)
		multiply_at(c, parity, k, sum);
	for (uint32_t i = 0; i < c->across; i++)
		for (uint32_t j = 0; j < c->along; j++)
			ir_set(c->g->b, c->acc[i][j], sum[i][j]);
}

/* ---- The loop over k. */

static void fetch_both(struct coop *c, ir_id k)
{
	slab_fetch(c->g, &c->a, k);
	slab_fetch(c->g, &c->b, k);
}

static void put_both(struct coop *c, ir_id parity)
{
	slab_put(c->g, &c->a, parity);
	slab_put(c->g, &c->b, parity);
}

/* The slab `further` slabs after the one at k, if there is one. Opens an IF. */
static ir_id if_further(struct gemm *g, ir_id k, uint32_t further)
{
	ir_id next = lower_plus(g->l, k, further * g->c.k_step);

	ir_if(g->b, ir_compute(g->b, IR_LT, next, lower_u32(g->l, g->c.k), 0));
	return next;
}

/* One slab: it is filled between two barriers. */
static void accumulate_one(struct coop *c)
{
	struct gemm *g = c->g;
	ir_id zero = lower_u32(g->l, 0);

	fetch_both(c, zero);
	ir_id k = ir_loop(g->b, zero, lower_u32(g->l, g->c.k), g->c.k_step);
	ir_barrier(g->b);
	put_both(c, zero);
	ir_barrier(g->b);
	fetch_both(c, if_further(g, k, 1));
	ir_end(g->b);
	multiply(c, zero);
	ir_end(g->b);
}

/* Two: the next one is filled while this one is read; a barrier changes them over. What fills it
 * was fetched a turn earlier, with a barrier in between: compilers move loads to where they are
 * used, and would wait for them there. */
static void accumulate_two(struct coop *c)
{
	struct gemm *g = c->g;
	ir_id zero = lower_u32(g->l, 0);

	fetch_both(c, zero);
	put_both(c, zero);
	if (g->c.k > g->c.k_step)
		fetch_both(c, lower_u32(g->l, g->c.k_step));
	ir_id k = ir_loop(g->b, zero, lower_u32(g->l, g->c.k), g->c.k_step);
	ir_id parity = lower_modulo(g->l, lower_over(g->l, k, g->c.k_step), 2);
	ir_barrier(g->b);
	if_further(g, k, 1);
	put_both(c, ir_compute(g->b, IR_SUB, ir_u32(g->b, 1), parity, 0));
	ir_end(g->b);
	fetch_both(c, if_further(g, k, 2));
	ir_end(g->b);
	multiply(c, parity);
	ir_end(g->b);
}

/* ---- Stores. */

/* The elements of one matrix that are this invocation's: vector after vector, a subgroup apart. */
static void store_matrix(struct coop *c, ir_id first_row, ir_id first_column, ir_id region)
{
	struct gemm *g = c->g;
	uint32_t width = g->c.out.width, vectors = c->x->shape.n / width;
	uint32_t rounds = c->x->shape.m * vectors / g->c.wg.split;

	for (uint32_t i = 0; i < rounds; i++) {
		ir_id e = lower_plus(g->l, g->local.k, i * g->c.wg.split), lanes[4];
		ir_id row = lower_over(g->l, e, vectors);
		ir_id column = lower_times(g->l, lower_modulo(g->l, e, vectors), width);
		ir_id at = ir_add(g->b, region,
		        ir_add(g->b, lower_times(g->l, row, c->x->sum_pitch), column));
		for (uint32_t lane = 0; lane < width; lane++)
			lanes[lane] = ir_shared_load(g->b, c->sums, lower_plus(g->l, at, lane));
		ir_id sum = ir_compose(g->b, lanes, width);
		gemm_store_vector(
		        g, sum, ir_add(g->b, first_row, row), ir_add(g->b, first_column, column));
	}
}

static void store(struct coop *c, ir_id row, ir_id column)
{
	struct gemm *g = c->g;
	const struct matrix_shape *shape = &c->x->shape;
	ir_id subgroup = g->c.wg.x * g->c.wg.y > 1 ? ir_builtin(g->b, IR_SUBGROUP_ID)
	                                           : lower_u32(g->l, 0);
	ir_id region = lower_times(g->l, subgroup, shape->m * c->x->sum_pitch);

	for (uint32_t i = 0; i < c->across; i++) {
		for (uint32_t j = 0; j < c->along; j++) {
			ir_matrix_store(g->b,
			        (struct ir_matrix_at){c->sums, region, c->x->sum_pitch},
			        ir_get(g->b, c->acc[i][j]));
			ir_barrier(g->b);
			store_matrix(c, lower_plus(g->l, row, i * shape->m),
			        lower_plus(g->l, column, j * shape->n), region);
			ir_barrier(g->b);
		}
	}
}

/* ---- All of it. */

static void position_subgroup(struct gemm *g)
{
	ir_id subgroup = g->c.wg.x * g->c.wg.y > 1 ? ir_builtin(g->b, IR_SUBGROUP_ID)
	                                           : lower_u32(g->l, 0);

	g->local.x = lower_modulo(g->l, subgroup, g->c.wg.x);
	g->local.y = lower_over(g->l, subgroup, g->c.wg.x);
	g->local.thread = ir_builtin(g->b, IR_LOCAL_INDEX);
}

static void begin(struct coop *c)
{
	struct gemm *g = c->g;

	ir_matrices(g->b, c->x->shape.m, c->x->shape.n, c->x->shape.k);
	slab_bind(g, &c->a);
	slab_bind(g, &c->b);
	gemm_bind_outputs(g);
	c->sums = ir_shared(g->b, IR_TYPE(IR_F32, 1), c->x->sum_length);
}

static void begin_sums(struct coop *c)
{
	ir_id zero = ir_matrix_fill(c->g->b, IR_MATRIX_SUM, ir_f32(c->g->b, 0));

	for (uint32_t i = 0; i < c->across; i++)
		for (uint32_t j = 0; j < c->along; j++)
			c->acc[i][j] = ir_var(c->g->b, zero);
}

void gemm_by_matrices(struct gemm *g)
{
	const struct contraction_matrix *x = &g->c.matrix;
	struct coop c = {.g = g,
	        .x = x,
	        .a = {.operand = &g->c.a, .layout = &x->a, .matrix = IR_MATRIX_A},
	        .b = {.operand = &g->c.b, .layout = &x->b, .matrix = IR_MATRIX_B},
	        .across = g->c.tile_m / x->shape.m,
	        .along = g->c.tile_n / x->shape.n};

	g->left.shape = &g->c.a;
	g->right.shape = &g->c.b;
	begin(&c);
	gemm_measure(g);
	gemm_position_blocks(g);
	position_subgroup(g);
	begin_sums(&c);
	c.a.outer = g->m;
	c.b.outer = g->n;
	slab_position(g, &c.a, g->left.workgroup);
	slab_position(g, &c.b, g->right.workgroup);
	if (x->slabs > 1)
		accumulate_two(&c);
	else
		accumulate_one(&c);
	ir_id row = lower_times(g->l, g->local.y, g->c.tile_m);
	ir_id column = lower_times(g->l, g->local.x, g->c.tile_n);
	row = ir_add(g->b, g->left.workgroup, row);
	column = ir_add(g->b, g->right.workgroup, column);
	store(&c, row, column);
	gemm_end_turns(g);
}
