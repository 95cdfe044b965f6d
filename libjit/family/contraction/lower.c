/* SPDX-License-Identifier: Apache-2.0
 *
 * The contraction family. Each invocation accumulates a tile_m x tile_n tile of out in registers
 * over k: `unroll` k at a time straight from global memory, or through workgroup memory in tiles
 * of k_step. Edges: loads clamp their outer position (what they compute there is never stored),
 * k's remainder has a loop of its own, stores are guarded. Dynamic dimensions that may pass what a
 * dispatch holds are walked in turns by the workgroups there are.
 */
#include "family/contraction/lower.h"

/* ---- Set-up. */

static void share(struct gemm *g)
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

static void place_invocation(struct gemm *g)
{
	const struct contraction *c = &g->c;
	uint32_t shift = c->k_fastest || c->subgroup ? 1 : 0;

	g->local_x = c->quad ? ir_builtin(g->b, IR_SUBGROUP_INVOCATION) : lower_local(g->l, shift);
	g->local_y = lower_local(g->l, shift + 1);
	g->local_k = c->subgroup ? ir_builtin(g->b, IR_SUBGROUP_INVOCATION)
	                         : lower_local(g->l, (shift + 2) % 3);
	g->thread = ir_add(g->b, lower_times(g->l, g->local_y, c->wg_x), g->local_x);
}

static void measure(struct gemm *g)
{
	const struct contraction_fields *f = contraction_fields(g->op);

	g->m = lower_dim(g->l, f->m);
	g->n = lower_dim(g->l, f->n);
	g->k = g->c.dynamic_k ? lower_dim(g->l, f->k) : lower_u32(g->l, g->c.k);
	g->batch = g->c.nbits ? lower_u32(g->l, 1) : lower_dim(g->l, f->batch);
}

static void measure_operand(struct gemm *g, struct operand *x, ir_id outer)
{
	const struct contraction_operand *s = x->shape;

	x->outer = outer;
	x->k = lower_u32(g->l, 0);
	if (s->row)
		x->stride = lower_u32(g->l, s->row / s->width);
	else
		x->stride = s->along_k ? g->k : outer;
}

/* ---- Places. */

