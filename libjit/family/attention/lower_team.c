/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention where a team of `split` invocations owns a tile of rows. In each turn they take a block
 * of keys: every one scores keys of its own for all rows of the tile, they agree on the greatest,
 * and the weights go through workgroup memory; then every one adds to elements of its own, and
 * where there are more invocations than vectors in a head, for a part of the keys. Sums of parts
 * are joined at the end.
 *
 * A turn, split=4, step=2, head of 2 chunks (across=2, parts=2):
 *
 *   keys of the block    0  1  2  3  4  5  6  7
 *   scored by lane       0  0  1  1  2  2  3  3      all chunks of q and k
 *   added by lane        0: chunk 0, part 0    1: chunk 1, part 0      of v
 *                        2: chunk 0, part 1    3: chunk 1, part 1
 *
 * A block's k is staged so that neighbouring lanes find their keys side by side: key n is row
 * (n % step) * split + n / step of the array.
 *
 * The state of a row (top, total) is the same in all its invocations, but that each totals only the
 * weights of its own keys until the end.
 */
#include "family/attention/lower.h"

/* ---- Staging. */

/* Where a block's key stands in the workgroup array. k is read by invocations that are `step` keys
 * apart; they find theirs side by side. */
static ir_id slot_of_k(struct attend_team *x, ir_id key)
{
	const struct attention *a = &x->at->a;
	ir_id within = lower_modulo(x->at->l, key, a->step);
	ir_id invocation = lower_over(x->at->l, key, a->step);

	return ir_add(x->at->b, lower_times(x->at->l, within, a->split), invocation);
}

/* The workgroup copies the block of k or v that begins with `key`. */
static void stage(struct attend_team *x, uint32_t tensor, ir_id key)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	uint32_t count = a->block * a->chunks;
	ir_id thread = ir_add(at->b, lower_times(at->l, x->tile, a->split), x->lane);
	ir_id e = ir_loop(at->b, thread, ir_u32(at->b, count), a->split * a->tiles);
	ir_id n = lower_over(at->l, e, a->chunks), chunk = lower_modulo(at->l, e, a->chunks);
	ir_id start = attend_key(at, ir_add(at->b, key, n));
	ir_id value = lower_load(at->l, tensor, ir_add(at->b, start, chunk));
	ir_id slot = lower_times(at->l, tensor == at->k ? slot_of_k(x, n) : n, a->arrays.pitch);

	ir_shared_store(at->b, at->vectors, ir_add(at->b, slot, chunk), value);
	ir_end(at->b);
}

/* The tile's rows of q, each of its invocations every split-th vector. */
static void stage_q(struct attend_team *x)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	ir_id rows = lower_times(at->l, x->tile, a->tile * a->chunks);
	ir_id chunk = ir_loop(at->b, x->lane, ir_u32(at->b, a->chunks), a->split);

	for (uint32_t n = 0; n < a->tile; n++) {
		ir_id from = ir_add(at->b, at->row[n].start, chunk);
		ir_id to = lower_plus(at->l, ir_add(at->b, rows, chunk), n * a->chunks);
		ir_shared_store(at->b, x->queries, to, lower_load(at->l, at->q, from));
	}
	ir_end(at->b);
}

/* ---- Scores. */

static ir_id fetch_q(struct attend_team *x, uint32_t row, ir_id chunk)
{
	struct attend *at = x->at;
	uint32_t before = row * at->a.chunks;
	ir_id rows;

	if (!at->a.stage_q)
		return lower_load(at->l, at->q, ir_add(at->b, at->row[row].start, chunk));
	rows = lower_times(at->l, x->tile, at->a.tile * at->a.chunks);
	return ir_shared_load(
	        at->b, x->queries, lower_plus(at->l, ir_add(at->b, rows, chunk), before));
}

static ir_id fetch_k(struct attend_team *x, ir_id start, ir_id chunk)
{
	struct attend *at = x->at;
	ir_id index = ir_add(at->b, start, chunk);

	return at->a.stage_kv ? ir_shared_load(at->b, at->vectors, index)
	                      : lower_load(at->l, at->k, index);
}

/* Lane by lane into a single number: one is less to carry than four. */
static ir_id add_products(struct attend *at, ir_id x, ir_id y, ir_id sum)
{
	for (uint32_t i = 0; i < at->a.width; i++) {
		ir_id left = ir_extract(at->b, x, i), right = ir_extract(at->b, y, i);
		sum = ir_compute(at->b, IR_FMA, left, right, sum);
	}
	return sum;
}

