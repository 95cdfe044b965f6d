/* SPDX-License-Identifier: Apache-2.0
 *
 * Running sums. One invocation walks its lines from end to end; or wg_x invocations scan a line
 * block by block through workgroup memory (Blelloch 1990). Positions along a line are *logical*:
 * from its end where the operator runs in reverse. Invariant: the barriers of a turn are reached by
 * all.
 *
 * wg_x = 4 invocations, 2 neighbouring vectors each; one turn:
 *
 *   vectors     | 0 1 | 2 3 | 4 5 | 6 7 |     invocation i has 2i and 2i + 1
 *   own sums    | s0  | s1  | s2  | s3  |     each publishes its total
 *   before      | 0   | s0  | s0+s1 | s0+s1+s2
 *   carried     + what earlier turns came to; then s0+s1+s2+s3 is added to it
 */
#include "family/reduction/lower.h"

struct flags {
	bool exclusive, reverse;
};

static struct flags flags_of(const struct reducing *r)
{
	const uint32_t *v = r->l->op->value;

	return (struct flags){v[CUMSUM_EXCLUSIVE], v[CUMSUM_REVERSE]};
}

/* count - 1 - k where it runs in reverse. */
static ir_id physical(struct reducing *r, ir_id k)
{
	if (!flags_of(r).reverse)
		return k;
	ir_id last = ir_compute(r->b, IR_SUB, r->count, lower_u32(r->l, 1), 0);
	return ir_compute(r->b, IR_SUB, last, k, 0);
}

/* The sums of a vector's lanes with `before` and all lanes that precede them; *ret_after is what
 * precedes the next vector. */
static ir_id run_along(struct reducing *r, ir_id x, ir_id before, ir_id *ret_after)
{
	struct flags flags = flags_of(r);
	uint32_t lanes = r->s.across ? 1 : r->s.vec;
	ir_id sums[4], run = before;

	for (uint32_t i = 0; i < lanes; i++) {
		uint32_t lane = flags.reverse ? lanes - 1 - i : i;
		ir_id next = ir_add(r->b, run, r->s.across ? x : ir_extract(r->b, x, lane));
		sums[lane] = flags.exclusive ? run : next;
		run = next;
	}
	*ret_after = run;
	return ir_compose(r->b, sums, lanes);
}

static ir_id zero_of_line(struct reducing *r)
{
	return ir_splat(r->b, ir_f32(r->b, 0), r->s.across ? r->s.vec : 1);
}

/* ---- One invocation a line. */

static void run_chunk(struct reducing *r, const struct chunk *chunk)
{
	ir_id run[TILE_MAX], sums[TILE_MAX];

	for (uint32_t i = 0; i < r->s.tile_m; i++)
		run[i] = ir_get(r->b, r->acc[i][0]);
	for (uint32_t j = 0; j < chunk->count; j++) {
		ir_id k = physical(r, reduction_within(r, chunk->k[j], chunk->valid[j]));
		for (uint32_t i = 0; i < r->s.tile_m; i++) {
			ir_id x = reduction_fetch(r, &r->line[i], k);
			sums[i] = run_along(r, x, run[i], &run[i]);
		}
		reduction_store(r, chunk->valid[j], k, sums);
	}
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		ir_set(r->b, r->acc[i][0], run[i]);
}

/* Both lines beside a seam in the order of memory (or against it): the sum starts again there. */
static void run_pairs(struct reducing *r, const struct chunk *chunk)
{
	bool reverse = flags_of(r).reverse;
	ir_id pair[2], k, run = ir_get(r->b, r->acc[0][0]), zero = zero_of_line(r);
	ir_id edge = reverse ? ir_compute(r->b, IR_SUB, r->count, lower_u32(r->l, 1), 0) : r->count;

	for (uint32_t j = 0; j < chunk->count; j++) {
		ir_id within = reduction_within(r, chunk->k[j], chunk->valid[j]);
		ir_id word = physical(r, within);
		for (uint32_t i = 0; i < 2; i++) {
			uint32_t half = reverse ? 1 - i : i;
			ir_id at = lower_plus(r->l, lower_times(r->l, word, 2), half);
			struct line line = reduction_of_pair(r, at, &k);
			ir_id seam = ir_compute(r->b, IR_EQ, at, edge, 0);
			run = ir_select(r->b, seam, zero, run);
			ir_id x = reduction_fetch(r, &line, k);
			pair[half] = run_along(r, x, run, &run);
		}
		reduction_store_pair(r, chunk->valid[j], word, pair);
	}
	ir_set(r->b, r->acc[0][0], run);
}

