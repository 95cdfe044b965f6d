/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks along a line: which vectors an invocation takes, turn by turn. Knows nothing of elements;
 * `body` is called with the vectors of a turn. Invariant: every vector of the line is taken by
 * exactly one of the invocations that share it.
 *
 * wg_x = 4 invocations, 2 vectors of a turn each; a line of 19 vectors:
 *
 *   vector       0  1  2  3 | 4  5  6  7 | 8  9 10 11 |12 13 14 15 |16 17 18
 *   invocation   0  1  2  3 | 0  1  2  3 | 0  1  2  3 | 0  1  2  3 | 0  1  2
 *   turn         `------- first --------' `------- second -------' `- rest -'
 *
 * Where one turn covers the line the walk is straight code; else turns are a loop, and the rest a
 * last, shorter turn.
 */
#include "family/reduction/lower.h"

static ir_id turn_k(struct reducing *r, ir_id start, uint32_t j)
{
	return ir_add(r->b, lower_plus(r->l, start, j * r->s.wg_x), r->along);
}

/* Vectors start + j * wg_x + along for j < vectors, of which those up to `surely` are within. */
static void take_turn(
        struct reducing *r, ir_id start, uint32_t vectors, uint32_t surely, reduction_body *body)
{
	struct chunk chunk = {.count = vectors};

	for (uint32_t j = 0; j < vectors; j++) {
		chunk.k[j] = turn_k(r, start, j);
		if (j >= surely)
			chunk.valid[j] = ir_compute(r->b, IR_LT, chunk.k[j], r->count, 0);
	}
	body(r, &chunk);
}

static void walk_constant(struct reducing *r, uint32_t count, reduction_body *body)
{
	uint32_t wg_x = r->s.wg_x, turn = wg_x * r->s.vectors, full = count / turn * turn;
	uint32_t rest = count - full;
	ir_id start = lower_u32(r->l, 0);

	if (full > turn)
		start = ir_loop(r->b, start, lower_u32(r->l, full), turn);
	if (full)
		take_turn(r, start, r->s.vectors, r->s.vectors, body);
	if (full > turn)
		ir_end(r->b);
	if (rest)
		take_turn(r, lower_u32(r->l, full), (rest + wg_x - 1) / wg_x, rest / wg_x, body);
}

static void walk_dynamic(struct reducing *r, reduction_body *body)
{
	uint32_t turn = r->s.wg_x * r->s.vectors;
	ir_id rest = lower_modulo(r->l, r->count, turn);
	ir_id full = ir_compute(r->b, IR_SUB, r->count, rest, 0);
	ir_id start = ir_loop(r->b, lower_u32(r->l, 0), full, turn);

	take_turn(r, start, r->s.vectors, r->s.vectors, body);
	ir_end(r->b);
	if (turn == 1)
		return;
	struct chunk last = {.count = 1};
	last.k[0] = ir_loop(r->b, ir_add(r->b, full, r->along), r->count, r->s.wg_x);
	body(r, &last);
	ir_end(r->b);
}

void reduction_walk(struct reducing *r, reduction_body *body)
{
	const struct op *op = r->l->op;

	if (reduction_is_constant(op, r->s.count))
		walk_constant(r, reduction_tuned(op, r->s.count), body);
	else if (r->s.straight)
		take_turn(r, lower_u32(r->l, 0), r->s.vectors, 0, body);
	else
		walk_dynamic(r, body);
}