/* at->product += q k over the vectors chunk..chunk+inner. */
static void multiply(struct attend_team *x, ir_id chunk, const ir_id *starts)
{
	struct attend *at = x->at;
	ir_id q[ATTENTION_TILE_MAX];

	for (uint32_t c = 0; c < at->a.team.inner; c++) {
		ir_id from = lower_plus(at->l, chunk, c);
		for (uint32_t r = 0; r < at->a.tile; r++)
			q[r] = fetch_q(x, r, from);
		for (uint32_t n = 0; n < at->a.step; n++) {
			ir_id k = fetch_k(x, starts[n], from), *sum = at->product[n];
			for (uint32_t r = 0; r < at->a.tile; r++)
				sum[r] = add_products(at, q[r], k, sum[r]);
		}
	}
}

/* The same over all vectors, in a loop that carries the sums in variables. */
static void multiply_loop(struct attend_team *x, const ir_id *starts)
{
	struct attend *at = x->at;
	uint32_t rows = at->a.tile, count = at->a.step * rows;
	ir_id variables[ATTENTION_STEP_MAX * ATTENTION_TILE_MAX], chunk;

	for (uint32_t i = 0; i < count; i++)
		variables[i] = ir_var(at->b, at->product[i / rows][i % rows]);
	chunk = ir_loop(at->b, ir_u32(at->b, 0), ir_u32(at->b, at->a.chunks), at->a.team.inner);
	for (uint32_t i = 0; i < count; i++)
		at->product[i / rows][i % rows] = ir_get(at->b, variables[i]);
	multiply(x, chunk, starts);
	for (uint32_t i = 0; i < count; i++)
		ir_set(at->b, variables[i], at->product[i / rows][i % rows]);
	ir_end(at->b);
	for (uint32_t i = 0; i < count; i++)
		at->product[i / rows][i % rows] = ir_get(at->b, variables[i]);
}

/* Scores this invocation's keys of the block that begins with `key`. */
static void score(struct attend_team *x, ir_id key)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	ir_id zero = ir_f32(at->b, 0), starts[ATTENTION_STEP_MAX];

	for (uint32_t n = 0; n < a->step; n++) {
		ir_id slot = lower_plus(at->l, x->lane, n * a->split);
		ir_id own = lower_plus(at->l, ir_add(at->b, key, x->own_keys), n);
		starts[n] = a->stage_kv ? lower_times(at->l, slot, a->arrays.pitch)
		                        : attend_key(at, own);
		for (uint32_t r = 0; r < a->tile; r++)
			at->product[n][r] = zero;
	}
	if (a->team.inner == a->chunks)
		multiply(x, ir_u32(at->b, 0), starts);
	else
		multiply_loop(x, starts);
	attend_score(at, ir_add(at->b, key, x->own_keys), a->step, attend_scale(at));
}

/* ---- Weights. */

/* Where the weights of a row begin, in vectors. */
static ir_id weights_of(struct attend_team *x, uint32_t row)
{
	const struct attention *a = &x->at->a;
	uint32_t pitch = a->block / a->team.weight_width;
	ir_id rows = lower_times(x->at->l, x->tile, a->tile * pitch);

	return lower_plus(x->at->l, rows, row * pitch);
}

static void store_weights(struct attend_team *x)
{
	struct attend *at = x->at;
	uint32_t width = at->a.team.weight_width, vectors = at->a.step / width;
	ir_id own = lower_times(at->l, x->lane, vectors), lanes[4];

	for (uint32_t r = 0; r < at->a.tile; r++)
		for (uint32_t n = 0; n < vectors; n++) {
			for (uint32_t i = 0; i < width; i++)
				lanes[i] = attend_own(at, at->score[n * width + i], r);
			ir_id row = ir_add(at->b, weights_of(x, r), own);
			ir_id value = ir_compose(at->b, lanes, width);
			ir_shared_store(at->b, x->weights, lower_plus(at->l, row, n), value);
		}
}

static ir_id fetch_v(struct attend_team *x, ir_id start, uint32_t i)
{
	struct attend *at = x->at;
	ir_id index = ir_add(at->b, start, x->chunk[i]);

	return at->a.stage_kv ? ir_shared_load(at->b, at->vectors, index)
	                      : lower_load(at->l, at->v, index);
}

