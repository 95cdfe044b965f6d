/* SPDX-License-Identifier: Apache-2.0
 *
 * A slab: an operand's block of k_step, in workgroup memory as cooperative matrices are read from
 * it. Copy i of invocation e is vector e + i * threads, row after row:
 *
 *   vector     0    1    2    3   pad           pitch = columns / width + 8 / width
 *   row 0      v    v    v    v    -
 *       1      v    v    v    v    -            columns run along k, or along the outer
 *       ...                                     dimension, as the tensor's rows do
 *
 * The 16 bytes of padding make eight rows begin in different banks. Edges: loads clamp their outer
 * position, k's remainder is filled with zeros. Where a copy is whole rows after copy 0, it is so
 * many constants further on, and costs no arithmetic.
 */
#include "family/contraction/lower_slab.h"

/* ---- Binding. */

static ir_type vector_of(uint32_t width)
{
	return width == 1 ? IR_TYPE(IR_F16, 1) : IR_TYPE(IR_U32, width / 2);
}

void slab_bind(struct gemm *g, struct slab *slab)
{
	const struct tensor *t = &g->l->tensors[g->l->tensor_count];
	ir_type type = vector_of(slab->layout->width);

	slab->binding = ir_binding(
	        g->b, t->name, type, false, (uint32_t)(tensor_bytes(t) / ir_bytes_of(type)));
	slab->shared = ir_shared(g->b, type, slab->layout->length);
	g->l->tensor_count++;
}

/* ---- Where each copy comes from, and where it goes. */

/* Loads from one row of the tensor to the next. */
static uint32_t row_loads(const struct slab *slab)
{
	return slab->operand->row / slab->layout->width;
}

/* Load index of the first element of the workgroup's matrix of the batch. */
static ir_id matrix_origin(struct gemm *g, const struct slab *slab)
{
	const struct contraction_operand *x = slab->operand;
	ir_id rows = x->along_k ? slab->outer : g->k;
	ir_id size = lower_times(g->l, rows, row_loads(slab));
	ir_id which = x->matrices ? lower_modulo(g->l, g->matrix, x->matrices) : g->matrix;

	return ir_mul(g->b, which, size);
}

/* min(position, outer - width), left out where no workgroup passes the edge. */
static ir_id clamp(struct gemm *g, const struct slab *slab, ir_id position, uint32_t width)
{
	if (slab->operand->exact)
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
static struct slab_copy position_copy(struct gemm *g, const struct slab *slab, ir_id first, ir_id e)
{
	const struct contraction_slab *s = slab->layout;
	uint32_t vectors = s->columns / s->width;
	ir_id row = lower_over(g->l, e, vectors), vector = lower_modulo(g->l, e, vectors);
	ir_id last = ir_u32(g->b, s->rows - 1), column = lower_times(g->l, vector, s->width);

	row = ir_compute(g->b, IR_MIN, spread(g, row, vectors), last, 0);
	struct slab_copy copy = {.slot = ir_add(g->b, lower_times(g->l, row, s->pitch), vector)};
	if (slab->operand->along_k) {
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
	const struct contraction_slab *s = slab->layout;
	uint32_t vectors = s->columns / s->width;

	return i && threads % (8 * vectors) == 0 && (i + 1) * threads <= s->rows * vectors &&
	       (slab->operand->exact || !slab->operand->along_k);
}

static void position_copies(struct gemm *g, struct slab *slab, ir_id matrix, ir_id first)
{
	const struct contraction_slab *s = slab->layout;
	uint32_t threads = g->c.wg.x * g->c.wg.y * g->c.wg.split, vectors = s->columns / s->width;

	for (uint32_t i = 0; i < s->copies; i++) {
		struct slab_copy *copy = &slab->copies[i];
		uint32_t rows = i * threads / vectors;
		ir_id e = lower_plus(g->l, g->local.thread, i * threads);
		if (is_further(slab, i, threads)) {
			*copy = slab->copies[0];
			copy->beyond_origin = rows * row_loads(slab);
			copy->beyond_slot = rows * s->pitch;
			if (!slab->operand->along_k)
				copy->k = lower_plus(g->l, copy->k, rows);
			continue;
		}
		*copy = position_copy(g, slab, first, e);
		copy->origin = ir_add(g->b, matrix, copy->origin);
		if ((i + 1) * threads > s->rows * vectors)
			copy->inside = ir_compute(
			        g->b, IR_LT, e, ir_u32(g->b, s->rows * vectors), 0);
	}
}

void slab_position(struct gemm *g, struct slab *slab, ir_id first)
{
	ir_type type = vector_of(slab->layout->width);
	ir_id zero = slab->layout->width == 1 ? ir_float(g->b, IR_F16, 0) : ir_u32(g->b, 0);
	ir_id nothing = ir_splat(g->b, zero, ir_lanes_of(type));

	position_copies(g, slab, matrix_origin(g, slab), first);
	for (uint32_t i = 0; i < slab->layout->copies; i++)
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
	const struct slab_copy *copy = &slab->copies[i];
	uint32_t each = slab->operand->along_k ? slab->layout->width : 1;
	ir_id steps = lower_over(g->l, k, each), move = steps;

	if (!slab->operand->along_k)
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

void slab_fetch(struct gemm *g, const struct slab *slab, ir_id k)
{
	for (uint32_t i = 0; i < slab->layout->copies; i++)
		ir_set(g->b, slab->copies[i].held, fetch_one(g, slab, k, i));
}

void slab_put(struct gemm *g, const struct slab *slab, ir_id parity)
{
	ir_id first = lower_times(g->l, parity, slab->layout->length / g->c.matrix.slabs);

	for (uint32_t i = 0; i < slab->layout->copies; i++) {
		const struct slab_copy *copy = &slab->copies[i];
		if (copy->inside)
			ir_if(g->b, copy->inside);
		ir_id at = ir_add(g->b, first, copy->slot);
		at = lower_plus(g->l, at, copy->beyond_slot);
		ir_shared_store(g->b, slab->shared, at, ir_get(g->b, copy->held));
		if (copy->inside)
			ir_end(g->b);
	}
}

/* ---- Reading. */

ir_id slab_matrix(struct gemm *g, const struct slab *slab, const struct slab_corner *corner)
{
	const struct contraction_slab *s = slab->layout;
	bool along_k = slab->operand->along_k;
	uint32_t outer = corner->outer, k = corner->k;
	uint32_t constant = along_k ? outer * s->pitch + k / s->width
	                            : k * s->pitch + outer / s->width;
	ir_id start = along_k ? lower_times(g->l, corner->first, s->pitch)
	                      : lower_over(g->l, corner->first, s->width);
	uint32_t length = s->length / g->c.matrix.slabs;
	ir_id base = ir_add(g->b, lower_times(g->l, corner->parity, length), start);
	bool by_columns = along_k == (slab->matrix == IR_MATRIX_B);

	struct ir_matrix_at at = {slab->shared, lower_plus(g->l, base, constant), s->pitch};

	return ir_matrix_load(g->b, slab->matrix, at, by_columns);
}
