/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction by cooperative matrices. Invocations copy the next slab of each operand from
 * global memory into registers while their subgroups multiply the one in workgroup memory. Edges:
 * loads clamp their outer position, k's remainder is filled with zeros, and sums leave through
 * workgroup memory, where each invocation finishes elements of its own and guards its stores.
 * Invariant: whatever holds a matrix instruction or a barrier is the same for the workgroup.
 */
#include "family/contraction/lower.h"

#define ACROSS_MAX 16 /* matrices of a tile in either direction */
#define COPIES_MAX 32

/* An operand on its way into its slabs. */
struct slab {
	const struct contraction_operand *shape;
	const struct contraction_slab *s;
	enum ir_scalar matrix;
	uint32_t binding, shared;
	ir_id outer; /* extent of the outer dimension */
	struct copy {
		ir_id origin, k; /* load index, and first k, within the first slab */
		ir_id place;     /* vector within a slab */
		uint32_t beyond_origin, beyond_place; /* these constants further on */
		ir_id inside;                         /* whether there is such a copy; 0: always */
		ir_id held;                           /* variable */
	} copies[COPIES_MAX];
};

struct coop {
	struct gemm *g;
	const struct contraction_matrix *x;
	struct slab a, b;
	uint32_t across, along; /* matrices of a tile along m and n */
	uint32_t sums;          /* workgroup array */
	ir_id acc[ACROSS_MAX][ACROSS_MAX];
};

/* ---- Binding. */

static ir_type vector_of(uint32_t width)
{
	return width == 1 ? IR_TYPE(IR_F16, 1) : IR_TYPE(IR_U32, width / 2);
}

/* The next tensor, in vectors of the slab's width. */
static void bind(struct gemm *g, struct slab *slab)
{
	const struct tensor *t = &g->l->tensors[g->l->tensor_count];
	ir_type type = vector_of(slab->s->width);

	slab->binding = ir_binding(
	        g->b, t->name, type, false, (uint32_t)(tensor_bytes(t) / ir_bytes_of(type)));
	slab->shared = ir_shared(g->b, type, slab->s->length);
	g->l->tensor_count++;
}

/* ---- Where each copy comes from, and where it goes. */

/* Loads from one row of the tensor to the next. */
static uint32_t row_loads(const struct slab *slab)
{
	return slab->shape->row / slab->s->width;
}

/* Load index of the first element of the workgroup's matrix of the batch. */
static ir_id matrix_origin(struct gemm *g, const struct slab *slab)
{
	const struct contraction_operand *x = slab->shape;
	ir_id rows = x->along_k ? slab->outer : g->k;
	ir_id size = lower_times(g->l, rows, row_loads(slab));
	ir_id which = x->matrices ? lower_modulo(g->l, g->matrix, x->matrices) : g->matrix;

	return ir_mul(g->b, which, size);
}

/* min(position, outer - width), left out where no workgroup passes the edge. */
static ir_id clamp(struct gemm *g, const struct slab *slab, ir_id position, uint32_t width)
{
	if (slab->shape->exact)
		return position;
	ir_id last = ir_compute(g->b, IR_SUB, slab->outer, ir_u32(g->b, width), 0);
	return ir_compute(g->b, IR_MIN, position, last, 0);
}

/* Of rows of two or four vectors, eight lanes write several at once: those that begin in different
 * banks, given a pitch that is odd. */
static ir_id spread(struct gemm *g, ir_id row, uint32_t vectors)
{
	uint32_t up = vectors == 4 ? 2 : 1;

	if (vectors != 2 && vectors != 4)
		return row;
	ir_id low = lower_modulo(g->l, row, 8);
	ir_id high = ir_compute(g->b, IR_SUB, row, low, 0);
	ir_id rest = lower_over(g->l, low, 1u << (3 - up));
	low = lower_times(g->l, lower_modulo(g->l, low, 1u << (3 - up)), 1u << up);
	return ir_add(g->b, high, ir_add(g->b, low, rest));
}

