/* SPDX-License-Identifier: Apache-2.0
 *
 * The online softmax of a tile's rows: scores, the greatest of them, weights and their sum. What
 * every row has one of stands in packs of a.lanes rows. Knows no memory but the mask's.
 */
#include "family/attention/lower.h"

#include <float.h>
#include <math.h>

/* Tops are finite always: from the lowest number on, what is hidden or masked by -inf weighs 0, and
 * the difference of two tops is a number. Below MASKED a mask counts as the score itself, which it
 * swallows in f32 as in double; above, score and mask are kept apart. */
#define LOWEST -FLT_MAX
#define HIDDEN -INFINITY
#define MASKED -1e16f
#define SLACK  8.0f

static ir_id splat_float(struct attend *at, float value)
{
	return ir_splat(at->b, ir_f32(at->b, value), at->a.lanes);
}

void attend_begin(struct attend *at, uint32_t each)
{
	ir_id zero = ir_splat(at->b, ir_f32(at->b, 0), at->a.width);

	at->each = each;
	for (uint32_t p = 0; p < at->a.packs; p++) {
		at->top[p] = ir_var(at->b, splat_float(at, LOWEST));
		at->total[p] = ir_var(at->b, splat_float(at, 0));
	}
	for (uint32_t i = 0; i < at->a.tile * each; i++)
		at->acc[i] = ir_var(at->b, zero);
}

static ir_id sum_lanes(struct attend *at, ir_id vector)
{
	ir_id sum = ir_extract(at->b, vector, 0);

	for (uint32_t i = 1; i < ir_lanes_of(ir_type_of(at->b, vector)); i++)
		sum = ir_add(at->b, sum, ir_extract(at->b, vector, i));
	return sum;
}

/* The mask of a row and a key; `n` is how far the key is from one that a load begins with. */
static ir_id mask_at(struct attend *at, uint32_t row, ir_id key, uint32_t n)
{
	ir_id from = key, last = lower_plus(at->l, at->keys, 0u - at->a.mask_width);

	if (at->a.clamped)
		from = ir_compute(at->b, IR_MIN, key, last, 0);
	ir_id index = ir_add(at->b, lower_over(at->l, from, at->a.mask_width), at->row[row].mask);
	return ir_extract(at->b, lower_load(at->l, at->mask, index), n);
}

/* The mask of a pack at key `key` + n. */
static ir_id mask_of(struct attend *at, uint32_t pack, ir_id key, uint32_t n)
{
	uint32_t within = n % at->a.mask_width, first = pack * at->a.lanes;
	ir_id from = lower_plus(at->l, key, n - within), lanes[4];

	for (uint32_t i = 0; i < at->a.lanes; i++)
		lanes[i] = at->a.op.mask == MASK_KEY && i ? lanes[0]
		                                          : mask_at(at, first + i, from, within);
	return ir_compose(at->b, lanes, at->a.lanes);
}

static ir_id hide(struct attend *at, uint32_t pack, ir_id key, ir_id score)
{
	ir_id visible;

	if (!at->a.hidden)
		return score;
	if (at->a.op.causal)
		visible = ir_compute(
		        at->b, IR_LT, ir_splat(at->b, key, at->a.lanes), at->sees[pack], 0);
	else
		visible = ir_compute(at->b, IR_LT, key, at->keys, 0);
	return ir_select(at->b, visible, score, splat_float(at, HIDDEN));
}

static ir_id score_of(struct attend *at, uint32_t pack, uint32_t n, float scale)
{
	ir_id lanes[4];

	for (uint32_t i = 0; i < at->a.lanes; i++)
		lanes[i] = sum_lanes(at, at->product[n][pack * at->a.lanes + i]);
	ir_id score = ir_compose(at->b, lanes, at->a.lanes);
	return scale == 1 ? score : ir_mul(at->b, score, splat_float(at, scale));
}

/* at->score and at->bias of a mask. */
static void add_mask(struct attend *at, uint32_t n, uint32_t p, ir_id mask)
{
	ir_id score = at->score[n][p], sum = ir_add(at->b, score, mask);
	ir_id swallows = ir_compute(at->b, IR_LT, mask, splat_float(at, MASKED), 0);

	at->score[n][p] = ir_select(at->b, swallows, sum, score);
	at->bias[n][p] = ir_select(at->b, swallows, splat_float(at, 0), mask);
}

void attend_score(struct attend *at, ir_id key, uint32_t keys, float scale)
{
	for (uint32_t n = 0; n < keys; n++)
		for (uint32_t p = 0; p < at->a.packs; p++) {
			ir_id score = score_of(at, p, n, scale);
			at->score[n][p] = hide(at, p, lower_plus(at->l, key, n), score);
			at->bias[n][p] = 0;
			if (at->a.op.mask)
				add_mask(at, n, p, mask_of(at, p, key, n));
		}
}

