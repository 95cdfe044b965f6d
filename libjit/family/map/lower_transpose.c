/* SPDX-License-Identifier: Apache-2.0
 *
 * Transposes whose last dimension moves, in tiles. x is read along k, where its neighbours stand;
 * out is written along n, where out's do. A tile turns over in the registers of an invocation or in
 * workgroup memory. Invariant: reads are moved back into x where a tile passes the end, what lies
 * behind the end is not written, and all invocations reach the barrier.
 *
 * In registers (wg_x by wg_y invocations, squares of vec x vec):
 *
 *      x: rows of n, vectors along k            out: rows of k, vectors along n
 *
 *      n0 | a b c d |                            k0 | a e i m |
 *      n1 | e f g h |      turn_square           k1 | b f j n |
 *      n2 | i j k l |      ----------->          k2 | c g k o |
 *      n3 | m n o p |                            k3 | d h l p |
 *
 * In workgroup memory (stage_a): a square of block_n elements either way. A row of it has one
 * element more than the square, so that the elements of a column stand in different banks:
 *
 *      row r, column c is kept at r * (block_n + 1) + c
 *      pass p: invocation (local_n, local_k) stages row local_k + p * wg_y, vector local_n of it;
 *      after the barrier it reads column local_k + p * wg_y, and writes it as a row of out
 */
#include "family/map/lower.h"

/* A position with its n or k as counted here; the rest of it are the workgroup's. */
struct tile {
	struct map_size n, k;               /* of the whole */
	ir_id group_n, group_k;             /* where the workgroup's tile begins, in vectors */
	ir_id local_n, local_k;             /* where the invocation stands */
	ir_id from, to;                     /* the rest of the position, in vectors of x, of out */
	struct map_size stride_n, stride_k; /* of n in x, of k in out, in vectors */
};

static ir_id scaled(struct mapper *m, ir_id x, struct map_size size)
{
	return ir_mul(m->b, x, map_size_value(m, size));
}

static struct map_size in_vectors(const struct mapper *m, struct map_size size)
{
	return map_divided(size, m->map.vec);
}

/* The dimensions that are neither n nor k, from the workgroup's z. */
static void find_rest(struct mapper *m, struct tile *t)
{
	const struct map_plan *plan = &m->map.plan;
	struct map_size stride = plan->size[plan->dims - 1];
	ir_id left = ir_builtin(m->b, IR_WORKGROUP_ID_Z);

	t->from = t->to = lower_u32(m->l, 0);
	for (uint32_t i = plan->dims - 1; i-- > 0; stride = map_times(stride, plan->size[i])) {
		if (i == m->map.moved) {
			t->stride_k = in_vectors(m, stride);
			continue;
		}
		ir_id size = map_size_value(m, plan->size[i]);
		ir_id above = ir_compute(m->b, IR_DIV, left, size, 0);
		ir_id back = ir_mul(m->b, above, size);
		ir_id at = ir_compute(m->b, IR_SUB, left, back, 0);
		ir_id from = scaled(m, at, in_vectors(m, plan->view[0].stride[i]));
		ir_id to = scaled(m, at, in_vectors(m, stride));
		t->from = ir_add(m->b, t->from, from);
		t->to = ir_add(m->b, t->to, to);
		left = above;
	}
}

static struct tile find_tile(struct mapper *m)
{
	const struct map *map = &m->map;
	const struct map_plan *plan = &map->plan;
	ir_id group_n = ir_builtin(m->b, IR_WORKGROUP_ID_X);
	ir_id group_k = ir_builtin(m->b, IR_WORKGROUP_ID_Y);
	struct tile t = {.n = plan->size[plan->dims - 1], .k = plan->size[map->moved]};

	t.group_n = lower_times(m->l, group_n, map->block_n / map->vec);
	t.group_k = lower_times(m->l, group_k, map->block_k / map->vec);
	t.local_n = lower_local(m->l, 0);
	t.local_k = lower_local(m->l, 1);
	t.stride_n = in_vectors(m, plan->view[0].stride[plan->dims - 1]);
	find_rest(m, &t);
	return t;
}

/* x's vector k (counted in vectors) of row n. */
static ir_id read(struct mapper *m, const struct tile *t, ir_id n, ir_id k)
{
	ir_id row = ir_add(m->b, t->from, scaled(m, n, t->stride_n));

	return lower_load(m->l, 0, ir_add(m->b, row, k));
}

static void write(struct mapper *m, const struct tile *t, ir_id k, ir_id n, ir_id value)
{
	ir_id row = ir_add(m->b, t->to, scaled(m, k, t->stride_k));

	lower_store(m->l, 1, ir_add(m->b, row, n), value);
}

static ir_id is_within(struct mapper *m, ir_id at, struct map_size size)
{
	return ir_compute(m->b, IR_LT, at, map_size_value(m, size), 0);
}

/* Whether tiles of `block` may pass the end of `size`. */
static bool passes(struct map_size size, uint32_t block)
{
	return size.times % block != 0;
}

/* ---- In registers: square by square of vec x vec elements. */

