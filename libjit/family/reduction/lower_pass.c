/* SPDX-License-Identifier: Apache-2.0
 *
 * Passes along the lines. What a pass takes of every element joins in an accumulator of the
 * invocation; the line's invocations are joined; the row says what becomes of the result. Two
 * passes run as one where the row says how; the index of an extreme is found beside it. Invariant:
 * vectors past the line join as the neutral element.
 */
#include "family/reduction/lower.h"

#include <math.h>

/* ---- Passes. */

static ir_id read_acc(struct reducing *r, uint32_t i, uint32_t n)
{
	return r->s.straight ? r->acc[i][n] : ir_get(r->b, r->acc[i][n]);
}

static void write_acc(struct reducing *r, uint32_t i, uint32_t n, ir_id value)
{
	if (r->s.straight)
		r->acc[i][n] = value;
	else
		ir_set(r->b, r->acc[i][n], value);
}

static void begin_acc(struct reducing *r, uint32_t n, ir_id initial)
{
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		r->acc[i][n] = r->s.straight ? initial : ir_var(r->b, initial);
}

static ir_id select_valid(struct reducing *r, ir_id valid, ir_id value, ir_id otherwise)
{
	return valid ? ir_select(r->b, valid, value, otherwise) : value;
}

/* The chunk's terms of pass n, what lies beyond the line left out. */
static void find_terms(struct reducing *r, const struct chunk *chunk, uint32_t i, uint32_t n,
        ir_id terms[VECTORS_MAX])
{
	const struct reduction_pass *pass = &r->s.row->pass[n];

	for (uint32_t j = 0; j < chunk->count; j++) {
		ir_id k = reduction_within(r, chunk->k[j], chunk->valid[j]);
		ir_id x = reduction_fetch(r, &r->line[i], k);
		ir_id term = reduction_evaluate(r, &r->line[i], pass->term, x);
		ir_id nothing = reduction_neutral(r, pass->join, term);
		terms[j] = select_valid(r, chunk->valid[j], term, nothing);
	}
}

/* Line i's accumulator n joined with the chunk's terms of the row's pass `pass`. */
static void absorb_line(
        struct reducing *r, const struct chunk *chunk, uint32_t i, uint32_t n, uint32_t pass)
{
	enum reduction_join join = r->s.row->pass[pass].join;
	ir_id terms[VECTORS_MAX];

	find_terms(r, chunk, i, pass, terms);
	ir_id sum = reduction_join_many(r, join, terms, chunk->count);
	ir_id before = read_acc(r, i, n);
	write_acc(r, i, n, reduction_join(r, join, before, sum));
}

static void absorb(struct reducing *r, const struct chunk *chunk)
{
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		absorb_line(r, chunk, i, 0, r->pass);
}

static ir_id like_elements(struct reducing *r)
{
	return ir_splat(r->b, ir_f32(r->b, 0), r->s.vec);
}

/* Where exp(NaN) is an infinity, as some devices have it, so is a sum of it. */
static ir_id sound(struct reducing *r, ir_id value, float least)
{
	ir_id bound = lower_literal(r->b, least, value);
	ir_id finite = ir_compute(r->b, IR_LT, value, lower_literal(r->b, INFINITY, value), 0);

	value = ir_select(r->b, finite, value, lower_literal(r->b, NAN, value));
	return ir_select(r->b, ir_compute(r->b, IR_LT, value, bound, 0), bound, value);
}

/* Result n, as the row's pass `pass` says. */
static void keep_results(
        struct reducing *r, uint32_t n, uint32_t pass, const ir_id value[static TILE_MAX])
{
	const uint8_t *steps = r->s.row->pass[pass].result;
	float least = r->s.row->pass[pass].least;

	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		r->line[i].result[n] = least > 0 ? sound(r, value[i], least) : value[i];
		if (steps[0])
			r->line[i].result[n] = reduction_evaluate(r, &r->line[i], steps, 0);
	}
}

static void run_pass(struct reducing *r, uint32_t n)
{
	enum reduction_join join = r->s.row->pass[n].join;
	ir_id value[TILE_MAX];

	r->pass = n;
	begin_acc(r, 0, reduction_neutral(r, join, like_elements(r)));
	reduction_walk(r, absorb);
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		value[i] = read_acc(r, i, 0);
	reduction_join_line(r, join, value);
	keep_results(r, n, n, value);
}

/* ---- Both passes at once. */

static void read_all(struct reducing *r, uint32_t n, ir_id ret_value[static TILE_MAX])
{
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		ret_value[i] = read_acc(r, i, n);
}

static void absorb_apart(struct reducing *r, const struct chunk *chunk)
{
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		absorb_line(r, chunk, i, 0, 0);
		absorb_line(r, chunk, i, 1, 2);
	}
}

static void run_apart(struct reducing *r)
{
	const struct reduction_pass *pass = r->s.row->pass;
	ir_id value[TILE_MAX], like = like_elements(r);

	begin_acc(r, 0, reduction_neutral(r, pass[0].join, like));
	begin_acc(r, 1, reduction_neutral(r, pass[2].join, like));
	reduction_walk(r, absorb_apart);
	read_all(r, 0, value);
	reduction_join_line(r, pass[0].join, value);
	keep_results(r, 0, 0, value);
	read_all(r, 1, value);
	reduction_join_line(r, pass[2].join, value);
	keep_results(r, 1, 2, value);
}

