/* SPDX-License-Identifier: Apache-2.0
 *
 * The contraction family. Each invocation accumulates a tile_m x tile_n tile of out in registers
 * over k: `unroll` k at a time straight from global memory, or through workgroup memory in tiles
 * of k_step. Edges: loads clamp their outer position (what they compute there is never stored),
 * k's remainder has a loop of its own, stores are guarded.
 *
 * Words: an operand's *outer* dimension is m for a and n for b; a *ref* names one scalar within a
 * loaded vector; `vec` is an accumulator's width, each operand's `width` that of its loads.
 */
#include "lower/lower.h"

#include "space/contraction.h"

#define TILE_MAX CONTRACTION_TILE_MAX

struct ref {
	ir_id vector;
	uint32_t lane;
};

struct operand {
	const struct contraction_operand *shape;
	uint32_t binding, shared;
	ir_id origin[TILE_MAX];    /* global: element index of each load at k = 0 */
	ir_id place[TILE_MAX];     /* staged: the same within the workgroup array */
	ir_id batch;               /* element index of this batch's first */
	ir_id k;                   /* of the first element that fetch counts from; 0 where staged */
	ir_id workgroup;           /* first outer element of the workgroup's block */
	struct ref refs[TILE_MAX]; /* the tile's elements at the k last fetched */
};

struct lowering {
	struct ir_builder *b;
	const struct op *op;
	struct contraction c;
	struct operand a, bb;
	uint32_t bias, residual, out;            /* bindings */
	uint32_t reduce;                         /* workgroup array */
	ir_id local_x, local_y, local_k, thread; /* thread: linear within (x, y) */
	ir_id batch;
	uint32_t vectors;              /* accumulators in a row: tile_n / vec */
	ir_id acc[TILE_MAX][TILE_MAX]; /* variables */
};

static ir_id u(struct lowering *l, uint32_t value)
{
	return ir_u32(l->b, value);
}

static ir_id scaled(struct lowering *l, ir_id x, uint32_t factor)
{
	return ir_mul(l->b, x, u(l, factor));
}

static ir_id over(struct lowering *l, ir_id x, uint32_t divisor)
{
	return ir_compute(l->b, IR_DIV, x, u(l, divisor), 0);
}

/* ---- Set-up. */

static uint32_t bind(
        struct lowering *l, const char *name, uint32_t width, uint64_t elements, bool out)
{
	return ir_binding(l->b, name, IR_TYPE(IR_F32, width), out, (uint32_t)(elements / width));
}

static void bind_tensors(struct lowering *l)
{
	const struct contraction *c = &l->c;
	uint64_t out = (uint64_t)c->batch * c->m * c->n;

	l->a.binding = bind(l, "a", c->a.width, (uint64_t)c->batch * c->m * c->k, false);
	l->bb.binding = bind(l, "b", c->b.width, (uint64_t)c->batch * c->k * c->n, false);
	if (l->op->value[MATMUL_BIAS])
		l->bias = bind(l, "bias", c->out_width, c->n, false);
	if (l->op->value[MATMUL_RESIDUAL])
		l->residual = bind(l, "residual", c->out_width, out, false);
	l->out = bind(l, "out", c->out_width, out, true);
}

static void share(struct lowering *l)
{
	const struct contraction *c = &l->c;

	if (c->a.staged)
		l->a.shared = ir_shared(l->b, IR_TYPE(IR_F32, c->a.width), c->a.shared_length);
	if (c->b.staged)
		l->bb.shared = ir_shared(l->b, IR_TYPE(IR_F32, c->b.width), c->b.shared_length);
	if (c->reduce_length)
		l->reduce = ir_shared(l->b, IR_TYPE(IR_F32, c->vec), c->reduce_length);
}

static void place_invocation(struct lowering *l)
{
	const struct contraction *c = &l->c;
	uint32_t shift = c->k_fastest || c->subgroup ? 1 : 0;
	ir_id local[3];

	for (uint32_t i = 0; i < 3; i++)
		local[i] = c->workgroup_size[i] == 1
		                   ? u(l, 0)
		                   : ir_builtin(l->b, (enum ir_builtin)(IR_LOCAL_ID_X + i));
	l->local_x = local[shift];
	l->local_y = local[shift + 1];
	l->local_k = c->subgroup ? ir_builtin(l->b, IR_SUBGROUP_INVOCATION)
	                         : local[(shift + 2) % 3];
	l->thread = ir_add(l->b, scaled(l, l->local_y, c->wg_x), l->local_x);
	l->batch = c->batch == 1 ? u(l, 0) : ir_builtin(l->b, IR_WORKGROUP_ID_Z);
}