/* The sum that belongs at position k of a line, from nothing. */
static ir_id sum_to(struct reducing *r, const struct line *line, ir_id k)
{
	struct flags flags = flags_of(r);
	ir_id next = lower_plus(r->l, k, 1), zero = lower_u32(r->l, 0);
	ir_id from = !flags.reverse ? zero : flags.exclusive ? next : k;
	ir_id to = flags.reverse ? r->count : flags.exclusive ? k : next;
	ir_id sum = ir_var(r->b, zero_of_line(r));

	ir_id at = ir_loop(r->b, from, to, 1);
	ir_id x = reduction_fetch(r, line, at);
	ir_id before = ir_get(r->b, sum);
	ir_set(r->b, sum, ir_add(r->b, before, x));
	ir_end(r->b);
	return ir_get(r->b, sum);
}

static void run_word(struct reducing *r)
{
	ir_id pair[2];

	for (uint32_t half = 0; half < 2; half++) {
		ir_id k = reduction_k_of_word(r, half);
		pair[half] = sum_to(r, &r->line[half], k);
	}
	reduction_store_word(r, pair);
}

static void run_alone(struct reducing *r)
{
	ir_id zero = zero_of_line(r);

	for (uint32_t i = 0; i < r->s.tile_m; i++)
		r->acc[i][0] = ir_var(r->b, zero);
	reduction_walk(r, r->s.owner == OWNER_PAIRS ? run_pairs : run_chunk);
}

/* ---- A workgroup a line. */

struct block {
	uint32_t array[2];    /* of workgroup memory */
	ir_id k[VECTORS_MAX]; /* physical, within the line */
	ir_id valid[VECTORS_MAX];
	ir_id sums[TILE_MAX][VECTORS_MAX]; /* within this invocation's vectors */
	ir_id total[TILE_MAX], before[TILE_MAX], all[TILE_MAX];
};

/* Whether turns of so many vectors all lie within any line. */
static bool divides(const struct reducing *r, uint32_t turn)
{
	const struct op *op = r->l->op;

	return reduction_is_constant(op, r->s.count) && reduction_tuned(op, r->s.count) % turn == 0;
}

/* Neighbouring vectors, `start` being the turn's first. */
static void place_own(struct reducing *r, struct block *block, ir_id start)
{
	ir_id first = ir_add(r->b, start, lower_times(r->l, r->along, r->s.vectors));
	bool surely = divides(r, r->s.wg_x * r->s.vectors);

	for (uint32_t j = 0; j < r->s.vectors; j++) {
		ir_id k = lower_plus(r->l, first, j);
		block->valid[j] = surely ? 0 : ir_compute(r->b, IR_LT, k, r->count, 0);
		block->k[j] = physical(r, reduction_within(r, k, block->valid[j]));
	}
}

static void sum_own(struct reducing *r, struct block *block)
{
	ir_id zero = zero_of_line(r), zeros = ir_splat(r->b, ir_f32(r->b, 0), r->s.vec);

	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id run = zero;
		for (uint32_t j = 0; j < r->s.vectors; j++) {
			ir_id x = reduction_fetch(r, &r->line[i], block->k[j]);
			if (block->valid[j])
				x = ir_select(r->b, block->valid[j], x, zeros);
			block->sums[i][j] = run_along(r, x, run, &run);
		}
		block->total[i] = run;
	}
}

static ir_id slot_of(struct reducing *r, uint32_t array, uint32_t i, ir_id along)
{
	return ir_shared_load(r->b, array, reduction_slot(r, i, along));
}