/* sums += the weights of vector `n` of the block that begins with `key`, times v. */
static void weigh_vector(struct attend_team *x, ir_id key, ir_id n, ir_id *sums)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	ir_id weights[ATTENTION_TILE_MAX], first = lower_times(at->l, n, a->team.weight_width);

	for (uint32_t r = 0; r < a->tile; r++) {
		ir_id index = ir_add(at->b, weights_of(x, r), n);
		weights[r] = ir_shared_load(at->b, x->weights, index);
	}
	for (uint32_t w = 0; w < a->team.weight_width; w++) {
		ir_id own = lower_plus(at->l, first, w);
		ir_id start = a->stage_kv ? lower_times(at->l, own, a->arrays.pitch)
		                          : attend_key(at, ir_add(at->b, key, own));
		for (uint32_t i = 0; i < a->team.each; i++) {
			ir_id v = fetch_v(x, start, i);
			for (uint32_t r = 0; r < a->tile; r++) {
				ir_id lane = ir_extract(at->b, weights[r], w);
				ir_id weight = ir_splat(at->b, lane, a->width);
				ir_id *sum = &sums[r * a->team.each + i];
				*sum = ir_compute(at->b, IR_FMA, weight, v, *sum);
			}
		}
	}
}

/* Adds this invocation's part of the block to its sums. */
static void accumulate(struct attend_team *x, ir_id key)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	uint32_t count = a->tile * a->team.each,
	         vectors = a->block / a->team.weight_width / a->team.parts;
	ir_id sums[ATTENTION_ACCUMULATORS_MAX], from = ir_u32(at->b, 0);
	bool loop = vectors > a->team.weight_loads;

	if (loop)
		from = ir_loop(at->b, from, ir_u32(at->b, vectors), a->team.weight_loads);
	for (uint32_t i = 0; i < count; i++)
		sums[i] = ir_get(at->b, at->acc[i]);
	for (uint32_t i = 0; i < a->team.weight_loads; i++) {
		ir_id turn = lower_times(at->l, lower_plus(at->l, from, i), a->team.parts);
		weigh_vector(x, key, ir_add(at->b, turn, x->part), sums);
	}
	for (uint32_t i = 0; i < count; i++)
		ir_set(at->b, at->acc[i], sums[i]);
	if (loop)
		ir_end(at->b);
}

/* ---- A block of keys. Barriers: what a turn writes for others is read after the next one, and
 * overwritten only after one more. */

static void turn(struct attend_team *x, ir_id key)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	ir_id greatest[ATTENTION_PACKS_MAX];

	if (a->stage_kv) {
		stage(x, at->k, key);
		ir_barrier(at->b);
	}
	score(x, key);
	attend_greatest(at, a->step, greatest);
	attend_agree(x, IR_MAX, greatest);
	attend_raise(at, greatest);
	attend_weigh(at, a->step);
	store_weights(x);
	if (a->stage_kv) {
		if (a->subgroup) /* else agreeing had one: k is read */
			ir_barrier(at->b);
		stage(x, at->v, key);
	}
	ir_barrier(at->b);
	accumulate(x, key);
	if (a->stage_kv || a->subgroup)
		ir_barrier(at->b);
}

/* ---- The end. */

/* The sums of all parts, in those of part 0. */
static void join_parts(struct attend_team *x)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	ir_id own = ir_add(at->b, lower_times(at->l, x->tile, a->split), x->lane);
	ir_id first = ir_compute(at->b, IR_EQ, x->part, ir_u32(at->b, 0), 0), n;

	for (uint32_t i = 0; i < a->tile * a->team.each; i++) {
		if (i) /* the last ones have been read */
			ir_barrier(at->b);
		ir_shared_store(at->b, at->vectors, own, ir_get(at->b, at->acc[i]));
		ir_barrier(at->b);
		ir_if(at->b, first);
		n = ir_loop(at->b, ir_u32(at->b, a->team.across), ir_u32(at->b, a->split),
		        a->team.across);
		ir_id from = ir_add(at->b, own, n), sum = ir_get(at->b, at->acc[i]);
		ir_id other = ir_shared_load(at->b, at->vectors, from);
		ir_set(at->b, at->acc[i], ir_add(at->b, sum, other));
		ir_end(at->b);
		ir_end(at->b);
	}
}