/* The workgroup's place along one outer dimension; 0 when one block covers it. */
static ir_id block_start(
        struct lowering *l, const struct contraction_operand *x, enum ir_builtin id)
{
	return x->block >= x->outer ? u(l, 0) : scaled(l, ir_builtin(l->b, id), x->block);
}

/* min(position, last), left out where no workgroup passes the edge. */
static ir_id clamp_outer(
        struct lowering *l, const struct contraction_operand *x, ir_id position, uint32_t lanes)
{
	if (x->outer % x->block == 0)
		return position;
	return ir_compute(l->b, IR_MIN, position, u(l, x->outer - lanes), 0);
}

/* Element index of a load at outer position `position` and k = 0. */
static ir_id global_origin(struct lowering *l, const struct operand *x, ir_id position)
{
	const struct contraction_operand *s = x->shape;
	ir_id at = s->along_k ? scaled(l, position, l->c.k / s->width)
	                      : over(l, position, s->width);

	return ir_add(l->b, at, x->batch);
}

/* Outer elements that one load covers. */
static uint32_t load_span(const struct contraction_operand *s)
{
	return s->along_k ? 1 : s->width;
}

/* Outer position within the block of tile element i. */
static ir_id tile_position(struct lowering *l, const struct operand *x, uint32_t i)
{
	const struct contraction_operand *s = x->shape;

	if (x == &l->a)
		return ir_add(l->b, scaled(l, l->local_y, s->tile), u(l, i));
	uint32_t group = i / s->group;
	return ir_add(l->b, scaled(l, l->local_x, s->group),
	        u(l, group * l->c.wg_x * s->group + i % s->group));
}

static void place_operand(struct lowering *l, struct operand *x,
        const struct contraction_operand *s, enum ir_builtin workgroup)
{
	uint32_t span = load_span(s);

	x->shape = s;
	x->k = u(l, 0);
	x->workgroup = block_start(l, s, workgroup);
	x->batch = scaled(l, l->batch, s->outer * l->c.k / s->width);
	for (uint32_t i = 0; i < s->tile; i += span) {
		ir_id position = tile_position(l, x, i);
		if (s->staged) {
			x->place[i] = s->along_k ? scaled(l, position, s->pitch)
			                         : over(l, position, s->width);
		} else {
			position = ir_add(l->b, x->workgroup, position);
			x->origin[i] = global_origin(l, x, clamp_outer(l, s, position, span));
		}
	}
}

static void begin_accumulators(struct lowering *l)
{
	ir_id zero = ir_splat(l->b, ir_f32(l->b, 0.0f), l->c.vec);

	l->vectors = l->c.tile_n / l->c.vec;
	for (uint32_t i = 0; i < l->c.tile_m; i++)
		for (uint32_t j = 0; j < l->vectors; j++)
			l->acc[i][j] = ir_var(l->b, zero);
}

/* ---- The inner product. */

/* Loads what the tile needs of x at x->k + k + kk, from workgroup or from global memory. Vectors
 * along k are kept for the next width - 1 turns of kk. */
static void fetch(struct lowering *l, struct operand *x, ir_id k, uint32_t kk)
{
	const struct contraction_operand *s = x->shape;
	uint32_t span = load_span(s);
	ir_id step, *from = s->staged ? x->place : x->origin;

	if (s->along_k && kk % s->width) {
		for (uint32_t i = 0; i < s->tile; i++)
			x->refs[i].lane = kk % s->width;
		return;
	}
	k = ir_add(l->b, x->k, k);
	if (s->along_k)
		step = ir_add(l->b, over(l, k, s->width), u(l, kk / s->width));
	else
		step = scaled(
		        l, ir_add(l->b, k, u(l, kk)), s->staged ? s->pitch : s->outer / s->width);
	for (uint32_t i = 0; i < s->tile; i++) {
		if (i % span) {
			x->refs[i] = (struct ref){x->refs[i - 1].vector, i % span};
			continue;
		}
		ir_id index = ir_add(l->b, from[i], step);
		x->refs[i].vector = s->staged ? ir_shared_load(l->b, x->shared, index)
		                              : ir_load(l->b, x->binding, index);
		x->refs[i].lane = 0;
	}
}

