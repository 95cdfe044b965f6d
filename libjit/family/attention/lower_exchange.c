/* SPDX-License-Identifier: Apache-2.0
 *
 * How the invocations of a tile come to one maximum or sum: by a subgroup operation, or through
 * slots in workgroup memory. Of more than 16 in two steps: 16 neighbours join, then their leaders.
 *
 *   slots of a pack     0 1 ... 15 | 16 ... 31 | ... | split split+1 ...
 *                       invocations' own             | leaders' sums
 */
#include "family/attention/lower.h"

static ir_id slot(struct attend_team *x, uint32_t pack, ir_id n)
{
	const struct attention *a = &x->at->a;
	ir_id row = lower_plus(x->at->l, lower_times(x->at->l, x->tile, a->packs), pack);

	return ir_add(x->at->b, lower_times(x->at->l, row, a->team.slots), n);
}

/* Joins `count` slots from number `first`. */
static void join_slots(
        struct attend_team *x, enum ir_op op, ir_id first, uint32_t count, ir_id *packs)
{
	struct attend *at = x->at;

	for (uint32_t p = 0; p < at->a.packs; p++) {
		ir_id from = slot(x, p, first);
		packs[p] = ir_shared_load(at->b, x->slots, from);
		for (uint32_t n = 1; n < count; n++) {
			ir_id next = ir_shared_load(at->b, x->slots, lower_plus(at->l, from, n));
			packs[p] = ir_compute(at->b, op, packs[p], next, 0);
		}
	}
}

static void store_slots(struct attend_team *x, ir_id n, const ir_id *packs)
{
	for (uint32_t p = 0; p < x->at->a.packs; p++) {
		ir_id at = slot(x, p, n);
		ir_shared_store(x->at->b, x->slots, at, packs[p]);
	}
}

void attend_agree(struct attend_team *x, enum ir_op op, ir_id packs[ATTENTION_PACKS_MAX])
{
	struct attend *at = x->at;
	uint32_t split = at->a.split;

	if (at->a.subgroup) {
		enum ir_op over = op == IR_MAX ? IR_SUBGROUP_MAX : IR_SUBGROUP_ADD;
		for (uint32_t p = 0; p < at->a.packs; p++)
			packs[p] = ir_subgroup(at->b, over, packs[p]);
		return;
	}
	store_slots(x, x->lane, packs);
	ir_barrier(at->b);
	if (split <= 16) {
		join_slots(x, op, ir_u32(at->b, 0), split, packs);
		return;
	}
	ir_id team = lower_over(at->l, x->lane, 16);
	join_slots(x, op, lower_times(at->l, team, 16), 16, packs);
	ir_id leads = lower_modulo(at->l, x->lane, 16);
	ir_if(at->b, ir_compute(at->b, IR_EQ, leads, ir_u32(at->b, 0), 0));
	store_slots(x, lower_plus(at->l, team, split), packs);
	ir_end(at->b);
	ir_barrier(at->b);
	join_slots(x, op, ir_u32(at->b, split), split / 16, packs);
}