void attend_rows(struct attend_team *x, ir_id bound, ir_id ret_inverse[ATTENTION_PACKS_MAX])
{
	struct attend *at = x->at;

	attend_begin(at, at->a.team.each);
	if (at->a.stage_q) {
		stage_q(x);
		ir_barrier(at->b);
	}
	turn(x, ir_loop(at->b, ir_u32(at->b, 0), bound, at->a.block));
	ir_end(at->b);
	for (uint32_t p = 0; p < at->a.packs; p++)
		ret_inverse[p] = ir_get(at->b, at->total[p]);
	attend_agree(x, IR_ADD, ret_inverse);
	attend_inverse(at, ret_inverse);
	if (at->a.team.parts > 1)
		join_parts(x);
}

ir_id attend_has_sum(struct attend_team *x, uint32_t i)
{
	struct attend *at = x->at;
	const struct attention *a = &at->a;
	ir_id has = 0;

	if (a->team.parts > 1)
		has = ir_compute(at->b, IR_EQ, x->part, ir_u32(at->b, 0), 0);
	if (a->team.each * a->team.across > a->chunks) {
		ir_id chunk = lower_plus(at->l, x->first_chunk, i * a->team.across);
		ir_id real = ir_compute(at->b, IR_LT, chunk, ir_u32(at->b, a->chunks), 0);
		has = has ? ir_compute(at->b, IR_LAND, has, real, 0) : real;
	}
	return has;
}

static void store_row(struct attend_team *x, uint32_t row, ir_id inverse)
{
	struct attend *at = x->at;
	ir_id factor = ir_splat(at->b, inverse, at->a.width), exists = at->row[row].exists;

	for (uint32_t i = 0; i < at->a.team.each; i++) {
		ir_id has = attend_has_sum(x, i);
		if (exists)
			has = has ? ir_compute(at->b, IR_LAND, has, exists, 0) : exists;
		if (has)
			ir_if(at->b, has);
		ir_id sum = ir_get(at->b, at->acc[row * at->a.team.each + i]);
		ir_id index = ir_add(at->b, at->row[row].start, x->chunk[i]);
		lower_store(at->l, at->out, index, ir_mul(at->b, sum, factor));
		if (has)
			ir_end(at->b);
	}
}

struct attend_team attend_begin_team(struct attend *at)
{
	const struct attention *a = &at->a;
	struct attend_team x = {
	        .at = at, .lane = lower_local(at->l, 0), .tile = lower_local(at->l, 1)};
	ir_type weights = IR_TYPE(IR_F32, a->team.weight_width);

	x.weights = ir_shared(at->b, weights, a->arrays.weight_length);
	if (!a->subgroup)
		x.slots = ir_shared(at->b, IR_TYPE(IR_F32, a->lanes), a->arrays.exchange_length);
	if (a->stage_q)
		x.queries = ir_shared(at->b, IR_TYPE(IR_F32, a->width), a->arrays.q_length);
	x.own_keys = lower_times(at->l, x.lane, a->step);
	x.first_chunk = lower_modulo(at->l, x.lane, a->team.across);
	x.part = lower_over(at->l, x.lane, a->team.across);
	for (uint32_t i = 0; i < a->team.each; i++) {
		ir_id last = ir_u32(at->b, a->chunks - 1);
		x.chunk[i] = lower_plus(at->l, x.first_chunk, i * a->team.across);
		if ((i + 1) * a->team.across > a->chunks)
			x.chunk[i] = ir_compute(at->b, IR_MIN, x.chunk[i], last, 0);
	}
	return x;
}

void attend_team(struct attend *at, ir_id first)
{
	struct attend_team x = attend_begin_team(at);
	ir_id inverse[ATTENTION_PACKS_MAX];
	ir_id last = lower_plus(at->l, first, at->a.tiles * at->a.tile - 1);
	ir_id bound = attend_bound(at, last);

	attend_position_tile(at, ir_add(at->b, first, lower_times(at->l, x.tile, at->a.tile)));
	attend_rows(&x, bound, inverse);
	for (uint32_t n = 0; n < at->a.tile; n++)
		store_row(&x, n, attend_own(at, inverse, n));
	if (at->l->geometry.grid[0].most) /* another block may follow */
		ir_barrier(at->b);
}