static ir_id scalar_of(struct lowering *l, struct ref ref)
{
	return ir_extract(l->b, ref.vector, ref.lane);
}

/* `vec` neighbouring elements of the tile of b as one vector. */
static ir_id vector_of(struct lowering *l, const struct ref *refs)
{
	const struct contraction_operand *s = l->bb.shape;
	ir_id lanes[4];

	if (!s->along_k && s->width == l->c.vec)
		return refs[0].vector;
	for (uint32_t i = 0; i < l->c.vec; i++)
		lanes[i] = scalar_of(l, refs[i]);
	return ir_compose(l->b, lanes, l->c.vec);
}

/* acc += a[k..k+count) x b[k..k+count) */
static void multiply(struct lowering *l, ir_id k, uint32_t count)
{
	uint32_t vec = l->c.vec;
	ir_id sum[TILE_MAX][TILE_MAX];

	for (uint32_t i = 0; i < l->c.tile_m; i++)
		for (uint32_t j = 0; j < l->vectors; j++)
			sum[i][j] = ir_get(l->b, l->acc[i][j]);
	for (uint32_t kk = 0; kk < count; kk++) {
		ir_id right[TILE_MAX];

		fetch(l, &l->a, k, kk);
		fetch(l, &l->bb, k, kk);
		for (uint32_t j = 0; j < l->vectors; j++)
			right[j] = vector_of(l, l->bb.refs + j * vec);
		for (uint32_t i = 0; i < l->c.tile_m; i++) {
			ir_id left = ir_splat(l->b, scalar_of(l, l->a.refs[i]), vec);
			for (uint32_t j = 0; j < l->vectors; j++)
				sum[i][j] = ir_compute(l->b, IR_FMA, left, right[j], sum[i][j]);
		}
	}
	for (uint32_t i = 0; i < l->c.tile_m; i++)
		for (uint32_t j = 0; j < l->vectors; j++)
			ir_set(l->b, l->acc[i][j], sum[i][j]);
}

/* for (k = from; k < to; k += step) multiply(step) */
static void multiply_range(struct lowering *l, uint32_t from, uint32_t to, uint32_t step)
{
	ir_id k = ir_loop(l->b, u(l, from), u(l, to), step);

	multiply(l, k, step);
	ir_end(l->b);
}

/* Each of the split's invocations takes every split-th step. The loop's bounds are constants and
 * the same for all, so that compilers see it end; a last, partial round is guarded. */
static void multiply_split(struct lowering *l, uint32_t whole)
{
	uint32_t step = l->c.k_step, round = l->c.split * step;
	ir_id from = ir_loop(l->b, u(l, 0), u(l, whole), round);
	ir_id k = ir_add(l->b, from, scaled(l, l->local_k, step));

	if (whole % round)
		ir_if(l->b, ir_compute(l->b, IR_LT, k, u(l, whole), 0));
	multiply(l, k, step);
	if (whole % round)
		ir_end(l->b);
	ir_end(l->b);
}

static void accumulate_direct(struct lowering *l)
{
	const struct contraction *c = &l->c;
	uint32_t whole = c->k - c->k % c->k_step;
	uint32_t along = c->a.along_k ? c->a.width : c->b.along_k ? c->b.width : 1;

	if (c->split > 1)
		multiply_split(l, whole);
	else if (whole == c->k_step)
		multiply(l, u(l, 0), c->k_step);
	else if (whole)
		multiply_range(l, 0, whole, c->k_step);
	if (whole == c->k)
		return;
	if (c->split > 1)
		ir_if(l->b, ir_compute(l->b, IR_EQ, l->local_k, u(l, 0), 0));
	if (c->k - whole <= along)
		multiply(l, u(l, whole), c->k - whole);
	else
		multiply_range(l, whole, c->k, along);
	if (c->split > 1)
		ir_end(l->b);
}

