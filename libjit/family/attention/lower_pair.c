/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention with out in words of two f16 and rows of odd length, where rows share words. A
 * workgroup owns two rows of out that are neighbours in memory, whosever they are, and attends to
 * one after the other. The first row's last element shares a word with the second row's first: it
 * is carried over. What is beside a last row without a neighbour lies behind the tensor's end.
 */
#include "family/attention/lower.h"

/* Places row number `row` of all, as out has them in memory. */
static ir_id position_of_all(struct attend *at, ir_id row)
{
	struct lower *l = at->l;
	uint32_t heads = at->a.op.kv_heads * at->a.op.group;
	ir_id position, head, batch;

	if (at->a.op.positions_first) {
		ir_id rest = lower_over(l, row, heads);
		head = lower_modulo(l, row, heads);
		position = ir_compute(at->b, IR_MOD, rest, at->positions, 0);
		batch = ir_compute(at->b, IR_DIV, rest, at->positions, 0);
	} else {
		ir_id rest = ir_compute(at->b, IR_DIV, row, at->positions, 0);
		position = ir_compute(at->b, IR_MOD, row, at->positions, 0);
		head = lower_modulo(l, rest, heads);
		batch = lower_over(l, rest, heads);
	}
	attend_position_head(at, batch, lower_over(l, head, at->a.op.group));
	attend_position_row(at, 0, position, lower_modulo(l, head, at->a.op.group));
	at->sees[0] = at->row[0].sees;
	return at->sees[0];
}

/* The row's elements into the workgroup array, behind the one that is carried over. */
static void collect(struct attend_team *x, ir_id inverse, ir_id carried)
{
	struct attend *at = x->at;

	ir_barrier(at->b);
	for (uint32_t i = 0; i < at->a.team.each; i++) {
		ir_id has = attend_has_sum(x, i);
		if (has)
			ir_if(at->b, has);
		ir_id value = ir_mul(at->b, ir_get(at->b, at->acc[i]), inverse);
		ir_shared_store(at->b, at->vectors, lower_plus(at->l, x->chunk[i], 1), value);
		if (has)
			ir_end(at->b);
	}
	ir_if(at->b, ir_compute(at->b, IR_EQ, x->lane, ir_u32(at->b, 0), 0));
	ir_shared_store(at->b, at->vectors, ir_u32(at->b, 0), carried);
	ir_end(at->b);
	ir_barrier(at->b);
}

/* Writes `words` words from word number `to`, the first element being number `from` of those
 * collected. */
static void write_words(struct attend_team *x, ir_id to, ir_id from, ir_id words)
{
	struct attend *at = x->at;
	ir_id word = ir_loop(at->b, x->lane, words, at->a.split), pair[2];
	ir_id first = ir_add(at->b, lower_times(at->l, word, 2), from);

	for (uint32_t i = 0; i < 2; i++)
		pair[i] = ir_shared_load(at->b, at->vectors, lower_plus(at->l, first, i));
	ir_id value = ir_compose(at->b, pair, 2);
	lower_store(at->l, at->out, ir_add(at->b, to, word), value);
	ir_end(at->b);
}

void attend_pair(struct attend *at)
{
	struct attend_team x = attend_begin_team(at);
	uint32_t heads = at->a.op.kv_heads * at->a.op.group, dim = at->a.chunks;
	ir_id batches = lower_dim(at->l, ATTENTION_BATCH), zero = ir_u32(at->b, 0);
	ir_id rows = lower_times(at->l, ir_mul(at->b, batches, at->positions), heads);
	ir_id first = lower_times(at->l, lower_flat_workgroup(at->l), 2);
	ir_id carry = ir_var(at->b, ir_f32(at->b, 0)), inverse[ATTENTION_PACKS_MAX];
	ir_id begun = ir_compute(at->b, IR_LT, first, rows, 0);
	ir_id second = ir_loop(at->b, zero, ir_u32(at->b, 2), 1);
	ir_id row = ir_add(at->b, first, second), last = lower_plus(at->l, rows, UINT32_MAX);
	ir_id kept = ir_compute(at->b, IR_MIN, row, last, 0);
	ir_id bound = position_of_all(at, kept);

	attend_rows(&x, bound, inverse);
	collect(&x, inverse[0], ir_get(at->b, carry));
	ir_id whole = lower_plus(at->l, second, (dim - 1) / 2);
	ir_id rest = ir_select(at->b, begun, second, zero);
	ir_id exists = ir_compute(at->b, IR_LT, row, rows, 0);
	ir_id words = ir_select(at->b, exists, whole, rest);
	ir_id to = lower_over(at->l, lower_times(at->l, row, dim), 2);
	ir_id from = ir_compute(at->b, IR_SUB, ir_u32(at->b, 1), second, 0);
	write_words(&x, to, from, words);
	ir_set(at->b, carry, ir_shared_load(at->b, at->vectors, ir_u32(at->b, dim)));
	ir_barrier(at->b);
	ir_end(at->b);
}
