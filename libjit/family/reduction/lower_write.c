/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reduction writes: a number a line, or every element once its line's results are known.
 * Without shader-f16, f16 is written in whole words by whoever owns both halves (enum
 * reduction_owner). Invariant: a word has one writer, and nothing past out's end is written.
 *
 * Two lines of n = 5 elements are 5 words; PAIRS: one invocation has both lines.
 *
 *   line 0   0 1 | 2 3 | 4              word 2 holds the last element of line 0
 *   line 1               |   0 | 1 2 | 3 4    and the first of line 1
 *   word      0  |  1  |  2  |  3  |  4
 */
#include "family/reduction/lower.h"

static void store_if(struct reducing *r, ir_id condition, ir_id position, ir_id value)
{
	ir_if(r->b, condition);
	lower_store(r->l, r->out, position, value);
	ir_end(r->b);
}

void reduction_store(
        struct reducing *r, ir_id condition, ir_id k, const ir_id value[static TILE_MAX])
{
	if (condition)
		ir_if(r->b, condition);
	for (uint32_t i = 0; i < r->s.tile_m; i++)
		lower_store(r->l, r->out, reduction_position(r, &r->line[i], k), value[i]);
	if (condition)
		ir_end(r->b);
}

/* ---- A number a line. */

/* A store may hold two neighbouring lines, of which the second need not exist: then its half of the
 * word is nobody's. */
static void write_neighbours(struct reducing *r, const ir_id value[static TILE_MAX])
{
	for (uint32_t i = 0; i < r->s.tile_m; i += 2) {
		ir_id line = lower_plus(r->l, r->first, i);
		ir_id exists = ir_compute(r->b, IR_LT, line, r->lines, 0);
		ir_id pair = ir_compose(r->b, value + i, 2);
		store_if(r, exists, lower_over(r->l, line, 2), pair);
	}
}

void reduction_write_results(struct reducing *r, const ir_id value[static TILE_MAX])
{
	bool shared = r->s.wg_x > 1;

	reduction_open(r);
	if (shared)
		ir_if(r->b, ir_compute(r->b, IR_EQ, r->along, lower_u32(r->l, 0), 0));
	if (r->s.out_width == 2 && !(r->s.across && r->s.vec == 2))
		write_neighbours(r, value);
	else
		for (uint32_t i = 0; i < r->s.tile_m; i++)
			lower_store(r->l, r->out, r->line[i].at, value[i]);
	if (shared)
		ir_end(r->b);
	reduction_close(r);
}

/* ---- Every element. */

/* By the channel of each lane of vector k. */
static ir_id load_by_channel(struct reducing *r, const struct line *line, uint32_t tensor, ir_id k)
{
	uint32_t vec = r->s.vec;
	ir_id lanes[4], inner = lower_dim(r->l, r->s.lines.n.value);

	for (uint32_t lane = 0; lane < vec; lane++) {
		ir_id element = lower_plus(r->l, lower_times(r->l, k, vec), lane);
		ir_id channel = ir_compute(r->b, IR_DIV, element, inner, 0);
		lanes[lane] = lower_load(r->l, tensor, ir_add(r->b, line->channel, channel));
	}
	return ir_compose(r->b, lanes, vec);
}

static ir_id load_parameter(struct reducing *r, const struct line *line, uint32_t tensor, ir_id k)
{
	if (r->s.lines.groups)
		return load_by_channel(r, line, tensor, k);
	return lower_load(r->l, tensor, k);
}

/* Vector k of out, from that of x. */
static ir_id finish(struct reducing *r, const struct line *line, ir_id k, ir_id x)
{
	ir_id value = reduction_evaluate(r, line, r->s.row->write, x);
	bool has_weight = r->weight < OP_TENSORS_MAX, has_bias = r->bias < OP_TENSORS_MAX;
	ir_id weight = has_weight ? load_parameter(r, line, r->weight, k) : 0;
	ir_id bias = has_bias ? load_parameter(r, line, r->bias, k) : 0;

	if (has_weight && has_bias)
		value = ir_compute(r->b, IR_FMA, value, weight, bias);
	else if (has_weight)
		value = ir_mul(r->b, value, weight);
	else if (has_bias)
		value = ir_add(r->b, value, bias);
	if (r->s.lines.act)
		value = lower_acts(r->l, r->s.lines.act, value);
	return value;
}