/* Copy i where it is not a copy further on: row and vector of the slab, outer position, k. */
static struct copy place_copy(struct gemm *g, const struct slab *slab, ir_id first, ir_id e)
{
	const struct contraction_slab *s = slab->s;
	uint32_t vectors = s->columns / s->width;
	ir_id row = lower_over(g->l, e, vectors), vector = lower_modulo(g->l, e, vectors);
	ir_id last = ir_u32(g->b, s->rows - 1), column = lower_times(g->l, vector, s->width);

	row = ir_compute(g->b, IR_MIN, spread(g, row, vectors), last, 0);
	struct copy copy = {.place = ir_add(g->b, lower_times(g->l, row, s->pitch), vector)};
	if (slab->shape->along_k) {
		ir_id position = clamp(g, slab, ir_add(g->b, first, row), 1);
		copy.origin = ir_add(g->b, lower_times(g->l, position, row_loads(slab)), vector);
		copy.k = column;
	} else {
		ir_id position = clamp(g, slab, ir_add(g->b, first, column), s->width);
		ir_id within = lower_over(g->l, position, s->width);
		copy.origin = ir_add(g->b, lower_times(g->l, row, row_loads(slab)), within);
		copy.k = row;
	}
	return copy;
}

/* Whole rows further on than copy 0, and so at a constant distance. */
static bool is_further(const struct slab *slab, uint32_t i, uint32_t threads)
{
	const struct contraction_slab *s = slab->s;
	uint32_t vectors = s->columns / s->width;

	return i && threads % (8 * vectors) == 0 && (i + 1) * threads <= s->rows * vectors &&
	       (slab->shape->exact || !slab->shape->along_k);
}

static void place_copies(struct gemm *g, struct slab *slab, ir_id matrix, ir_id first)
{
	const struct contraction_slab *s = slab->s;
	uint32_t threads = g->c.wg_x * g->c.wg_y * g->c.split, vectors = s->columns / s->width;

	for (uint32_t i = 0; i < s->copies; i++) {
		struct copy *copy = &slab->copies[i];
		uint32_t rows = i * threads / vectors;
		ir_id e = lower_plus(g->l, g->thread, i * threads);
		if (is_further(slab, i, threads)) {
			*copy = slab->copies[0];
			copy->beyond_origin = rows * row_loads(slab);
			copy->beyond_place = rows * s->pitch;
			if (!slab->shape->along_k)
				copy->k = lower_plus(g->l, copy->k, rows);
			continue;
		}
		*copy = place_copy(g, slab, first, e);
		copy->origin = ir_add(g->b, matrix, copy->origin);
		if ((i + 1) * threads > s->rows * vectors)
			copy->inside = ir_compute(
			        g->b, IR_LT, e, ir_u32(g->b, s->rows * vectors), 0);
	}
}

static void place_slab(struct coop *c, struct slab *slab, ir_id first)
{
	struct gemm *g = c->g;
	ir_type type = vector_of(slab->s->width);
	ir_id zero = slab->s->width == 1 ? ir_float(g->b, IR_F16, 0) : ir_u32(g->b, 0);
	ir_id nothing = ir_splat(g->b, zero, ir_lanes_of(type));

	place_copies(g, slab, matrix_origin(g, slab), first);
	for (uint32_t i = 0; i < slab->s->copies; i++)
		slab->copies[i].held = ir_var(g->b, nothing);
}

/* ---- Copying. */

/* Whether a slab may reach beyond k. */
static bool has_rest(const struct gemm *g)
{
	return g->c.k % g->c.k_step != 0;
}

/* Copy i of the slab at k, zeros beyond the last k. */
static ir_id fetch_one(struct gemm *g, const struct slab *slab, ir_id k, uint32_t i)
{
	const struct copy *copy = &slab->copies[i];
	uint32_t each = slab->shape->along_k ? slab->s->width : 1;
	ir_id steps = lower_over(g->l, k, each), move = steps;

	if (!slab->shape->along_k)
		move = lower_times(g->l, steps, row_loads(slab));
	ir_id at = ir_add(g->b, copy->origin, move);
	at = lower_plus(g->l, at, copy->beyond_origin);
	if (!has_rest(g))
		return ir_load(g->b, slab->binding, at);
	ir_id inside = ir_compute(
	        g->b, IR_LT, ir_add(g->b, k, copy->k), lower_u32(g->l, g->c.k), 0);
	ir_id value = ir_load(g->b, slab->binding, ir_select(g->b, inside, at, ir_u32(g->b, 0)));
	ir_type type = ir_type_of(g->b, value);
	ir_id zero = ir_convert(g->b, ir_u32(g->b, 0), ir_scalar_of(type));
	return ir_select(g->b, inside, value, ir_splat(g->b, zero, ir_lanes_of(type)));
}

