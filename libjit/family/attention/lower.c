/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention: places in memory and the online softmax, for both ways of sharing the work
 * (attention_alone.c, attention_shared.c). Edges: rows and keys past the last are taken as the
 * last where they are read; such keys then get no weight, such rows are not stored.
 */
#include "family/attention/lower.h"

#include <math.h>

/* Tops begin below every score, and what is hidden is below them, so that its weight is 0 whatever
 * the others are; all far from overflow, as WGSL lets an infinity be anything. Masks are taken as
 * MASKED at least: what they add to can still be told from one another there. */
#define LOWEST -1e30f
#define HIDDEN -2e30f
#define MASKED -1e6f
#define SLACK  8.0f

/* ---- Places. */

static uint32_t heads_of(const struct attend *at)
{
	return at->a.kv_heads * at->a.group;
}

static ir_id room_of(struct attend *at)
{
	uint32_t capacity = at->l->op->value[ATTENTION_CAPACITY];

	return capacity ? ir_u32(at->b, capacity) : at->keys;
}

/* (x * y) + z */
static ir_id join(struct attend *at, ir_id x, ir_id y, ir_id z)
{
	return ir_add(at->b, ir_mul(at->b, x, y), z);
}

void attend_place_head(struct attend *at, ir_id batch, ir_id kv_head)
{
	ir_id heads = ir_u32(at->b, at->a.kv_heads), room = room_of(at), row;

	at->batch = batch;
	at->kv_head = kv_head;
	if (at->a.positions_first) {
		ir_id position = ir_mul(at->b, batch, room);
		row = join(at, position, heads, kv_head);
	} else {
		ir_id head = join(at, batch, heads, kv_head);
		row = ir_mul(at->b, head, room);
	}
	at->first_key = lower_times(at->l, row, at->a.chunks);
}

ir_id attend_key(struct attend *at, ir_id key)
{
	uint32_t stride = at->a.chunks * (at->a.positions_first ? at->a.kv_heads : 1);

	if (at->a.clamped) {
		ir_id last = lower_plus(at->l, at->keys, UINT32_MAX);
		key = ir_compute(at->b, IR_MIN, key, last, 0);
	}
	return ir_add(at->b, lower_times(at->l, key, stride), at->first_key);
}

static ir_id mask_row(struct attend *at, ir_id position, ir_id head)
{
	ir_id row = position, pitch = lower_over(at->l, at->keys, at->a.mask_width);

	if (at->a.mask == MASK_KEY)
		row = at->batch;
	if (at->a.mask == MASK_HEAD)
		row = join(at, head, at->positions, position);
	if (at->a.mask == MASK_FULL) {
		ir_id of_all = join(at, at->batch, ir_u32(at->b, heads_of(at)), head);
		row = join(at, of_all, at->positions, position);
	}
	return ir_mul(at->b, row, pitch);
}

/* Keys from the first that a position sees: position + 1 + keys - positions, or none. */
static ir_id sees_of(struct attend *at, ir_id position)
{
	const struct op *op = at->l->op;
	bool fixed = op_dynamic_at(op, ATTENTION_Q) < 0 && op_dynamic_at(op, ATTENTION_KV) < 0;

	if (!at->a.causal)
		return at->keys;
	if (fixed && at->a.kv >= at->a.q)
		return lower_plus(at->l, position, at->a.kv - at->a.q + 1);
	ir_id end = lower_plus(at->l, ir_add(at->b, position, at->keys), 1);
	ir_id kept = ir_compute(at->b, IR_MAX, end, at->positions, 0);
	return ir_compute(at->b, IR_SUB, kept, at->positions, 0);
}

void attend_place_row(struct attend *at, uint32_t n, ir_id position, ir_id head)
{
	ir_id heads = ir_u32(at->b, heads_of(at)), row;
	struct attend_row *r = &at->row[n];

	head = ir_add(at->b, lower_times(at->l, at->kv_head, at->a.group), head);
	if (at->a.positions_first) {
		ir_id of_all = join(at, at->batch, at->positions, position);
		row = join(at, of_all, heads, head);
	} else {
		ir_id of_all = join(at, at->batch, heads, head);
		row = join(at, of_all, at->positions, position);
	}
	r->start = lower_times(at->l, row, at->a.chunks);
	r->sees = sees_of(at, position);
	if (at->a.mask)
		r->mask = mask_row(at, position, head);
}

