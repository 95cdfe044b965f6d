/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention's lowering: tensors, extents, and which head and rows are the workgroup's. What it does
 * with them is the form's: an invocation alone, a team, or a team with two rows that share a word.
 */
#include "family/attention/lower.h"

static void bind(struct attend *at)
{
	struct lower *l = at->l;

	at->q = lower_bind(l, at->a.width);
	at->k = lower_bind(l, at->a.width);
	at->v = lower_bind(l, at->a.width);
	if (at->a.op.mask)
		at->mask = lower_bind(l, at->a.mask_width);
	at->out = lower_bind(l, at->a.form == ATTENTION_PAIR ? 2 : at->a.width);
	if (at->a.arrays.vector_length)
		at->vectors = ir_shared(
		        at->b, IR_TYPE(IR_F32, at->a.width), at->a.arrays.vector_length);
}

static void measure(struct attend *at)
{
	uint64_t rows = (uint64_t)at->a.op.q * at->a.op.group, block = at->a.tiles * at->a.tile;

	at->positions = lower_dim(at->l, ATTENTION_Q);
	at->keys = lower_dim(at->l, ATTENTION_KV);
	at->rows = lower_times(at->l, at->positions, at->a.op.group);
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

	single = op_dynamic_at(at->l->op, ATTENTION_BATCH) < 0 && at->a.op.batch == 1;
	if (folded) {
		ir_id heads = lower_times(at->l, batches, at->a.op.kv_heads);
		ir_if(at->b, ir_compute(at->b, IR_LT, head, heads, 0));
	}
	ir_id batch = single ? ir_u32(at->b, 0) : lower_over(at->l, head, at->a.op.kv_heads);
	attend_position_head(
	        at, batch, single ? head : lower_modulo(at->l, head, at->a.op.kv_heads));
	for_each_block(at, at->a.form == ATTENTION_TEAM ? attend_team : attend_alone);
	if (folded)
		ir_end(at->b);
}

void attention_lower(struct lower *l)
{
	struct attend at = {.l = l, .b = l->b};

	if (attention_derive(l->op, l->schedule, &at.a, NULL))
		return;
	bind(&at);
	measure(&at);
	if (at.a.form == ATTENTION_PAIR)
		attend_pair(&at);
	else
		lower_heads(&at);
}
