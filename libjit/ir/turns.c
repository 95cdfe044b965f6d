/* SPDX-License-Identifier: Apache-2.0
 *
 * How often the loops of a kernel turn: an upper bound for any of its invocations, over all loops
 * together. Integers are followed as ranges; of a loop's two ends, the distance counts:
 *
 *   for (i = s * part; i < min(s * part + part, n); i += step)    turns at most part / step
 *
 * Must not run the kernel. Invariant: no invocation turns more often than is said here.
 */
#include "ir/ir.h"

#include <errno.h>
#include <stdlib.h>

struct range {
	uint64_t low, high;
	bool same; /* throughout the workgroup */
};

struct walk {
	const struct ir_module *m;
	const struct ir_extremes *extremes;
	struct range *ranges; /* of every instruction, as a u32 */
};

#define ANY UINT32_MAX

static struct range range(uint64_t low, uint64_t high)
{
	return high > ANY ? (struct range){0, ANY, false} : (struct range){low, high, false};
}

/* ---- Ranges of values. */

static struct range of_builtin(const struct walk *w, uint32_t which)
{
	const uint32_t *size = w->m->workgroup_size;

	if (which <= IR_WORKGROUP_ID_Z)
		return range(0, w->extremes->workgroups[which] - 1);
	if (which <= IR_LOCAL_ID_Z)
		return range(0, size[which - IR_LOCAL_ID_X] - 1);
	return range(0, size[0] * size[1] * size[2] - 1);
}

static struct range joined(struct range x, struct range y)
{
	return range(x.low < y.low ? x.low : y.low, x.high > y.high ? x.high : y.high);
}

#define NEGATIVE(y) ((1ull << 32) - (y).low)

static bool is_negative(struct range y)
{
	return y.low == y.high && y.low >= 1u << 31;
}

static struct range of_two(uint8_t op, struct range x, struct range y)
{
	switch (op) {
	case IR_ADD: /* of a constant below 0, too */
		if (is_negative(y) && x.low >= NEGATIVE(y))
			return range(x.low - NEGATIVE(y), x.high - NEGATIVE(y));
		return range(x.low + y.low, x.high + y.high);
	case IR_SUB:
		return x.low >= y.high ? range(x.low - y.high, x.high - y.low) : range(0, ANY);
	case IR_MUL:
		return range(x.low * y.low, x.high * y.high);
	case IR_DIV:
		return range(y.high ? x.low / y.high : 0, y.low ? x.high / y.low : x.high);
	case IR_MOD:
		return range(0, y.high && y.high - 1 < x.high ? y.high - 1 : x.high);
	case IR_MIN:
		return range(x.low < y.low ? x.low : y.low, x.high < y.high ? x.high : y.high);
	case IR_MAX:
		return range(x.low > y.low ? x.low : y.low, x.high > y.high ? x.high : y.high);
	case IR_AND:
		return range(0, x.high < y.high ? x.high : y.high);
	case IR_SHL:
		return y.high < 32 ? range(x.low << y.low, x.high << y.high) : range(0, ANY);
	case IR_SHR:
		return y.high < 32 ? range(x.low >> y.high, x.high >> y.low) : range(0, x.high);
	default:
		return range(0, ANY);
	}
}

/* ---- Distances: what `to` is above `from` at most. */

/* x - x % y, x - min(x, y), max(x, y) - y. */
static bool never_wraps(const struct walk *w, const struct ir_inst *inst)
{
	const struct ir_inst *x = &w->m->insts[inst->arg[0]], *y = &w->m->insts[inst->arg[1]];

	if (inst->op != IR_SUB)
		return false;
	if (x->op == IR_MAX && (x->arg[0] == inst->arg[1] || x->arg[1] == inst->arg[1]))
		return true;
	if (y->op == IR_MIN && y->arg[1] == inst->arg[0])
		return true;
	return (y->op == IR_MOD || y->op == IR_AND || y->op == IR_MIN) && y->arg[0] == inst->arg[0];
}

#define DEPTH_MAX 12

static uint64_t least(uint64_t x, uint64_t y)
{
	return x < y ? x : y;
}

/* x / c * c and x >> c << c: x, and how far below it at most; false: it is neither. */
static bool rounds_down(
        const struct walk *w, const struct ir_inst *inst, ir_id *ret_x, uint64_t *ret_below)
{
	const struct ir_inst *part = &w->m->insts[inst->arg[0]];
	bool shifts = inst->op == IR_SHL && part->op == IR_SHR;
	bool multiplies = inst->op == IR_MUL && part->op == IR_DIV;

	if (!(shifts || multiplies) || part->arg[1] != inst->arg[1])
		return false;
	uint64_t by = w->ranges[inst->arg[1]].high;
	*ret_x = part->arg[0];
	*ret_below = shifts ? (1ull << (by & 31)) - 1 : by - 1;
	return true;
}

