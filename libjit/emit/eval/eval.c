/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter: runs a module over whole workgroups, one instruction at a time for all
 * invocations in lockstep, so that barriers need no scheduling and inner loops vectorise. It is
 * the oracle the other emitters are judged by: plain, and strict about memory. Workgroup memory
 * starts poisoned, not zeroed.
 *
 * Computing rows run for all invocations, active or not (they are pure); whatever touches memory,
 * variables or other invocations obeys the mask. Invariant: the mask of a block is within that of
 * its parent.
 */
#include "emit/eval/machine.h"

#include <errno.h>
#include <stdlib.h>

#define DEPTH_MAX   65          /* masks; the builder nests 64 blocks */
#define POISON      0x7fdead00u /* a quiet NaN, and an index far out of bounds */
#define POISON_HALF 0x7ead7eadu /* two of f16 */

static bool any_active(const struct machine *m)
{
	const uint32_t *mask = mask_of(m);
	uint32_t any = 0;

	for (uint32_t i = 0; i < m->invocations; i++)
		any |= mask[i];
	return any != 0;
}

/* ---- Memory and variables. */

/* Array n of the instruction's kind, its length in elements. */
static void *array_of(
        const struct machine *m, const struct ir_inst *inst, uint32_t n, uint32_t *ret_length)
{
	if (inst->op == IR_SHARED_LOAD || inst->op == IR_SHARED_STORE) {
		*ret_length = m->module->shared[n].length;
		return m->shared[n];
	}
	*ret_length = m->run->lengths[n] ? m->run->lengths[n] : m->module->bindings[n].length;
	return m->run->buffers[n];
}

static void load(struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *mask = mask_of(m), *index = operand(m, inst, 0);
	uint32_t lanes = ir_lanes_of(inst->type), length;
	const void *from = array_of(m, inst, inst->arg[1], &length);
	enum ir_scalar scalar = ir_scalar_of(inst->type);

	for (uint32_t i = 0; i < m->invocations; i++) {
		bool inside = index[i] < length;
		m->run->out_of_bounds += mask[i] && !inside;
		for (uint32_t lane = 0; lane < lanes; lane++)
			to[(size_t)lane * m->invocations + i] =
			        mask[i] && inside
			                ? read_scalar(from, scalar, (size_t)index[i] * lanes + lane)
			                : 0;
	}
}

static void store(struct machine *m, const struct ir_inst *inst)
{
	const uint32_t *mask = mask_of(m), *index = operand(m, inst, 0);
	const uint32_t *value = operand(m, inst, 1);
	ir_type type = m->module->insts[inst->arg[1]].type;
	uint32_t lanes = ir_lanes_of(type), length;
	void *to = array_of(m, inst, inst->arg[2], &length);

	for (uint32_t i = 0; i < m->invocations; i++) {
		bool inside = index[i] < length;
		m->run->out_of_bounds += mask[i] && !inside;
		for (uint32_t lane = 0; mask[i] && inside && lane < lanes; lane++)
			write_scalar(to, ir_scalar_of(type), (size_t)index[i] * lanes + lane,
			        value[(size_t)lane * m->invocations + i]);
	}
}

/* Where active, `to` takes `from`. */
static void assign(const struct machine *m, ir_type type, uint32_t *to, const uint32_t *from)
{
	const uint32_t *mask = mask_of(m);

	if (ir_is_matrix(type)) {
		eval_matrix_assign(m, type, to, from);
		return;
	}
	for (uint32_t lane = 0; lane < ir_lanes_of(type); lane++)
		for (uint32_t i = 0; i < m->invocations; i++) {
			size_t at = (size_t)lane * m->invocations + i;
			to[at] = (from[at] & mask[i]) | (to[at] & ~mask[i]);
		}
}

static void copy_rows(const struct machine *m, ir_type type, uint32_t *to, const uint32_t *from)
{
	memcpy(to, from, eval_words(m, type) * sizeof *to);
}

/* ---- Control flow. Each answers the instruction to go on with. */