static void write_chunk(struct reducing *r, const struct chunk *chunk)
{
	ir_id value[TILE_MAX];

	for (uint32_t j = 0; j < chunk->count; j++) {
		ir_id k = reduction_within(r, chunk->k[j], chunk->valid[j]);
		for (uint32_t i = 0; i < r->s.tile_m; i++) {
			ir_id x = reduction_fetch(r, &r->line[i], k);
			value[i] = finish(r, &r->line[i], k, x);
		}
		reduction_store(r, chunk->valid[j], k, value);
	}
}

/* ---- Pairs: two neighbouring lines of n elements each are n words. */

static struct line select_line(
        struct reducing *r, ir_id second, const struct line *a, const struct line *b)
{
	struct line line = {.base = ir_select(r->b, second, b->base, a->base)};

	line.addend = ir_select(r->b, second, b->addend, a->addend);
	if (a->channel)
		line.channel = ir_select(r->b, second, b->channel, a->channel);
	if (a->shift)
		line.shift = ir_select(r->b, second, b->shift, a->shift);
	for (uint32_t n = 0; n < 2; n++)
		if (a->result[n])
			line.result[n] = ir_select(r->b, second, b->result[n], a->result[n]);
	return line;
}

struct line reduction_of_pair(struct reducing *r, ir_id at, ir_id *ret_k)
{
	ir_id second = ir_compute(r->b, IR_GE, at, r->count, 0);
	ir_id rest = ir_compute(r->b, IR_SUB, at, r->count, 0);

	*ret_k = ir_select(r->b, second, rest, at);
	return select_line(r, second, &r->line[0], &r->line[1]);
}

void reduction_store_pair(struct reducing *r, ir_id condition, ir_id word, const ir_id pair[2])
{
	ir_id start = ir_mul(r->b, lower_over(r->l, r->first, 2), r->count);
	ir_id position = ir_add(r->b, start, word);
	ir_id elements = ir_mul(r->b, r->rows, r->count); /* PAIRS have no columns */
	ir_id words = lower_over(r->l, lower_plus(r->l, elements, 1), 2);
	ir_id inside = ir_compute(r->b, IR_LT, position, words, 0);

	if (condition)
		inside = ir_compute(r->b, IR_LAND, inside, condition, 0);
	store_if(r, inside, position, ir_compose(r->b, pair, 2));
}

static void write_pairs(struct reducing *r, const struct chunk *chunk)
{
	ir_id pair[2], k;

	for (uint32_t j = 0; j < chunk->count; j++) {
		ir_id word = reduction_within(r, chunk->k[j], chunk->valid[j]);
		for (uint32_t half = 0; half < 2; half++) {
			ir_id at = lower_plus(r->l, lower_times(r->l, word, 2), half);
			struct line line = reduction_of_pair(r, at, &k);
			ir_id x = reduction_fetch(r, &line, k);
			pair[half] = finish(r, &line, k, x);
		}
		reduction_store_pair(r, chunk->valid[j], word, pair);
	}
}

/* ---- Words: one each, of elements of any two lines. */

ir_id reduction_k_of_word(struct reducing *r, uint32_t half)
{
	ir_id last = ir_compute(r->b, IR_SUB, r->lines, lower_u32(r->l, 1), 0);
	ir_id at = lower_plus(r->l, r->first, half);
	ir_id element = ir_compute(r->b, IR_MIN, at, last, 0);
	ir_id row = ir_compute(r->b, IR_DIV, element, r->columns, 0);

	return ir_compute(r->b, IR_MOD, row, r->count, 0);
}

void reduction_store_word(struct reducing *r, const ir_id pair[2])
{
	lower_store(r->l, r->out, lower_over(r->l, r->first, 2), ir_compose(r->b, pair, 2));
}

static void write_word(struct reducing *r)
{
	ir_id pair[2];

	for (uint32_t half = 0; half < 2; half++) {
		ir_id k = reduction_k_of_word(r, half);
		ir_id x = reduction_fetch(r, &r->line[half], k);
		pair[half] = finish(r, &r->line[half], k, x);
	}
	reduction_store_word(r, pair);
}

void reduction_write_elements(struct reducing *r)
{
	reduction_open(r);
	if (r->s.owner == OWNER_WORDS)
		write_word(r);
	else
		reduction_walk(r, r->s.owner == OWNER_PAIRS ? write_pairs : write_chunk);
	reduction_close(r);
}
