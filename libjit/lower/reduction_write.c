/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reduction writes: a number a line, or every element once its line's results are known.
 * f16 without shader-f16 is written in whole words, by whoever owns both halves (see enum
 * reduction_owner).
 */
#include "lower/reduction.h"

ir_id reduction_both(struct reducing *r, ir_id x, ir_id y)
{
	return !x ? y : !y ? x : ir_compute(r->b, IR_LAND, x, y, 0);
}

void reduction_store(struct reducing *r, ir_id condition, ir_id position, ir_id value)
{
	if (condition)
		ir_if(r->b, condition);
	lower_store(r->l, r->out, position, value);
	if (condition)
		ir_end(r->b);
}

/* ---- A number a line. */

/* A store may hold several neighbouring lines; the last of them may not exist, but then its half of
 * the word is nobody's. */
void reduction_write_results(struct reducing *r, const ir_id value[static TILE_MAX])
{
	uint32_t each = r->s.across && r->s.vec > 1 ? 1 : r->s.out_width;
	ir_id alone = 0;

	if (r->s.wg_x > 1)
		alone = ir_compute(r->b, IR_EQ, r->along, lower_u32(r->l, 0), 0);
	for (uint32_t i = 0; i < r->s.tile_m; i += each) {
		ir_id guard = reduction_guard(r, i);
		ir_id line = lower_plus(r->l, r->first, i);
		ir_id position = lower_over(r->l, line, each);
		ir_id neighbours = each == 1 ? value[i] : ir_compose(r->b, value + i, each);
		reduction_store(r, reduction_both(r, alone, guard), position, neighbours);
	}
}

/* ---- Every element. */

/* By the channel of each lane of vector k. */
static ir_id load_by_channel(struct reducing *r, const struct line *line, uint32_t tensor, ir_id k)
{
	uint32_t vec = r->s.vec;
	ir_id lanes[4], inner = lower_dim(r->l, GROUPNORM_INNER);

	for (uint32_t lane = 0; lane < vec; lane++) {
		ir_id element = lower_plus(r->l, lower_times(r->l, k, vec), lane);
		ir_id channel = ir_compute(r->b, IR_DIV, element, inner, 0);
		lanes[lane] = lower_load(r->l, tensor, ir_add(r->b, line->channel, channel));
	}
	return ir_compose(r->b, lanes, vec);
}

static ir_id load_parameter(struct reducing *r, const struct line *line, uint32_t tensor, ir_id k)
{
	if (r->s.row->layout == LAYOUT_CHANNELS)
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
	if (r->s.row->layout == LAYOUT_CHANNELS)
		value = lower_acts(r->l, GROUPNORM_ACT, value);
	return value;
}

static void write_chunk(struct reducing *r, const struct chunk *chunk)
{
	for (uint32_t i = 0; i < r->s.tile_m; i++) {
		const struct line *line = &r->line[i];
		for (uint32_t j = 0; j < chunk->count; j++) {
			ir_id k = reduction_within(r, chunk->k[j], chunk->valid[j]);
			ir_id x = reduction_fetch(r, line, k);
			ir_id value = finish(r, line, k, x);
			ir_id exists = reduction_guard(r, i);
			ir_id position = reduction_position(r, line, k);
			reduction_store(
			        r, reduction_both(r, chunk->valid[j], exists), position, value);
		}
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

	inside = reduction_both(r, reduction_guard(r, 0), inside);
	reduction_store(
	        r, reduction_both(r, condition, inside), position, ir_compose(r->b, pair, 2));
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
	ir_id position = lower_over(r->l, r->first, 2), guard = reduction_guard(r, 0);

	reduction_store(r, guard, position, ir_compose(r->b, pair, 2));
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
	if (r->s.owner == OWNER_WORDS)
		write_word(r);
	else
		reduction_walk(r, r->s.owner == OWNER_PAIRS ? write_pairs : write_chunk);
}
