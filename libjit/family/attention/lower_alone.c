/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention where every invocation owns a tile of rows: q and the weighted sums stand in
 * variables, and all keys pass by, `unroll` at a time. What is loaded of k and v serves all rows of
 * the tile; staged, it serves all tiles of the workgroup. q is in variables although it never
 * changes: as hundreds of values alive at every branch it costs software devices seconds to
 * compile.
 */
#include "family/attention/lower.h"

struct alone {
	struct attend *at;
	ir_id q[ATTENTION_ACCUMULATORS_MAX]; /* variables: [row][chunk], scaled */
	/* Where the keys scored at once begin, in memory or in the workgroup array. */
	ir_id k[ATTENTION_STEP_MAX], v[ATTENTION_STEP_MAX];
};

static void load_q(struct alone *x)
{
	struct attend *at = x->at;
	ir_id scale = ir_splat(at->b, ir_f32(at->b, attend_scale(at)), at->a.width);

	for (uint32_t n = 0; n < at->a.tile; n++)
		for (uint32_t c = 0; c < at->a.chunks; c++) {
			ir_id index = lower_plus(at->l, at->row[n].start, c);
			ir_id value = lower_load(at->l, at->q, index);
			x->q[n * at->a.chunks + c] = ir_var(at->b, ir_mul(at->b, value, scale));
		}
}

static ir_id fetch(struct alone *x, uint32_t tensor, ir_id start, uint32_t chunk)
{
	struct attend *at = x->at;
	ir_id index = lower_plus(at->l, start, chunk);

	return at->a.stage_kv ? ir_shared_load(at->b, at->vectors, index)
	                      : lower_load(at->l, tensor, index);
}

static void multiply(struct alone *x)
{
	struct attend *at = x->at;
	ir_id k[ATTENTION_STEP_MAX];

	for (uint32_t c = 0; c < at->a.chunks; c++) {
		for (uint32_t n = 0; n < at->a.unroll; n++)
			k[n] = fetch(x, at->k, x->k[n], c);
		for (uint32_t r = 0; r < at->a.tile; r++) {
			ir_id q = ir_get(at->b, x->q[r * at->a.chunks + c]);
			for (uint32_t n = 0; n < at->a.unroll; n++) {
				ir_id *sum = &at->product[n][r];
				*sum = c ? ir_compute(at->b, IR_FMA, q, k[n], *sum)
				         : ir_mul(at->b, q, k[n]);
			}
		}
	}
}

static void accumulate(struct alone *x)
{
	struct attend *at = x->at;
	ir_id v[ATTENTION_STEP_MAX];

	for (uint32_t c = 0; c < at->a.chunks; c++) {
		for (uint32_t n = 0; n < at->a.unroll; n++)
			v[n] = fetch(x, at->v, x->v[n], c);
		for (uint32_t r = 0; r < at->a.tile; r++) {
			ir_id acc = at->acc[r * at->a.chunks + c], sum = ir_get(at->b, acc);
			for (uint32_t n = 0; n < at->a.unroll; n++) {
				ir_id own = attend_own(at, at->score[n], r);
				ir_id weight = ir_splat(at->b, own, at->a.width);
				sum = ir_compute(at->b, IR_FMA, weight, v[n], sum);
			}
			ir_set(at->b, acc, sum);
		}
	}
}

/* The keys from `key` on, which stand in the workgroup array from number `staged` on. */
static void turn(struct alone *x, ir_id key, ir_id staged)
{
	struct attend *at = x->at;
	uint32_t keys = at->a.unroll;
	ir_id greatest[ATTENTION_PACKS_MAX];

	for (uint32_t n = 0; n < keys; n++) {
		if (at->a.stage_kv) {
			ir_id slot = lower_plus(at->l, staged, n);
			x->k[n] = lower_times(at->l, slot, at->a.arrays.pitch);
			x->v[n] = lower_plus(at->l, x->k[n], at->a.block * at->a.arrays.pitch);
		} else {
			x->k[n] = x->v[n] = attend_key(at, lower_plus(at->l, key, n));
		}
	}
	multiply(x);
	attend_score(at, key, keys, 1);
	attend_greatest(at, keys, greatest);
	attend_raise(at, greatest);
	attend_weigh(at, keys);
	accumulate(x);
}

/* All invocations copy the block's k and v together. */
static void stage(struct alone *x, ir_id key)
{
	struct attend *at = x->at;
	uint32_t count = at->a.block * at->a.chunks;
	ir_id e = ir_loop(at->b, lower_local(at->l, 0), ir_u32(at->b, count), at->a.tiles);
	ir_id slot = lower_over(at->l, e, at->a.chunks);
	ir_id chunk = lower_modulo(at->l, e, at->a.chunks);
	ir_id start = attend_key(at, ir_add(at->b, key, slot));
	ir_id index = ir_add(at->b, start, chunk);
	ir_id k = lower_load(at->l, at->k, index), v = lower_load(at->l, at->v, index);

	ir_shared_store(at->b, at->vectors, e, k);
	ir_shared_store(at->b, at->vectors, lower_plus(at->l, e, count), v);
	ir_end(at->b);
}

static void all_keys_staged(struct alone *x, ir_id bound)
{
	struct attend *at = x->at;
	ir_id zero = ir_u32(at->b, 0), key = ir_loop(at->b, zero, bound, at->a.block);

	stage(x, key);
	ir_barrier(at->b);
	if (at->a.unroll == at->a.block) {
		turn(x, key, zero);
	} else {
		ir_id block = ir_u32(at->b, at->a.block);
		ir_id staged = ir_loop(at->b, zero, block, at->a.unroll);
		turn(x, ir_add(at->b, key, staged), staged);
		ir_end(at->b);
	}
	ir_barrier(at->b);
	ir_end(at->b);
}

static void store_row(struct attend *at, uint32_t n, ir_id inverse)
{
	ir_id factor = ir_splat(at->b, inverse, at->a.width);

	if (at->row[n].exists)
		ir_if(at->b, at->row[n].exists);
	for (uint32_t c = 0; c < at->a.chunks; c++) {
		ir_id index = lower_plus(at->l, at->row[n].start, c);
		ir_id sum = ir_get(at->b, at->acc[n * at->a.chunks + c]);
		lower_store(at->l, at->out, index, ir_mul(at->b, sum, factor));
	}
	if (at->row[n].exists)
		ir_end(at->b);
}

void attend_alone(struct attend *at, ir_id first)
{
	struct alone x = {.at = at};
	ir_id mine = lower_times(at->l, lower_local(at->l, 0), at->a.tile), totals[4];
	/* Staging takes all invocations for as long as one of them has a row that needs it. */
	uint32_t rows = at->a.stage_kv ? at->a.tiles * at->a.tile : at->a.tile;
	ir_id begin = ir_add(at->b, first, mine), from = at->a.stage_kv ? first : begin;
	ir_id bound = attend_bound(at, lower_plus(at->l, from, rows - 1));

	attend_position_tile(at, begin);
	load_q(&x);
	attend_begin(at, at->a.chunks);
	if (at->a.stage_kv) {
		all_keys_staged(&x, bound);
	} else {
		ir_id key = ir_loop(at->b, ir_u32(at->b, 0), bound, at->a.block);
		turn(&x, key, 0);
		ir_end(at->b);
	}
	for (uint32_t p = 0; p < at->a.packs; p++)
		totals[p] = ir_get(at->b, at->total[p]);
	attend_inverse(at, totals);
	for (uint32_t n = 0; n < at->a.tile; n++)
		store_row(at, n, attend_own(at, totals, n));
}