/* ---- Staging. */

/* Copies element e of the workgroup's tile of x at k into workgroup memory. */
static void stage_element(struct lowering *l, struct operand *x, ir_id k, ir_id e)
{
	const struct contraction_operand *s = x->shape;
	uint32_t row = s->along_k ? l->c.k_step / s->width : s->block / s->width;
	ir_id high = over(l, e, row), low = ir_compute(l->b, IR_MOD, e, u(l, row), 0);
	ir_id outer = s->along_k ? high : scaled(l, low, s->width);
	ir_id position = clamp_outer(l, s, ir_add(l->b, x->workgroup, outer), load_span(s));
	ir_id place = ir_add(l->b, scaled(l, high, s->pitch), low);
	ir_id at = ir_add(l->b, k, s->along_k ? scaled(l, low, s->width) : high);
	bool whole = l->c.k % l->c.k_step == 0;
	ir_id inside = whole ? 0 : ir_compute(l->b, IR_LT, at, u(l, l->c.k), 0);

	if (!whole)
		at = ir_select(l->b, inside, at, u(l, 0));
	ir_id step = s->along_k ? over(l, at, s->width) : scaled(l, at, s->outer / s->width);
	ir_id value = ir_load(l->b, x->binding, ir_add(l->b, global_origin(l, x, position), step));
	if (!whole)
		value = ir_select(
		        l->b, inside, value, ir_splat(l->b, ir_f32(l->b, 0.0f), s->width));
	ir_shared_store(l->b, x->shared, place, value);
}

/* All invocations copy the tile together, each every wg_x*wg_y-th element. */
static void stage(struct lowering *l, struct operand *x, ir_id k)
{
	const struct contraction_operand *s = x->shape;
	uint32_t threads = l->c.wg_x * l->c.wg_y;
	uint32_t count = s->block * l->c.k_step / s->width;

	for (uint32_t first = 0; first < count; first += threads) {
		ir_id e = ir_add(l->b, l->thread, u(l, first));
		bool partial = first + threads > count;
		if (partial)
			ir_if(l->b, ir_compute(l->b, IR_LT, e, u(l, count), 0));
		stage_element(l, x, k, e);
		if (partial)
			ir_end(l->b);
	}
}

static void accumulate_staged(struct lowering *l)
{
	const struct contraction *c = &l->c;
	ir_id k = ir_loop(l->b, u(l, 0), u(l, c->k), c->k_step);

	l->a.k = c->a.staged ? u(l, 0) : k;
	l->bb.k = c->b.staged ? u(l, 0) : k;
	if (c->a.staged)
		stage(l, &l->a, k);
	if (c->b.staged)
		stage(l, &l->bb, k);
	ir_barrier(l->b);
	if (c->unroll == c->k_step)
		multiply(l, u(l, 0), c->k_step);
	else
		multiply_range(l, 0, c->k_step, c->unroll);
	ir_barrier(l->b);
	ir_end(l->b);
}

/* ---- The split's sum. */

static ir_id reduce_slot(struct lowering *l, uint32_t accumulator, ir_id lane)
{
	uint32_t threads = l->c.wg_x * l->c.wg_y;
	ir_id row = ir_add(l->b, u(l, accumulator * l->c.split), lane);

	return ir_add(l->b, scaled(l, row, threads), l->thread);
}

/* A tree over the split's lanes in workgroup memory; lane 0 ends with the sum. */
static void reduce_workgroup(struct lowering *l)
{
	uint32_t count = l->c.tile_m * l->vectors;

	for (uint32_t half = l->c.split / 2; half; half /= 2) {
		for (uint32_t n = 0; n < count; n++) {
			ir_id slot = reduce_slot(l, n, l->local_k);
			ir_id own = ir_get(l->b, l->acc[n / l->vectors][n % l->vectors]);
			ir_shared_store(l->b, l->reduce, slot, own);
		}
		ir_barrier(l->b);
		ir_if(l->b, ir_compute(l->b, IR_LT, l->local_k, u(l, half), 0));
		ir_id partner = ir_add(l->b, l->local_k, u(l, half));
		for (uint32_t n = 0; n < count; n++) {
			ir_id other = ir_shared_load(l->b, l->reduce, reduce_slot(l, n, partner));
			ir_id var = l->acc[n / l->vectors][n % l->vectors];
			ir_set(l->b, var, ir_add(l->b, ir_get(l->b, var), other));
		}
		ir_end(l->b);
	}
}

