/* SPDX-License-Identifier: Apache-2.0
 *
 * Where attention's heads, rows, keys and masks are in memory. Edges: rows and keys past the last
 * are taken as the last where they are read; such keys then get no weight, such rows are not
 * stored.
 *
 * The rows of a head of k and v, as `group` heads of q have them (group=2, tile_m=4, two tiles):
 *
 *   row number r       0    1    2    3  |  4    5    6    7       r = position * group + head
 *   position           0    0    1    1  |  2    2    3    3
 *   head of the group  0    1    0    1  |  0    1    0    1
 *                      tile 0               tile 1
 */
#include "family/attention/lower.h"

static uint32_t heads_of(const struct attend *at)
{
	return at->a.op.kv_heads * at->a.op.group;
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

void attend_position_head(struct attend *at, ir_id batch, ir_id kv_head)
{
	ir_id heads = ir_u32(at->b, at->a.op.kv_heads), room = room_of(at), row;

	at->batch = batch;
	at->kv_head = kv_head;
	if (at->a.op.positions_first) {
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
	uint32_t stride = at->a.chunks * (at->a.op.positions_first ? at->a.op.kv_heads : 1);

	if (at->a.clamped) {
		ir_id last = lower_plus(at->l, at->keys, UINT32_MAX);
		key = ir_compute(at->b, IR_MIN, key, last, 0);
	}
	return ir_add(at->b, lower_times(at->l, key, stride), at->first_key);
}

static ir_id mask_row(struct attend *at, ir_id position, ir_id head)
{
	ir_id row = position, pitch = lower_over(at->l, at->keys, at->a.mask_width);

	if (at->a.op.mask == MASK_KEY)
		row = at->batch;
	if (at->a.op.mask == MASK_HEAD)
		row = join(at, head, at->positions, position);
	if (at->a.op.mask == MASK_FULL) {
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

	if (!at->a.op.causal)
		return at->keys;
	if (fixed && at->a.op.kv >= at->a.op.q)
		return lower_plus(at->l, position, at->a.op.kv - at->a.op.q + 1);
	ir_id end = lower_plus(at->l, ir_add(at->b, position, at->keys), 1);
	ir_id kept = ir_compute(at->b, IR_MAX, end, at->positions, 0);
	return ir_compute(at->b, IR_SUB, kept, at->positions, 0);
}

void attend_position_row(struct attend *at, uint32_t n, ir_id position, ir_id head)
{
	ir_id heads = ir_u32(at->b, heads_of(at)), row;
	struct attend_row *r = &at->row[n];

	head = ir_add(at->b, lower_times(at->l, at->kv_head, at->a.op.group), head);
	if (at->a.op.positions_first) {
		ir_id of_all = join(at, at->batch, at->positions, position);
		row = join(at, of_all, heads, head);
	} else {
		ir_id of_all = join(at, at->batch, heads, head);
		row = join(at, of_all, at->positions, position);
	}
	r->start = lower_times(at->l, row, at->a.chunks);
	r->sees = sees_of(at, position);
	if (at->a.op.mask)
		r->mask = mask_row(at, position, head);
}

static ir_id kept_row(struct attend *at, ir_id row)
{
	if (at->whole)
		return row;
	return ir_compute(at->b, IR_MIN, row, lower_plus(at->l, at->rows, UINT32_MAX), 0);
}

void attend_position_tile(struct attend *at, ir_id first)
{
	ir_id lanes[4];

	for (uint32_t n = 0; n < at->a.tile; n++) {
		ir_id row = lower_plus(at->l, first, n), kept = kept_row(at, row);
		ir_id position = lower_over(at->l, kept, at->a.op.group);
		ir_id head = lower_modulo(at->l, kept, at->a.op.group);

		attend_position_row(at, n, position, head);
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
	return sees_of(at, lower_over(at->l, kept_row(at, last), at->a.op.group));
}