static ir_id kept_row(struct attend *at, ir_id row)
{
	if (at->whole)
		return row;
	return ir_compute(at->b, IR_MIN, row, lower_plus(at->l, at->rows, UINT32_MAX), 0);
}

void attend_place_tile(struct attend *at, ir_id first)
{
	ir_id lanes[4];

	for (uint32_t n = 0; n < at->a.tile; n++) {
		ir_id row = lower_plus(at->l, first, n), kept = kept_row(at, row);
		ir_id position = lower_over(at->l, kept, at->a.group);
		ir_id head = lower_modulo(at->l, kept, at->a.group);

		attend_place_row(at, n, position, head);
		at->row[n].exists = at->whole ? 0 : ir_compute(at->b, IR_LT, row, at->rows, 0);
	}
	for (uint32_t p = 0; p < at->a.packs; p++) {
		for (uint32_t i = 0; i < at->a.lanes; i++)
			lanes[i] = at->row[p * at->a.lanes + i].sees;
		at->sees[p] = ir_compose(at->b, lanes, at->a.lanes);
	}
}

ir_id attend_bound(struct attend *at, ir_id last)
{
	return sees_of(at, lower_over(at->l, kept_row(at, last), at->a.group));
}

/* ---- The softmax. */

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
		lanes[i] = at->a.mask == MASK_KEY && i ? lanes[0]
		                                       : mask_at(at, first + i, from, within);
	ir_id mask = ir_compose(at->b, lanes, at->a.lanes);
	return ir_compute(at->b, IR_MAX, mask, splat_float(at, MASKED), 0);
}