/* Few invocations: each reads what all of them published. */
static void scan_few(struct reducing *r, struct block *block)
{
	ir_id zero = zero_of_line(r);

	reduction_publish(r, block->array[0], block->total);
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id before = zero, all = zero;
		for (uint32_t j = 0; j < r->s.wg_x; j++) {
			ir_id slot = lower_u32(r->l, j);
			ir_id part = slot_of(r, block->array[0], i, slot);
			ir_id earlier = ir_compute(r->b, IR_LT, slot, r->along, 0);
			before = ir_add(r->b, before, ir_select(r->b, earlier, part, zero));
			all = ir_add(r->b, all, part);
		}
		block->before[i] = before;
		block->all[i] = all;
	}
}

/* What slot along - step holds, or 0 before the first. */
static ir_id earlier_slot(struct reducing *r, uint32_t array, uint32_t i, uint32_t step)
{
	ir_id there = ir_compute(r->b, IR_GE, r->along, lower_u32(r->l, step), 0);
	ir_id less = ir_compute(r->b, IR_SUB, r->along, lower_u32(r->l, step), 0);
	ir_id slot = ir_select(r->b, there, less, lower_u32(r->l, 0));
	ir_id value = slot_of(r, array, i, slot);

	return ir_select(r->b, there, value, zero_of_line(r));
}

/* Many: each adds the one `step` before it, for steps of 1, 2, 4, ... (Hillis and Steele 1986). */
static void scan_many(struct reducing *r, struct block *block)
{
	ir_id sum[TILE_MAX];
	uint32_t from = 0;

	reduction_publish(r, block->array[0], block->total);
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		sum[i] = block->total[i];
	for (uint32_t step = 1; step < r->s.wg_x; step *= 2, from = 1 - from) {
		for (uint32_t i = 0; i < r->s.tile_m; i++) {
			ir_id earlier = earlier_slot(r, block->array[from], i, step);
			sum[i] = ir_add(r->b, sum[i], earlier);
		}
		reduction_publish(r, block->array[1 - from], sum);
	}
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id last = lower_u32(r->l, r->s.wg_x - 1);
		block->before[i] = earlier_slot(r, block->array[from], i, 1);
		block->all[i] = slot_of(r, block->array[from], i, last);
	}
}

static void write_block(struct reducing *r, const struct block *block)
{
	uint32_t lanes = r->s.across ? 1 : r->s.vec;
	ir_id before[TILE_MAX], value[TILE_MAX];

	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id carried = ir_get(r->b, r->acc[i][0]);
		before[i] = ir_splat(r->b, ir_add(r->b, carried, block->before[i]), lanes);
		ir_set(r->b, r->acc[i][0], ir_add(r->b, carried, block->all[i]));
	}
	reduction_open(r);
	for (uint32_t j = 0; j < r->s.vectors; j++) {
		for (uint32_t i = 0; i < r->s.tile_m; i++)
			value[i] = ir_add(r->b, block->sums[i][j], before[i]);
		reduction_store(r, block->valid[j], block->k[j], value);
	}
	reduction_close(r);
}

static void run_blocks(struct reducing *r)
{
	ir_id zero = zero_of_line(r);
	bool few = r->s.wg_x <= r->s.radix;
	struct block block = {.array = {reduction_array(r, zero)}};

	if (!few)
		block.array[1] = reduction_array(r, zero);
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		r->acc[i][0] = ir_var(r->b, zero);
	uint32_t turn = r->s.wg_x * r->s.vectors;
	ir_id start = ir_loop(r->b, lower_u32(r->l, 0), r->count, turn);
	place_own(r, &block, start);
	sum_own(r, &block);
	if (few)
		scan_few(r, &block);
	else
		scan_many(r, &block);
	write_block(r, &block);
	ir_barrier(r->b); /* the next turn writes what this one reads */
	ir_end(r->b);
}

void reduction_scan(struct reducing *r)
{
	if (r->s.wg_x > 1) {
		run_blocks(r);
		return;
	}
	reduction_open(r);
	if (r->s.owner == OWNER_WORDS)
		run_word(r);
	else
		run_alone(r);
	reduction_close(r);
}