static void fetch(struct gemm *g, const struct slab *slab, ir_id k)
{
	for (uint32_t i = 0; i < slab->s->copies; i++)
		ir_set(g->b, slab->copies[i].held, fetch_one(g, slab, k, i));
}

static void fetch_both(struct coop *c, ir_id k)
{
	fetch(c->g, &c->a, k);
	fetch(c->g, &c->b, k);
}

/* What was fetched goes into slab number `parity`. */
static void stash(struct gemm *g, const struct slab *slab, uint32_t slabs, ir_id parity)
{
	ir_id first = lower_times(g->l, parity, slab->s->length / slabs);

	for (uint32_t i = 0; i < slab->s->copies; i++) {
		const struct copy *copy = &slab->copies[i];
		if (copy->inside)
			ir_if(g->b, copy->inside);
		ir_id at = ir_add(g->b, first, copy->place);
		at = lower_plus(g->l, at, copy->beyond_place);
		ir_shared_store(g->b, slab->shared, at, ir_get(g->b, copy->held));
		if (copy->inside)
			ir_end(g->b);
	}
}

static void stash_both(struct coop *c, ir_id parity)
{
	stash(c->g, &c->a, c->x->slabs, parity);
	stash(c->g, &c->b, c->x->slabs, parity);
}

/* ---- Multiplying. */

/* The matrix at outer element `first` + a constant and k of slab number `parity`. */
static ir_id load_matrix(struct coop *c, const struct slab *slab, ir_id parity, ir_id first,
        uint32_t outer, uint32_t k)
{
	struct gemm *g = c->g;
	const struct contraction_slab *s = slab->s;
	bool along_k = slab->shape->along_k;
	uint32_t constant = along_k ? outer * s->pitch + k / s->width
	                            : k * s->pitch + outer / s->width;
	ir_id start = along_k ? lower_times(g->l, first, s->pitch)
	                      : lower_over(g->l, first, s->width);
	ir_id base = ir_add(g->b, lower_times(g->l, parity, s->length / c->x->slabs), start);
	bool by_columns = along_k == (slab->matrix == IR_MATRIX_B);

	struct ir_matrix_at at = {slab->shared, lower_plus(g->l, base, constant), s->pitch};

	return ir_matrix_load(g->b, slab->matrix, at, by_columns);
}