static ir_id hide(struct attend *at, uint32_t pack, ir_id key, ir_id score)
{
	ir_id visible;

	if (!at->a.hidden)
		return score;
	if (at->a.causal)
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

void attend_score(struct attend *at, ir_id key, uint32_t keys, float scale)
{
	for (uint32_t n = 0; n < keys; n++)
		for (uint32_t p = 0; p < at->a.packs; p++) {
			ir_id score = score_of(at, p, n, scale);
			at->score[n][p] = hide(at, p, lower_plus(at->l, key, n), score);
			at->bias[n][p] = at->a.mask ? mask_of(at, p, key, n) : 0;
		}
}

void attend_greatest(struct attend *at, uint32_t keys, ir_id ret_greatest[ATTENTION_PACKS_MAX])
{
	for (uint32_t n = 0; n < keys; n++)
		for (uint32_t p = 0; p < at->a.packs; p++) {
			ir_id score = at->score[n][p], *greatest = &ret_greatest[p];
			if (at->a.mask)
				score = ir_add(at->b, score, at->bias[n][p]);
			*greatest = n ? ir_compute(at->b, IR_MAX, *greatest, score, 0) : score;
		}
}

ir_id attend_own(struct attend *at, const ir_id packs[ATTENTION_PACKS_MAX], uint32_t row)
{
	return ir_extract(at->b, packs[row / at->a.lanes], row % at->a.lanes);
}

/* How far the greatest score of any row is above its top. */
static ir_id greatest_rise(struct attend *at, const ir_id greatest[ATTENTION_PACKS_MAX])
{
	ir_id rise = 0;

	for (uint32_t p = 0; p < at->a.packs; p++) {
		ir_id top = ir_get(at->b, at->top[p]);
		ir_id above = ir_compute(at->b, IR_SUB, greatest[p], top, 0);
		rise = p ? ir_compute(at->b, IR_MAX, rise, above, 0) : above;
	}
	ir_id most = ir_extract(at->b, rise, 0);
	for (uint32_t i = 1; i < at->a.lanes; i++)
		most = ir_compute(at->b, IR_MAX, most, ir_extract(at->b, rise, i), 0);
	return most;
}

static void scale_variable(struct attend *at, ir_id variable, ir_id factor)
{
	ir_id value = ir_get(at->b, variable);

	ir_set(at->b, variable, ir_mul(at->b, value, factor));
}

void attend_raise(struct attend *at, const ir_id greatest[ATTENTION_PACKS_MAX])
{
	ir_id rise = greatest_rise(at, greatest), kept[ATTENTION_PACKS_MAX];

	ir_if(at->b, ir_compute(at->b, IR_LT, ir_f32(at->b, SLACK), rise, 0));
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

/* ---- The way in. */

static void bind(struct attend *at)
{
	struct lower *l = at->l;

	at->q = lower_bind(l, at->a.width);
	at->k = lower_bind(l, at->a.width);
	at->v = lower_bind(l, at->a.width);
	if (at->a.mask)
		at->mask = lower_bind(l, at->a.mask_width);
	at->out = lower_bind(l, at->a.paired ? 2 : at->a.width);
	if (at->a.vector_length)
		at->vectors = ir_shared(at->b, IR_TYPE(IR_F32, at->a.width), at->a.vector_length);
}

static void measure(struct attend *at)
{
	uint64_t rows = (uint64_t)at->a.q * at->a.group, block = at->a.tiles * at->a.tile;

	at->positions = lower_dim(at->l, ATTENTION_Q);
	at->keys = lower_dim(at->l, ATTENTION_KV);
	at->rows = lower_times(at->l, at->positions, at->a.group);
	at->whole = op_dynamic_at(at->l->op, ATTENTION_Q) < 0 && rows % block == 0;
}

/* The workgroup's head; heads past the last are left to the guard. */
static ir_id head_number(struct attend *at)
{
	ir_id y = ir_builtin(at->b, IR_WORKGROUP_ID_Y);

	if (!at->l->geometry.grid[1].most)
		return y;
	ir_id z = ir_builtin(at->b, IR_WORKGROUP_ID_Z);
	return ir_add(at->b, lower_times(at->l, z, GRID_FOLD), y);
}

/* body() for every block of rows that is this workgroup's; the rest of a fold has none. */
static void for_each_block(struct attend *at, void (*body)(struct attend *at, ir_id first))
{
	const struct extent *grid = at->l->geometry.grid;
	ir_id x = ir_builtin(at->b, IR_WORKGROUP_ID_X);
	uint32_t block = at->a.tiles * at->a.tile;

	if (grid[0].most) {
		ir_id blocks = lower_over(at->l, lower_plus(at->l, at->rows, block - 1), block);
		x = ir_loop(at->b, x, blocks, GRID_FOLD);
	}
	body(at, lower_times(at->l, x, block));
	if (grid[0].most)
		ir_end(at->b);
}

static void lower_heads(struct attend *at)
{
	bool folded = at->l->geometry.grid[1].most, single;
	ir_id head = head_number(at), batches = lower_dim(at->l, ATTENTION_BATCH);

	single = op_dynamic_at(at->l->op, ATTENTION_BATCH) < 0 && at->a.batch == 1;
	if (folded) {
		ir_id heads = lower_times(at->l, batches, at->a.kv_heads);
		ir_if(at->b, ir_compute(at->b, IR_LT, head, heads, 0));
	}
	ir_id batch = single ? ir_u32(at->b, 0) : lower_over(at->l, head, at->a.kv_heads);
	attend_place_head(at, batch, single ? head : lower_modulo(at->l, head, at->a.kv_heads));
	for_each_block(at, at->a.split > 1 ? lower_attention_shared : lower_attention_alone);
	if (folded)
		ir_end(at->b);
}

void lower_attention(struct lower *l)
{
	struct attend at = {.l = l, .b = l->b};

	if (attention_derive(l->op, l->schedule, &at.a, NULL))
		return;
	bind(&at);
	measure(&at);
	if (at.a.paired)
		lower_attention_pair(&at);
	else
		lower_heads(&at);
}