/* Exponentials: the sum is relative to the greatest so far, and shrinks as that grows. */
static ir_id exp_of_difference(struct reducing *r, ir_id a, ir_id b)
{
	ir_id difference = ir_compute(r->b, IR_SUB, a, b, 0);

	return ir_compute(r->b, IR_EXP, difference, 0, 0);
}

static void absorb_exponentials(struct reducing *r, const struct chunk *chunk)
{
	ir_id terms[VECTORS_MAX];

	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		find_terms(r, chunk, i, 0, terms);
		ir_id here = reduction_join_many(r, JOIN_TOP, terms, chunk->count);
		ir_id old = read_acc(r, i, 0), sum = read_acc(r, i, 1);
		ir_id new = reduction_join(r, JOIN_TOP, old, here);
		for (uint32_t j = 0; j < chunk->count; j++) {
			ir_id e = exp_of_difference(r, terms[j], new);
			ir_id zero = lower_literal(r->b, 0, e);
			terms[j] = select_valid(r, chunk->valid[j], e, zero);
		}
		ir_id shrunk = ir_mul(r->b, sum, exp_of_difference(r, old, new));
		ir_id added = reduction_join_many(r, JOIN_ADD, terms, chunk->count);
		write_acc(r, i, 1, ir_add(r->b, shrunk, added));
		write_acc(r, i, 0, new);
	}
}

static ir_id splat_like(struct reducing *r, ir_id value, ir_id like)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(r->b, like));

	return ir_lanes_of(ir_type_of(r->b, value)) == lanes ? value : ir_splat(r->b, value, lanes);
}

static void run_exponentials(struct reducing *r)
{
	ir_id most[TILE_MAX], sum[TILE_MAX], zero = like_elements(r);

	begin_acc(r, 0, reduction_neutral(r, JOIN_TOP, zero));
	begin_acc(r, 1, zero);
	reduction_walk(r, absorb_exponentials);
	read_all(r, 0, most);
	reduction_join_line(r, JOIN_TOP, most);
	keep_results(r, 0, 0, most);
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id own = read_acc(r, i, 0), part = read_acc(r, i, 1);
		ir_id all = splat_like(r, most[i], own);
		sum[i] = ir_mul(r->b, part, exp_of_difference(r, own, all));
	}
	reduction_join_line(r, JOIN_ADD, sum);
	keep_results(r, 1, 1, sum);
}

void reduction_run(struct reducing *r)
{
	enum reduction_online online = r->s.straight ? ONLINE_NONE : r->s.row->online;

	if (online == ONLINE_EXPONENTIALS) {
		run_exponentials(r);
		return;
	}
	if (online == ONLINE_APART) {
		run_apart(r);
		return;
	}
	run_pass(r, 0);
	if (r->s.row->pass[1].join != JOIN_NONE)
		run_pass(r, 1);
}

/* ---- The index of an extreme: the first among equals in each lane, then the least of those that
 * are as extreme as the line's. */

/* Indices along the line of the lanes of vector k. */
static ir_id indices_of(struct reducing *r, ir_id k)
{
	uint32_t vec = r->s.vec;
	ir_id lanes[4], first = lower_times(r->l, k, r->s.across ? 1 : vec);

	for (uint32_t lane = 0; lane < vec; lane++) {
		ir_id index = lower_plus(r->l, first, r->s.across ? 0 : lane);
		lanes[lane] = ir_convert(r->b, index, IR_I32);
	}
	return ir_compose(r->b, lanes, vec);
}

static ir_id is_beyond(struct reducing *r, ir_id x, ir_id best, ir_id valid)
{
	bool greatest = r->s.row->pass[0].join == JOIN_MAX;
	ir_id beyond = greatest ? ir_compute(r->b, IR_LT, best, x, 0)
	                        : ir_compute(r->b, IR_LT, x, best, 0);

	if (!valid)
		return beyond;
	return ir_compute(r->b, IR_LAND, beyond, splat_like(r, valid, beyond), 0);
}

static void absorb_index(struct reducing *r, const struct chunk *chunk)
{
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id best = read_acc(r, i, 0), index = read_acc(r, i, 1);
		for (uint32_t j = 0; j < chunk->count; j++) {
			ir_id k = reduction_within(r, chunk->k[j], chunk->valid[j]);
			ir_id x = reduction_fetch(r, &r->line[i], k);
			ir_id beyond = is_beyond(r, x, best, chunk->valid[j]);
			ir_id here = indices_of(r, k);
			best = ir_select(r->b, beyond, x, best);
			index = ir_select(r->b, beyond, here, index);
		}
		write_acc(r, i, 0, best);
		write_acc(r, i, 1, index);
	}
}

void reduction_run_index(struct reducing *r, ir_id ret_index[static TILE_MAX])
{
	enum reduction_join join = r->s.row->pass[0].join;
	ir_id best[TILE_MAX], zero = like_elements(r);

	begin_acc(r, 0, reduction_neutral(r, join, zero));
	begin_acc(r, 1, ir_convert(r->b, zero, IR_I32));
	reduction_walk(r, absorb_index);
	read_all(r, 0, best);
	reduction_join_line(r, join, best);
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		ir_id own = read_acc(r, i, 0), found = read_acc(r, i, 1);
		ir_id as_good = ir_compute(r->b, IR_EQ, own, splat_like(r, best[i], own), 0);
		ir_id none = reduction_neutral(r, JOIN_MIN, found);
		ret_index[i] = ir_select(r->b, as_good, found, none);
	}
	reduction_join_line(r, JOIN_MIN, ret_index);
}