static void multiply_at(struct coop *c, ir_id parity, uint32_t k, ir_id sum[][ACROSS_MAX])
{
	struct gemm *g = c->g;
	const struct matrix_shape *shape = &c->x->shape;
	ir_id rows = lower_times(g->l, g->local_y, g->c.tile_m), left[ACROSS_MAX];
	ir_id columns = lower_times(g->l, g->local_x, g->c.tile_n);

	for (uint32_t i = 0; i < c->across; i++)
		left[i] = load_matrix(c, &c->a, parity, rows, i * shape->m, k);
	for (uint32_t j = 0; j < c->along; j++) {
		ir_id right = load_matrix(c, &c->b, parity, columns, j * shape->n, k);
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
	stash_both(c, zero);
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
	stash_both(c, zero);
	if (g->c.k > g->c.k_step)
		fetch_both(c, lower_u32(g->l, g->c.k_step));
	ir_id k = ir_loop(g->b, zero, lower_u32(g->l, g->c.k), g->c.k_step);
	ir_id parity = lower_modulo(g->l, lower_over(g->l, k, g->c.k_step), 2);
	ir_barrier(g->b);
	if_further(g, k, 1);
	stash_both(c, ir_compute(g->b, IR_SUB, ir_u32(g->b, 1), parity, 0));
	ir_end(g->b);
	fetch_both(c, if_further(g, k, 2));
	ir_end(g->b);
	multiply(c, parity);
	ir_end(g->b);
}

/* ---- Finishing. */

/* The elements of one matrix that are this invocation's: vector after vector, a subgroup apart. */
static void finish_matrix(struct coop *c, ir_id first_row, ir_id first_column, ir_id region)
{
	struct gemm *g = c->g;
	uint32_t width = g->c.out_width, vectors = c->x->shape.n / width;
	uint32_t rounds = c->x->shape.m * vectors / g->c.split;

	for (uint32_t i = 0; i < rounds; i++) {
		ir_id e = lower_plus(g->l, g->local_k, i * g->c.split), lanes[4];
		ir_id row = lower_over(g->l, e, vectors);
		ir_id column = lower_times(g->l, lower_modulo(g->l, e, vectors), width);
		ir_id at = ir_add(g->b, region,
		        ir_add(g->b, lower_times(g->l, row, c->x->sum_pitch), column));
		for (uint32_t lane = 0; lane < width; lane++)
			lanes[lane] = ir_shared_load(g->b, c->sums, lower_plus(g->l, at, lane));
		ir_id sum = ir_compose(g->b, lanes, width);
		gemm_finish_vector(
		        g, sum, ir_add(g->b, first_row, row), ir_add(g->b, first_column, column));
	}
}

static void finish(struct coop *c, ir_id row, ir_id column)
{
	struct gemm *g = c->g;
	const struct matrix_shape *shape = &c->x->shape;
	ir_id subgroup = g->c.wg_x * g->c.wg_y > 1 ? ir_builtin(g->b, IR_SUBGROUP_ID)
	                                           : lower_u32(g->l, 0);
	ir_id region = lower_times(g->l, subgroup, shape->m * c->x->sum_pitch);

	for (uint32_t i = 0; i < c->across; i++) {
		for (uint32_t j = 0; j < c->along; j++) {
			ir_matrix_store(g->b,
			        (struct ir_matrix_at){c->sums, region, c->x->sum_pitch},
			        ir_get(g->b, c->acc[i][j]));
			ir_barrier(g->b);
			finish_matrix(c, lower_plus(g->l, row, i * shape->m),
			        lower_plus(g->l, column, j * shape->n), region);
			ir_barrier(g->b);
		}
	}
}

/* ---- All of it. */

static void place_subgroup(struct gemm *g)
{
	ir_id subgroup = g->c.wg_x * g->c.wg_y > 1 ? ir_builtin(g->b, IR_SUBGROUP_ID)
	                                           : lower_u32(g->l, 0);

	g->local_x = lower_modulo(g->l, subgroup, g->c.wg_x);
	g->local_y = lower_over(g->l, subgroup, g->c.wg_x);
	g->thread = ir_builtin(g->b, IR_LOCAL_INDEX);
}

static void begin(struct coop *c)
{
	struct gemm *g = c->g;

	ir_matrices(g->b, c->x->shape.m, c->x->shape.n, c->x->shape.k);
	bind(g, &c->a);
	bind(g, &c->b);
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
	        .a = {.shape = &g->c.a, .s = &x->a, .matrix = IR_MATRIX_A},
	        .b = {.shape = &g->c.b, .s = &x->b, .matrix = IR_MATRIX_B},
	        .across = g->c.tile_m / x->shape.m,
	        .along = g->c.tile_n / x->shape.n};

	g->left.shape = &g->c.a;
	g->right.shape = &g->c.b;
	begin(&c);
	gemm_place_workgroup(g);
	place_subgroup(g);
	begin_sums(&c);
	c.a.outer = g->m;
	c.b.outer = g->n;
	place_slab(&c, &c.a, g->left.workgroup);
	place_slab(&c, &c.b, g->right.workgroup);
	if (x->slabs > 1)
		accumulate_two(&c);
	else
		accumulate_one(&c);
	ir_id row = lower_times(g->l, g->local_y, g->c.tile_m);
	ir_id column = lower_times(g->l, g->local_x, g->c.tile_n);
	row = ir_add(g->b, g->left.workgroup, row);
	column = ir_add(g->b, g->right.workgroup, column);
	finish(&c, row, column);
	gemm_end_turns(g);
}