static void reduce_subgroup(struct lowering *l)
{
	for (uint32_t i = 0; i < l->c.tile_m; i++)
		for (uint32_t j = 0; j < l->vectors; j++)
			ir_set(l->b, l->acc[i][j],
			        ir_subgroup_add(l->b, ir_get(l->b, l->acc[i][j])));
}

/* ---- The epilogue. */

/* One store: `out_width` lanes of an accumulator, from lane `lane`, at (row, column). */
static void finish_part(struct lowering *l, ir_id sum, uint32_t lane, ir_id row, ir_id column)
{
	const struct contraction *c = &l->c;
	uint32_t width = c->out_width;
	ir_id rows = ir_add(l->b, scaled(l, l->batch, c->m), row);
	ir_id at = over(l, column, width);
	ir_id index = ir_add(l->b, scaled(l, rows, c->n / width), at);
	ir_id lanes[4], value = sum;

	if (width < c->vec) {
		for (uint32_t i = 0; i < width; i++)
			lanes[i] = ir_extract(l->b, sum, lane + i);
		value = ir_compose(l->b, lanes, width);
	}
	if (l->op->value[MATMUL_BIAS])
		value = ir_add(l->b, value, ir_load(l->b, l->bias, at));
	if (l->op->value[MATMUL_RESIDUAL])
		value = ir_add(l->b, value, ir_load(l->b, l->residual, index));
	value = lower_activation(l->b, (enum activation)l->op->value[MATMUL_ACT], value);
	ir_store(l->b, l->out, index, value);
}

static void finish_row(struct lowering *l, uint32_t i, ir_id row)
{
	const struct contraction *c = &l->c;
	bool guarded = c->n % c->b.block != 0;

	for (uint32_t j = 0; j < l->vectors; j++) {
		ir_id sum = ir_get(l->b, l->acc[i][j]);
		for (uint32_t lane = 0; lane < c->vec; lane += c->out_width) {
			ir_id column = ir_add(
			        l->b, l->bb.workgroup, tile_position(l, &l->bb, j * c->vec + lane));
			if (guarded)
				ir_if(l->b, ir_compute(l->b, IR_LT, column, u(l, c->n), 0));
			finish_part(l, sum, lane, row, column);
			if (guarded)
				ir_end(l->b);
		}
	}
}

static void finish(struct lowering *l)
{
	const struct contraction *c = &l->c;
	bool guarded = c->m % c->a.block != 0;

	if (c->split > 1)
		ir_if(l->b, ir_compute(l->b, IR_EQ, l->local_k, u(l, 0), 0));
	for (uint32_t i = 0; i < c->tile_m; i++) {
		ir_id row = ir_add(l->b, l->a.workgroup, tile_position(l, &l->a, i));
		if (guarded)
			ir_if(l->b, ir_compute(l->b, IR_LT, row, u(l, c->m), 0));
		finish_row(l, i, row);
		if (guarded)
			ir_end(l->b);
	}
	if (c->split > 1)
		ir_end(l->b);
}

void lower_contraction(
        struct ir_builder *builder, const struct op *op, const struct schedule *schedule)
{
	struct lowering l = {.b = builder, .op = op, .c = contraction_derive(op, schedule)};

	ir_begin(builder, l.c.workgroup_size);
	bind_tensors(&l);
	share(&l);
	place_invocation(&l);
	place_operand(&l, &l.a, &l.c.a, IR_WORKGROUP_ID_Y);
	place_operand(&l, &l.bb, &l.c.b, IR_WORKGROUP_ID_X);
	begin_accumulators(&l);
	if (l.c.a.staged || l.c.b.staged)
		accumulate_staged(&l);
	else
		accumulate_direct(&l);
	if (l.c.subgroup)
		reduce_subgroup(&l);
	else if (l.c.split > 1)
		reduce_workgroup(&l);
	finish(&l);
}