/* Invocations leave the loop's mask one by one; the block runs while any is left. */
static uint32_t test_loop(struct machine *m, const struct ir_inst *inst, uint32_t id)
{
	const uint32_t *counter = m->values[id], *to = operand(m, inst, 1);
	uint32_t *mask = mask_of(m);

	m->turns++;
	for (uint32_t i = 0; i < m->invocations; i++)
		mask[i] &= counter[i] < to[i] ? UINT32_MAX : 0;
	if (any_active(m))
		return id + 1;
	m->depth--;
	return m->ends[id] + 1;
}

static uint32_t begin_loop(struct machine *m, const struct ir_inst *inst, uint32_t id)
{
	const uint32_t *outer = mask_of(m);

	m->depth++;
	memcpy(mask_of(m), outer, m->invocations * sizeof *outer);
	copy_rows(m, inst->type, m->values[id], operand(m, inst, 0));
	return test_loop(m, inst, id);
}

static uint32_t begin_if(struct machine *m, const struct ir_inst *inst, uint32_t id)
{
	const uint32_t *condition = operand(m, inst, 0), *outer = mask_of(m);

	m->depth++;
	uint32_t *mask = mask_of(m);
	for (uint32_t i = 0; i < m->invocations; i++)
		mask[i] = condition[i] ? outer[i] : 0;
	return any_active(m) ? id + 1 : m->ends[id];
}

static uint32_t begin_else(struct machine *m, const struct ir_inst *inst, uint32_t id)
{
	const uint32_t *outer = mask_of(m) - m->invocations;
	const uint32_t *condition = m->values[m->module->insts[inst->arg[0]].arg[0]];
	uint32_t *mask = mask_of(m);

	for (uint32_t i = 0; i < m->invocations; i++)
		mask[i] = condition[i] ? 0 : outer[i];
	return any_active(m) ? id + 1 : m->ends[id];
}

static uint32_t end_block(struct machine *m, const struct ir_inst *inst, uint32_t id)
{
	uint32_t opener = inst->arg[0];
	const struct ir_inst *loop = &m->module->insts[opener];

	if (loop->op != IR_LOOP) {
		m->depth--;
		return id + 1;
	}
	for (uint32_t i = 0; i < m->invocations; i++)
		m->values[opener][i] += operand(m, loop, 2)[i];
	return test_loop(m, loop, opener);
}

/* ---- The machine. */

static void run_value(struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	switch (inst->op) {
	case IR_CONST: /* filled in once, when the machine was made */
		break;
	case IR_LOAD:
	case IR_SHARED_LOAD:
		load(m, inst, to);
		break;
	case IR_GET:
		copy_rows(m, inst->type, to, operand(m, inst, 0));
		break;
	case IR_MATRIX_FILL:
	case IR_MATRIX_LOAD:
	case IR_MATRIX_MULTIPLY:
		eval_matrix_value(m, inst, to);
		break;
	default:
		eval_value(m, inst, to);
	}
}

static uint32_t step(struct machine *m, uint32_t id)
{
	const struct ir_inst *inst = &m->module->insts[id];

	switch (inst->op) {
	case IR_NOP:
	case IR_BARRIER: /* in lockstep already */
		break;
	case IR_STORE:
	case IR_SHARED_STORE:
		store(m, inst);
		break;
	case IR_MATRIX_STORE:
		eval_matrix_store(m, inst);
		break;
	case IR_VAR:
		assign(m, inst->type, m->values[id], operand(m, inst, 0));
		break;
	case IR_SET:
		assign(m, m->module->insts[inst->arg[1]].type, m->values[inst->arg[1]],
		        operand(m, inst, 0));
		break;
	case IR_LOOP:
		return begin_loop(m, inst, id);
	case IR_IF:
		return begin_if(m, inst, id);
	case IR_ELSE:
		return begin_else(m, inst, id);
	case IR_END:
		return end_block(m, inst, id);
	default:
		run_value(m, inst, m->values[id]);
	}
	return id + 1;
}