static uint64_t distance(const struct walk *w, ir_id to, ir_id from, int depth)
{
	const struct ir_inst *t = &w->m->insts[to], *f = &w->m->insts[from];
	uint64_t high = w->ranges[to].high, low = w->ranges[from].low;
	uint64_t most = high > low ? high - low : 0, below;
	ir_id of;

	if (to == from)
		return 0;
	if (!depth--)
		return most;
	if (t->op == IR_ADD)
		for (uint32_t i = 0; i < 2; i++) {
			struct range more = w->ranges[t->arg[1 - i]];
			most = least(most, distance(w, t->arg[i], from, depth) +
			                           (is_negative(more) ? 0 : more.high));
		}
	if (t->op == IR_MAX) {
		uint64_t one = distance(w, t->arg[0], from, depth);
		uint64_t other = distance(w, t->arg[1], from, depth);
		most = least(most, one > other ? one : other);
	}
	if (f->op == IR_ADD)
		for (uint32_t i = 0; i < 2; i++)
			most = least(most, distance(w, to, f->arg[i], depth));
	if (never_wraps(w, t))
		most = least(most, distance(w, t->arg[0], from, depth));
	if (never_wraps(w, f))
		most = least(most, distance(w, to, f->arg[0], depth) + w->ranges[f->arg[1]].high);
	if (rounds_down(w, t, &of, &below))
		most = least(most, distance(w, of, from, depth));
	if (rounds_down(w, f, &of, &below))
		most = least(most, distance(w, to, of, depth) + below);
	if (t->op == IR_MIN)
		for (uint32_t i = 0; i < 2; i++)
			most = least(most, distance(w, t->arg[i], from, depth));
	if (t->op == IR_SELECT) {
		uint64_t one = distance(w, t->arg[1], from, depth);
		uint64_t other = distance(w, t->arg[2], from, depth);
		most = least(most, one > other ? one : other);
	}
	if (t->op == IR_MUL && f->op == IR_MUL && t->arg[1] == f->arg[1])
		most = least(
		        most, distance(w, t->arg[0], f->arg[0], depth) * w->ranges[t->arg[1]].high);
	return most;
}

/* ---- Ranges of all values. */

static struct range range_of(const struct walk *w, ir_id id)
{
	const struct ir_inst *inst = &w->m->insts[id];

	if (inst->type != IR_TYPE(IR_U32, 1))
		return range(0, ANY);
	switch (inst->op) {
	case IR_CONST:
		return range(inst->arg[0], inst->arg[0]);
	case IR_BUILTIN:
		return of_builtin(w, inst->arg[0]);
	case IR_UNIFORM: /* a dimension */
		return range(1, w->extremes->uniforms[inst->arg[0]]);
	case IR_LOOP: { /* the induction value, within the loop */
		struct range from = w->ranges[inst->arg[0]], to = w->ranges[inst->arg[1]];
		return range(from.low, to.high ? to.high - 1 : 0);
	}
	case IR_SELECT:
		return joined(w->ranges[inst->arg[1]], w->ranges[inst->arg[2]]);
	default:
		break;
	}
	if (never_wraps(w, inst))
		return range(0, distance(w, inst->arg[0], inst->arg[1], DEPTH_MAX));
	if (ir_op_infos[inst->op].class == IR_COMPUTES && ir_op_infos[inst->op].values == 2)
		return of_two(inst->op, w->ranges[inst->arg[0]], w->ranges[inst->arg[1]]);
	return range(0, ANY);
}

/* Whatever follows from constants, the uniform block and the workgroup's id alone. */
static bool is_same(const struct walk *w, const struct ir_inst *inst)
{
	if (inst->op == IR_BUILTIN)
		return inst->arg[0] <= IR_WORKGROUP_ID_Z;
	if (!ir_op_infos[inst->op].pure && inst->op != IR_LOOP)
		return false;
	for (uint32_t i = 0; i < ir_op_infos[inst->op].values; i++)
		if (inst->arg[i] && !w->ranges[inst->arg[i]].same)
			return false;
	return true;
}

/* ---- The walk. */

static uint64_t turns_of(const struct walk *w, const struct ir_inst *loop)
{
	uint64_t step = w->ranges[loop->arg[2]].low;
	uint64_t most = distance(w, loop->arg[1], loop->arg[0], DEPTH_MAX);

	return step ? (most + step - 1) / step : most;
}

#define TURNS_LARGE (1ull << 40) /* more than any driver's limit */
#define TURNS_MAX   (1ull << 22) /* of one loop: times TURNS_LARGE it does not wrap */
#define NESTED_MAX  64

/* An open block: its turns so far, those of the branch before its ELSE, and how often it turns. */
struct block {
	uint64_t total, other, turns;
};

/* Adds what the innermost block came to, to the one that it stands in. */
static void close_block(const struct ir_inst *end, const struct walk *w, struct block *block)
{
	struct block inner = *block;
	const struct ir_inst *opener = &w->m->insts[end->arg[0]];
	uint64_t turns = inner.total > inner.other ? inner.total : inner.other;

	if (opener->op == IR_LOOP)
		turns = inner.turns * (inner.total + 1) + 1;
	else if (!w->ranges[opener->arg[0]].same) /* in lockstep both branches are run */
		turns = inner.total + inner.other;
	block[-1].total = least(TURNS_LARGE, block[-1].total + turns);
}

/* UINT64_MAX: nested too deep to say. */
static uint64_t count(struct walk *w)
{
	struct block blocks[NESTED_MAX] = {0}, *block = blocks;

	for (ir_id id = 1; id < w->m->count; id++) {
		const struct ir_inst *inst = &w->m->insts[id];
		w->ranges[id] = range_of(w, id);
		w->ranges[id].same = is_same(w, inst);
		if (inst->op == IR_LOOP || inst->op == IR_IF) {
			if (++block == blocks + NESTED_MAX)
				return UINT64_MAX;
			*block = (struct block){0};
		}
		if (inst->op == IR_LOOP)
			block->turns = least(TURNS_MAX, turns_of(w, inst));
		if (inst->op == IR_ELSE)
			*block = (struct block){.other = block->total};
		if (inst->op == IR_END)
			close_block(inst, w, block--);
	}
	return blocks[0].total;
}

int ir_turns(
        const struct ir_module *module, const struct ir_extremes *extremes, uint64_t *ret_turns)
{
	struct walk w = {module, extremes, calloc(module->count, sizeof *w.ranges)};

	if (!w.ranges)
		return -ENOMEM;
	*ret_turns = count(&w);
	free(w.ranges);
	return 0;
}