void attend_greatest(struct attend *at, uint32_t keys, ir_id ret_greatest[ATTENTION_PACKS_MAX])
{
	for (uint32_t n = 0; n < keys; n++)
		for (uint32_t p = 0; p < at->a.packs; p++) {
			ir_id score = at->score[n][p], *greatest = &ret_greatest[p];
			if (at->a.op.mask)
				score = ir_add(at->b, score, at->bias[n][p]);
			*greatest = n ? ir_compute(at->b, IR_MAX, *greatest, score, 0) : score;
		}
}

ir_id attend_own(struct attend *at, const ir_id packs[ATTENTION_PACKS_MAX], uint32_t row)
{
	return ir_extract(at->b, packs[row / at->a.lanes], row % at->a.lanes);
}

/* Whether the greatest score of any row is so far above its top. A row of NaN does not speak for
 * the others. */
static ir_id any_rises(struct attend *at, const ir_id greatest[ATTENTION_PACKS_MAX])
{
	ir_id rises = 0;

	for (uint32_t p = 0; p < at->a.packs; p++) {
		ir_id top = ir_get(at->b, at->top[p]);
		ir_id above = ir_compute(at->b, IR_SUB, greatest[p], top, 0);
		ir_id here = ir_compute(at->b, IR_LT, splat_float(at, SLACK), above, 0);
		rises = p ? ir_compute(at->b, IR_LOR, rises, here, 0) : here;
	}
	ir_id any = ir_extract(at->b, rises, 0);
	for (uint32_t i = 1; i < at->a.lanes; i++)
		any = ir_compute(at->b, IR_LOR, any, ir_extract(at->b, rises, i), 0);
	return any;
}

static void scale_variable(struct attend *at, ir_id variable, ir_id factor)
{
	ir_id value = ir_get(at->b, variable);

	ir_set(at->b, variable, ir_mul(at->b, value, factor));
}

void attend_raise(struct attend *at, const ir_id greatest[ATTENTION_PACKS_MAX])
{
	ir_id rises = any_rises(at, greatest), kept[ATTENTION_PACKS_MAX];

	ir_if(at->b, rises);
	for (uint32_t p = 0; p < at->a.packs; p++) {
		ir_id old = ir_get(at->b, at->top[p]);
		ir_id top = ir_compute(at->b, IR_MAX, old, greatest[p], 0);
		ir_id below = ir_compute(at->b, IR_SUB, old, top, 0);

		kept[p] = ir_compute(at->b, IR_EXP, below, 0, 0);
		ir_set(at->b, at->top[p], top);
		scale_variable(at, at->total[p], kept[p]);
	}
	for (uint32_t i = 0; i < at->a.tile * at->each; i++) {
		ir_id own = attend_own(at, kept, i / at->each);
		scale_variable(at, at->acc[i], ir_splat(at->b, own, at->a.width));
	}
	ir_end(at->b);
}

/* exp(score + bias - top), in the order that loses nothing where bias is large: all keys of a row
 * may be masked by the same -10000, and top is near it then. */
static ir_id weight_of(struct attend *at, ir_id score, ir_id bias, ir_id top)
{
	if (bias)
		top = ir_compute(at->b, IR_SUB, top, bias, 0);
	ir_id below = ir_compute(at->b, IR_SUB, score, top, 0);
	return ir_compute(at->b, IR_EXP, below, 0, 0);
}

void attend_weigh(struct attend *at, uint32_t keys)
{
	for (uint32_t p = 0; p < at->a.packs; p++) {
		ir_id top = ir_get(at->b, at->top[p]), total = ir_get(at->b, at->total[p]);

		for (uint32_t n = 0; n < keys; n++) {
			ir_id *score = &at->score[n][p];
			*score = weight_of(at, *score, at->bias[n][p], top);
			total = ir_add(at->b, total, *score);
		}
		ir_set(at->b, at->total[p], total);
	}
}

/* A total is about 1 at least, or 0 where a row sees no key. */
void attend_inverse(struct attend *at, ir_id packs[ATTENTION_PACKS_MAX])
{
	for (uint32_t p = 0; p < at->a.packs; p++) {
		ir_id total = ir_compute(at->b, IR_MAX, packs[p], splat_float(at, 1e-6f), 0);
		packs[p] = ir_compute(at->b, IR_FDIV, splat_float(at, 1), total, 0);
	}
}

float attend_scale(const struct attend *at)
{
	float scale = op_float(at->l->op, ATTENTION_SCALE);

	return scale != 0 ? scale : (float)(1 / sqrt((double)at->l->op->value[ATTENTION_DIM]));
}