/* Which block along x, y or z: the workgroup's, or one after another in turns. */
static ir_id take_block(struct gemm *g, uint32_t dimension, ir_id extent, uint32_t block)
{
	ir_id own = ir_builtin(g->b, (enum ir_builtin)(IR_WORKGROUP_ID_X + dimension));

	if (!g->c.strided[dimension])
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

static ir_id first_of_matrix(struct gemm *g, const struct operand *x)
{
	const struct contraction_operand *s = x->shape;
	ir_id size = ir_mul(g->b, s->along_k ? x->outer : g->k, x->stride);
	ir_id which = s->matrices ? lower_modulo(g->l, g->matrix, s->matrices) : g->matrix;

	return ir_mul(g->b, which, size);
}

/* Vector index in the workgroup array of tile element i at k = 0, as one product and a constant. */
static ir_id shared_place(struct gemm *g, const struct operand *x, uint32_t i)
{
	const struct contraction_operand *s = x->shape;
	ir_id local = x == &g->left ? g->local_y : g->local_x;
	uint32_t locals = x == &g->left ? g->c.wg_y : g->c.wg_x;
	uint32_t group = s->along_k ? s->group * s->pitch + 1 : s->group / s->lanes;
	uint32_t within = s->along_k ? i % s->group * s->pitch : i % s->group / s->lanes;

	return lower_plus(
	        g->l, lower_times(g->l, local, group), i / s->group * locals * group + within);
}

static void place_operand(struct gemm *g, struct operand *x)
{
	const struct contraction_operand *s = x->shape;
	uint32_t span = s->staged && !s->along_k ? s->lanes : gemm_span(s);

	x->matrix = first_of_matrix(g, x);
	for (uint32_t i = 0; i < s->tile; i += span) {
		if (gemm_swaps(g, x, i))
			continue;
		if (s->staged) {
			x->place[i] = shared_place(g, x, i);
			continue;
		}
		ir_id position = ir_add(g->b, x->workgroup, gemm_tile_position(g, x, i));
		position = gemm_clamp(g, x, position, span);
		x->origin[i] = gemm_origin(g, x, position);
		if (x == &g->right)
			g->weights.column[i] = position;
	}
}

static void place_blocks(struct gemm *g)
{
	const struct contraction_fields *f = contraction_fields(g->op);
	bool one = g->c.batch == 1 && (g->c.nbits || op_dynamic_at(g->op, f->batch) < 0);

	g->matrix = one ? lower_u32(g->l, 0) : take_block(g, 2, g->batch, 1);
	g->left.workgroup = block_start(g, &g->left, 1, op_dynamic_at(g->op, f->m) >= 0);
	g->right.workgroup = block_start(g, &g->right, 0, op_dynamic_at(g->op, f->n) >= 0);
}

void gemm_place_workgroup(struct gemm *g)
{
	place_invocation(g);
	measure(g);
	g->left.outer = g->m;
	g->right.outer = g->n;
	place_blocks(g);
}

static void place(struct gemm *g)
{
	place_blocks(g);
	place_operand(g, &g->left);
	place_operand(g, &g->right);
}

void gemm_end_turns(struct gemm *g)
{
	const bool *strided = g->c.strided;
	uint32_t loops = strided[0] + strided[1] + strided[2];

	if (loops && g->c.reduce_length)
		ir_barrier(g->b);
	while (loops--)
		ir_end(g->b);
}

/* ---- The inner product. */

static ir_id zeros(struct gemm *g)
{
	ir_id zero = g->number == IR_I32 ? ir_i32(g->b, 0) : ir_float(g->b, g->number, 0);

	return ir_splat(g->b, zero, g->c.lanes);
}

static void begin_accumulators(struct gemm *g)
{
	for (uint32_t i = 0; i < g->c.tile_m; i++)
		for (uint32_t j = 0; j < g->vectors; j++)
			g->acc[i][j] = ir_var(g->b, zeros(g));
}

/* `lanes` neighbouring elements of the tile of b as one vector. */
static ir_id right_vector(struct gemm *g, uint32_t j)
{
	const struct contraction_operand *s = g->right.shape;
	const struct ref *refs = g->right.refs + j * g->c.lanes;
	ir_id lanes[4];

	if (!s->along_k && s->lanes == g->c.lanes)
		return refs[0].vector;
	for (uint32_t i = 0; i < g->c.lanes; i++)
		lanes[i] = ir_extract(g->b, refs[i].vector, refs[i].lane);
	return ir_compose(g->b, lanes, g->c.lanes);
}

static ir_id left_vector(struct gemm *g, uint32_t i, uint32_t j)
{
	struct ref ref = g->left.refs[i];

	if (g->c.flat)
		return gemm_flat_left(g, j);
	return ir_splat(g->b, ir_extract(g->b, ref.vector, ref.lane), g->c.lanes);
}

static ir_id dot4(struct gemm *g, ir_id left, ir_id right)
{
	ir_id lanes[4];

	for (uint32_t i = 0; i < g->c.lanes; i++) {
		ir_id word = ir_extract(g->b, left, i);
		ir_id other = ir_extract(g->b, right, i);
		lanes[i] = ir_dot4i8(g->b, word, other);
	}
	return ir_compose(g->b, lanes, g->c.lanes);
}

/* sum + left * right; sum may be 0. */
static ir_id multiply_add(struct gemm *g, ir_id left, ir_id right, ir_id sum)
{
	if (sum && g->c.sum == CONTRACTION_FLOAT)
		return ir_compute(g->b, IR_FMA, left, right, sum);
	ir_id product = g->c.sum == CONTRACTION_DOT4 ? dot4(g, left, right)
	                                             : ir_mul(g->b, left, right);
	return sum ? ir_add(g->b, sum, product) : product;
}

/* sum += a x b at k + kk */
static void multiply_step(struct gemm *g, ir_id k, uint32_t kk, ir_id sum[][GEMM_TILE])
{
	ir_id right[GEMM_TILE];

	gemm_fetch(g, &g->left, k, kk);
	gemm_fetch(g, &g->right, k, kk);
	for (uint32_t j = 0; j < g->vectors; j++)
		right[j] = right_vector(g, j);
	for (uint32_t i = 0; i < g->c.tile_m; i++) {
		for (uint32_t j = 0; j < g->vectors; j++) {
			ir_id left = left_vector(g, i, j);
			sum[i][j] = multiply_add(g, left, right[j], sum[i][j]);
		}
	}
}

/* The same over from..to, four rows after another, so that few values are alive at once: what
 * SwiftShader's compiler cannot keep in registers it stores and loads. */
static void multiply_rows(
        struct gemm *g, ir_id k, uint32_t from, uint32_t to, ir_id sum[][GEMM_TILE])
{
	ir_id right[GEMM_UNROLL][GEMM_TILE];
	struct ref left[GEMM_UNROLL];

	for (uint32_t kk = from; kk < to; kk++) {
		gemm_fetch(g, &g->right, k, kk);
		for (uint32_t j = 0; j < g->vectors; j++)
			right[kk][j] = right_vector(g, j);
	}
	for (uint32_t i = 0; i < g->c.tile_m; i++) {
		for (uint32_t kk = from; kk < to; kk++)
			left[kk] = gemm_fetch_row(g, &g->left, i, k, kk);
		for (uint32_t j = 0; j < g->vectors; j++)
			for (uint32_t kk = from; kk < to; kk++) {
				ir_id one = ir_extract(g->b, left[kk].vector, left[kk].lane);
				sum[i][j] = multiply_add(g, ir_splat(g->b, one, g->c.lanes),
				        right[kk][j], sum[i][j]);
			}
	}
}

/* acc += sum * scale, where scales apply to a whole block's sum. */
static void add_scaled(struct gemm *g, ir_id sum[][GEMM_TILE])
{
	for (uint32_t j = 0; j < g->vectors; j++) {
		const ir_id *scales = g->weights.scale + j * g->c.lanes;
		ir_id scale = ir_compose(g->b, scales, g->c.lanes);
		for (uint32_t i = 0; i < g->c.tile_m; i++) {
			ir_id acc = ir_get(g->b, g->acc[i][j]);
			acc = ir_compute(g->b, IR_FMA, sum[i][j], scale, acc);
			ir_set(g->b, g->acc[i][j], acc);
		}
	}
}

/* acc += a x b over from..to of the turn at k, within one block of weights. */
static void multiply_block(struct gemm *g, ir_id k, uint32_t from, uint32_t to)
{
	ir_id sum[GEMM_TILE][GEMM_TILE];
	bool scaled = gemm_dequantises(g);

	if (scaled)
		gemm_begin_block(g, lower_plus(g->l, k, from));
	for (uint32_t i = 0; i < g->c.tile_m; i++)
		for (uint32_t j = 0; j < g->vectors; j++)
			sum[i][j] = scaled ? 0 : ir_get(g->b, g->acc[i][j]);
	if (g->c.quad)
		multiply_rows(g, k, from, to, sum);
	for (uint32_t kk = from; !g->c.quad && kk < to; kk++)
		multiply_step(g, k, kk, sum);
	if (scaled) {
		add_scaled(g, sum);
		return;
	}
	for (uint32_t i = 0; i < g->c.tile_m; i++)
		for (uint32_t j = 0; j < g->vectors; j++)
			ir_set(g->b, g->acc[i][j], sum[i][j]);
}

/* acc += a[k..k+count) x b[k..k+count) */
static void multiply(struct gemm *g, ir_id k, uint32_t count)
{
	uint32_t block = gemm_dequantises(g) ? g->c.scale_step : count;

	for (uint32_t from = 0; from < count; from += block)
		multiply_block(g, k, from, from + block < count ? from + block : count);
}

/* for (k = from; k < to; k += step) multiply(step) */
static void multiply_range(struct gemm *g, ir_id from, ir_id to, uint32_t step)
{
	ir_id k = ir_loop(g->b, from, to, step);

	multiply(g, k, step);
	ir_end(g->b);
}

/* ---- Straight from global memory. */

/* Each of the split's invocations takes every split-th step. The loop's bounds are the same for
 * all, and constants where k is, so that compilers see it end; a last, partial round is guarded. */
static void multiply_split(struct gemm *g, ir_id whole)
{
	uint32_t step = g->c.k_step, round = g->c.split * step;
	bool guarded = g->c.dynamic_k || g->c.k / step * step % round;
	ir_id from = ir_loop(g->b, lower_u32(g->l, 0), whole, round);
	ir_id k = ir_add(g->b, from, lower_times(g->l, g->local_k, step));

	if (guarded)
		ir_if(g->b, ir_compute(g->b, IR_LT, k, whole, 0));
	multiply(g, k, step);
	if (guarded)
		ir_end(g->b);
	ir_end(g->b);
}

/* The last k % k_step: in turns as wide as the loads, then what is less than one. */
static void multiply_rest(struct gemm *g, uint32_t whole)
{
	const struct contraction *c = &g->c;
	uint32_t a = c->a.along_k ? c->a.width : 1, b = c->b.along_k ? c->b.width : 1;
	uint32_t turn = a > b ? a : b, end = whole + (c->k - whole) / turn * turn;
	ir_id from = lower_u32(g->l, whole), to = lower_u32(g->l, end);

	if (end - whole == turn)
		multiply(g, from, turn);
	else if (end > whole)
		multiply_range(g, from, to, turn);
	if (c->k > end)
		multiply(g, to, c->k - end);
}

static ir_id whole_steps(struct gemm *g)
{
	uint32_t step = g->c.k_step;

	return lower_times(g->l, lower_over(g->l, g->k, step), step);
}

static void multiply_whole(struct gemm *g, ir_id whole)
{
	const struct contraction *c = &g->c;

	if (!c->dynamic_k && c->k < c->k_step)
		return;
	if (c->split > 1)
		multiply_split(g, whole);
	else if (!c->dynamic_k && c->k / c->k_step == 1)
		multiply(g, lower_u32(g->l, 0), c->k_step);
	else
		multiply_range(g, lower_u32(g->l, 0), whole, c->k_step);
}

static void accumulate_direct(struct gemm *g)
{
	const struct contraction *c = &g->c;
	ir_id whole = whole_steps(g);

	multiply_whole(g, whole);
	if (c->dynamic_k ? c->k_step == 1 : c->k % c->k_step == 0)
		return;
	if (c->split > 1)
		ir_if(g->b, ir_compute(g->b, IR_EQ, g->local_k, lower_u32(g->l, 0), 0));
	if (c->dynamic_k)
		multiply_range(g, whole, g->k, 1);
	else
		multiply_rest(g, c->k / c->k_step * c->k_step);
	if (c->split > 1)
		ir_end(g->b);
}

/* ---- Through workgroup memory. */

/* The tiles at k are in workgroup memory once all have passed the barrier. */
static void stage_tiles(struct gemm *g, ir_id k)
{
	struct operand *const operands[] = {&g->left, &g->right};

	for (uint32_t i = 0; i < 2; i++) {
		if (operands[i]->shape->staged && g->c.ahead)
			gemm_put_ahead(g, operands[i]);
		else if (operands[i]->shape->staged)
			gemm_stage(g, operands[i], k);
	}
	ir_barrier(g->b);
}

static void fetch_tiles_ahead(struct gemm *g, ir_id k)
{
	if (g->c.a.staged)
		gemm_fetch_ahead(g, &g->left, k);
	if (g->c.b.staged)
		gemm_fetch_ahead(g, &g->right, k);
}

static void begin_ahead(struct gemm *g)
{
	if (g->c.a.staged)
		gemm_begin_ahead(g, &g->left);
	if (g->c.b.staged)
		gemm_begin_ahead(g, &g->right);
	fetch_tiles_ahead(g, lower_u32(g->l, 0));
}

static void fetch_next_ahead(struct gemm *g, ir_id k)
{
	ir_id next = lower_plus(g->l, k, g->c.k_step);

	ir_if(g->b, ir_compute(g->b, IR_LT, next, g->k, 0));
	fetch_tiles_ahead(g, next);
	ir_end(g->b);
}

static void accumulate_staged(struct gemm *g)
{
	const struct contraction *c = &g->c;
	ir_id zero = lower_u32(g->l, 0);

	if (c->ahead)
		begin_ahead(g);
	ir_id k = ir_loop(g->b, zero, g->k, c->k_step);
	g->left.k = c->a.staged ? zero : k;
	g->right.k = c->b.staged ? zero : k;
	stage_tiles(g, k);
	if (c->ahead)
		fetch_next_ahead(g, k);
	if (c->unroll == c->k_step)
		multiply(g, zero, c->k_step);
	else
		multiply_range(g, zero, lower_u32(g->l, c->k_step), c->unroll);
	ir_barrier(g->b);
	ir_end(g->b);
}

/* ---- All of it. */

static void begin(struct gemm *g)
{
	gemm_bind_operands(g);
	if (g->c.nbits)
		gemm_bind_weights(g);
	gemm_bind_outputs(g);
	share(g);
	place_invocation(g);
	measure(g);
	measure_operand(g, &g->left, g->m);
	measure_operand(g, &g->right, g->n);
}

void lower_contraction(struct lower *l)
{
	struct gemm g = {
	        .l = l, .b = l->b, .op = l->op, .c = contraction_derive(l->op, l->schedule)};

	l->number = g.c.half_sums ? IR_F16 : IR_F32;
	g.number = g.c.sum == CONTRACTION_FLOAT ? l->number : IR_I32;
	g.vectors = g.c.tile_n / g.c.lanes;
	if (g.c.matrix.shape.m) {
		gemm_by_matrices(&g);
		return;
	}
	begin(&g);
	if (g.c.flat)
		gemm_place_flat(&g);
	else
		place(&g);
	begin_accumulators(&g);
	if (g.c.a.staged || g.c.b.staged)
		accumulate_staged(&g);
	else
		accumulate_direct(&g);
	gemm_reduce(&g);
	if (g.c.flat)
		gemm_finish_flat(&g);
	else
		gemm_finish(&g);
	gemm_end_turns(&g);
}