static void turn_square(struct mapper *m, const struct tile *t, ir_id n, ir_id k)
{
	uint32_t vec = m->map.vec;
	ir_id first_n = lower_times(m->l, n, vec), first_k = lower_times(m->l, k, vec);
	ir_id rows[4], column[4];

	for (uint32_t i = 0; i < vec; i++)
		rows[i] = read(m, t, lower_plus(m->l, first_n, i), k);
	for (uint32_t i = 0; i < vec; i++) {
		for (uint32_t j = 0; j < vec; j++)
			column[j] = ir_extract(m->b, rows[j], i);
		ir_id value = ir_compose(m->b, column, vec);
		write(m, t, lower_plus(m->l, first_k, i), n, value);
	}
}

static void lower_registers(struct mapper *m)
{
	const struct map *map = &m->map;
	struct tile t = find_tile(m);
	struct map_size n_vectors = in_vectors(m, t.n), k_vectors = in_vectors(m, t.k);
	bool guarded = passes(t.n, map->block_n) || passes(t.k, map->block_k);
	ir_id base_n = ir_add(m->b, t.group_n, t.local_n);
	ir_id base_k = ir_add(m->b, t.group_k, t.local_k);

	for (uint32_t i = 0; i < map->tile_n / map->vec; i++) {
		for (uint32_t j = 0; j < map->tile_k / map->vec; j++) {
			ir_id n = lower_plus(m->l, base_n, i * map->wg_x);
			ir_id k = lower_plus(m->l, base_k, j * map->wg_y);
			if (guarded) {
				ir_id in_n = is_within(m, n, n_vectors);
				ir_id in_k = is_within(m, k, k_vectors);
				ir_if(m->b, ir_compute(m->b, IR_LAND, in_n, in_k, 0));
			}
			turn_square(m, &t, n, k);
			if (guarded)
				ir_end(m->b);
		}
	}
}

/* ---- In workgroup memory: rows of one element more than the tile has, so that a column's elements
 * stand in different banks. */

static ir_id kept_within(struct mapper *m, ir_id at, struct map_size size, uint32_t block)
{
	if (!passes(size, block))
		return at;
	ir_id last = lower_plus(m->l, map_size_value(m, size), UINT32_MAX);
	return ir_compute(m->b, IR_MIN, at, last, 0);
}

/* Workgroup memory has no booleans. */
static enum ir_scalar kept_as(const struct mapper *m)
{
	enum ir_scalar number = lower_number(m->l, 0);

	return number == IR_BOOL ? IR_U32 : number;
}

/* Where row (local_k + pass * wg_y), column `n` of the workgroup's tile is kept. */
static ir_id kept_at(struct mapper *m, ir_id row, ir_id column)
{
	return ir_add(m->b, lower_times(m->l, row, m->map.block_n + 1), column);
}

static void stage_row(struct mapper *m, const struct tile *t, uint32_t shared, uint32_t pass)
{
	const struct map *map = &m->map;
	uint32_t block = map->block_n;
	ir_id row = lower_plus(m->l, t->local_k, pass * map->wg_y);
	ir_id n = ir_add(m->b, lower_times(m->l, t->group_n, map->vec), row);
	ir_id k = ir_add(m->b, t->group_k, t->local_n);
	ir_id column = lower_times(m->l, t->local_n, map->vec);

	n = kept_within(m, n, t->n, block);
	k = kept_within(m, k, in_vectors(m, t->k), block / map->vec);
	ir_id value = ir_convert(m->b, read(m, t, n, k), kept_as(m));
	ir_id at = kept_at(m, row, column);
	for (uint32_t i = 0; i < map->vec; i++)
		ir_shared_store(m->b, shared, lower_plus(m->l, at, i), ir_extract(m->b, value, i));
}

static void write_row(struct mapper *m, const struct tile *t, uint32_t shared, uint32_t pass)
{
	const struct map *map = &m->map;
	ir_id column = lower_plus(m->l, t->local_k, pass * map->wg_y), elements[4];
	ir_id row = lower_times(m->l, t->local_n, map->vec);
	ir_id k = ir_add(m->b, lower_times(m->l, t->group_k, map->vec), column);
	ir_id n = ir_add(m->b, t->group_n, t->local_n);
	bool guarded = passes(t->n, map->block_n) || passes(t->k, map->block_n);

	if (guarded) {
		ir_id in_n = is_within(m, n, in_vectors(m, t->n));
		ir_id in_k = is_within(m, k, t->k);
		ir_if(m->b, ir_compute(m->b, IR_LAND, in_n, in_k, 0));
	}
	for (uint32_t i = 0; i < map->vec; i++) {
		ir_id at = kept_at(m, lower_plus(m->l, row, i), column);
		elements[i] = ir_shared_load(m->b, shared, at);
	}
	ir_id value = ir_compose(m->b, elements, map->vec);
	write(m, t, k, n, ir_convert(m->b, value, lower_number(m->l, 0)));
	if (guarded)
		ir_end(m->b);
}

static void lower_staged(struct mapper *m)
{
	const struct map *map = &m->map;
	uint32_t length = map->block_n * (map->block_n + 1);
	uint32_t shared = ir_shared(m->b, IR_TYPE(kept_as(m), 1), length);
	struct tile t = find_tile(m);

	for (uint32_t pass = 0; pass < map->tile_k; pass++)
		stage_row(m, &t, shared, pass);
	ir_barrier(m->b);
	for (uint32_t pass = 0; pass < map->tile_k; pass++)
		write_row(m, &t, shared, pass);
}

void map_lower_transpose(struct mapper *m)
{
	if (m->map.form == MAP_STAGED)
		lower_staged(m);
	else
		lower_registers(m);
}