static size_t shared_words(const struct ir_shared *shared)
{
	return ((size_t)shared->length * ir_bytes_of(shared->type) + 3) / 4;
}

static void poison(struct machine *m)
{
	for (uint32_t n = 0; n < m->module->shared_count; n++) {
		const struct ir_shared *shared = &m->module->shared[n];
		bool is_half = ir_scalar_of(shared->type) == IR_F16;

		for (size_t i = 0; i < shared_words(shared); i++)
			m->shared[n][i] = is_half ? POISON_HALF : POISON;
	}
}

static void run_workgroup(struct machine *m)
{
	poison(m);
	for (uint32_t i = 0; i < m->invocations; i++)
		m->masks[i] = UINT32_MAX;
	m->depth = 0;
	m->turns = 0;
	for (uint32_t id = 1; id < m->module->count;)
		id = step(m, id);
	if (m->turns > m->run->turns)
		m->run->turns = m->turns;
}

/* The marker that follows each LOOP, IF and ELSE. */
static void match_blocks(struct machine *m)
{
	const struct ir_inst *insts = m->module->insts;

	for (uint32_t id = 1; id < m->module->count; id++) {
		if (insts[id].op == IR_ELSE)
			m->ends[insts[id].arg[0]] = id;
		if (insts[id].op != IR_END)
			continue;
		uint32_t opener = insts[id].arg[0];
		if (m->ends[opener]) /* the IF's ELSE */
			opener = m->ends[opener];
		m->ends[opener] = id;
	}
}

static bool has_rows(const struct ir_inst *inst)
{
	return ir_op_infos[inst->op].has_result || inst->op == IR_VAR;
}

/* Shares the words out: workgroup memory first, then each value's rows. */
static void place_rows(struct machine *m)
{
	uint32_t *next = m->words;

	for (uint32_t i = 0; i < m->module->shared_count; i++) {
		m->shared[i] = next;
		next += shared_words(&m->module->shared[i]);
	}
	for (uint32_t id = 1; id < m->module->count; id++) {
		const struct ir_inst *inst = &m->module->insts[id];
		size_t count = eval_words(m, inst->type);
		if (!has_rows(inst))
			continue;
		m->values[id] = next;
		for (size_t i = 0; inst->op == IR_CONST && i < count; i++)
			next[i] = read_scalar(inst->arg, ir_scalar_of(inst->type), 0);
		next += count;
	}
}

static size_t count_words(const struct machine *m)
{
	size_t words = 0;

	for (uint32_t i = 0; i < m->module->shared_count; i++)
		words += shared_words(&m->module->shared[i]);
	for (uint32_t id = 1; id < m->module->count; id++)
		if (has_rows(&m->module->insts[id]))
			words += eval_words(m, m->module->insts[id].type);
	return words;
}

static void machine_free(struct machine *m)
{
	free(m->values);
	free(m->ends);
	free(m->words);
	free(m->masks);
}

static int machine_init(struct machine *m)
{
	m->values = calloc(m->module->count, sizeof *m->values);
	m->ends = calloc(m->module->count, sizeof *m->ends);
	m->words = calloc(count_words(m) + 1, sizeof *m->words);
	m->masks = calloc((size_t)DEPTH_MAX * m->invocations, sizeof *m->masks);
	if (!m->values || !m->ends || !m->words || !m->masks)
		return -ENOMEM;
	match_blocks(m);
	place_rows(m);
	return 0;
}

int emit_eval(const struct ir_module *module, struct emit_eval *run)
{
	const uint32_t *size = module->workgroup_size;
	struct machine m = {
	        .module = module, .run = run, .invocations = size[0] * size[1] * size[2]};
	int r = machine_init(&m);

	for (uint32_t z = 0; !r && z < run->workgroups[2]; z++)
		for (uint32_t y = 0; y < run->workgroups[1]; y++)
			for (uint32_t x = 0; x < run->workgroups[0]; x++) {
				memcpy(m.workgroup, (uint32_t[3]){x, y, z}, sizeof m.workgroup);
				run_workgroup(&m);
			}
	machine_free(&m);
	return r;
}
