/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter: runs a module over whole workgroups, one instruction at a time for all
 * invocations in lockstep, so that barriers need no scheduling and inner loops vectorise. It is
 * the oracle the other emitters are judged by: plain, and strict about memory. Workgroup memory
 * starts poisoned, not zeroed.
 *
 * A value is a row of words for each lane: value[lane * invocations + invocation]. Computing rows
 * run for all invocations, active or not (they are pure); whatever touches memory, variables or
 * other invocations obeys the mask. Invariant: the mask of a block is within that of its parent.
 */
#include "emit/emit.h"

#include "emit/eval_rows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 65          /* masks; the builder nests 64 blocks */
#define POISON    0x7fdead00u /* a quiet NaN, and an index far out of bounds */

struct machine {
	const struct ir_module *module;
	struct emit_eval *run;
	uint32_t invocations; /* of a workgroup */
	uint32_t workgroup[3];
	uint32_t **values; /* by instruction: its rows; NULL without a value */
	uint32_t *ends;    /* by LOOP, IF, ELSE: the ELSE or END that follows */
	uint32_t *shared[IR_SHARED_MAX];
	uint32_t *words;     /* the one allocation behind values and shared */
	size_t shared_words; /* they stand first */
	uint32_t *masks;     /* by depth: all ones where the invocation is active */
	uint32_t depth;
};

static inline uint32_t *mask_of(const struct machine *m)
{
	return m->masks + (size_t)m->depth * m->invocations;
}

static inline const uint32_t *operand(
        const struct machine *m, const struct ir_inst *inst, uint32_t i)
{
	return m->values[inst->arg[i]];
}

static bool any_active(const struct machine *m)
{
	const uint32_t *mask = mask_of(m);
	uint32_t any = 0;

	for (uint32_t i = 0; i < m->invocations; i++)
		any |= mask[i];
	return any != 0;
}

/* ---- Values. */

static void compute(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	ir_type type = m->module->insts[inst->arg[0]].type;
	size_t count = (size_t)ir_lanes_of(type) * m->invocations;
	const void *rows[3];

	for (uint32_t i = 0; i < 3; i++)
		rows[i] = operand(m, inst, i < ir_op_infos[inst->op].values ? i : 0);
	eval_rows((enum ir_op)inst->op, ir_scalar_of(type), to, rows, count);
}

static void builtin(const struct machine *m, uint32_t which, uint32_t *to)
{
	const uint32_t *size = m->module->workgroup_size;
	uint32_t subgroup = m->run->subgroup_size ? m->run->subgroup_size : 1;

	for (uint32_t i = 0; i < m->invocations; i++) {
		const uint32_t ids[IR_BUILTIN_COUNT] = {
		        [IR_WORKGROUP_ID_X] = m->workgroup[0],
		        [IR_WORKGROUP_ID_Y] = m->workgroup[1],
		        [IR_WORKGROUP_ID_Z] = m->workgroup[2],
		        [IR_LOCAL_ID_X] = i % size[0],
		        [IR_LOCAL_ID_Y] = i / size[0] % size[1],
		        [IR_LOCAL_ID_Z] = i / size[0] / size[1],
		        [IR_LOCAL_INDEX] = i,
		        [IR_SUBGROUP_INVOCATION] = i % subgroup,
		};
		to[i] = ids[which];
	}
}

static void select_rows(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *condition = operand(m, inst, 0), *x = operand(m, inst, 1);
	const uint32_t *y = operand(m, inst, 2);

	for (uint32_t lane = 0; lane < ir_lanes_of(inst->type); lane++)
		for (uint32_t i = 0; i < m->invocations; i++) {
			size_t at = (size_t)lane * m->invocations + i;
			to[at] = condition[i] ? x[at] : y[at];
		}
}

static float float_of(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static uint32_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* What has no defined value (a float out of range) is clamped, as WGSL does. */
static uint32_t convert_word(enum ir_scalar from, enum ir_scalar to, uint32_t bits)
{
	double value = from == IR_F32   ? float_of(bits)
	               : from == IR_I32 ? (int32_t)bits
	                                : (double)bits;

	if (to == IR_F32)
		return float_bits((float)value);
	if (to == IR_BOOL)
		return value != 0;
	if (from != IR_F32)
		return bits;
	if (to == IR_I32)
		return (uint32_t)(int32_t)fmin(fmax(value, -2147483648.0), 2147483520.0);
	return (uint32_t)fmin(fmax(value, 0), 4294967040.0);
}

static void convert(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *x = operand(m, inst, 0);
	enum ir_scalar from = ir_scalar_of(m->module->insts[inst->arg[0]].type);

	for (size_t i = 0; i < (size_t)ir_lanes_of(inst->type) * m->invocations; i++)
		to[i] = convert_word(from, ir_scalar_of(inst->type), x[i]);
}

static void compose(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	size_t row = m->invocations;

	for (uint32_t lane = 0; lane < ir_lanes_of(inst->type); lane++)
		memcpy(to + lane * row, operand(m, inst, inst->op == IR_SPLAT ? 0 : lane),
		        row * sizeof *to);
}

static void subgroup_add(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *mask = mask_of(m), *x = operand(m, inst, 0);
	uint32_t size = m->run->subgroup_size ? m->run->subgroup_size : 1;
	bool is_float = ir_scalar_of(inst->type) == IR_F32;

	for (size_t row = 0; row < ir_lanes_of(inst->type); row++, x += m->invocations)
		for (uint32_t first = 0; first < m->invocations; first += size) {
			uint32_t end = first + size < m->invocations ? first + size
			                                             : m->invocations;
			uint32_t sum = 0;
			float float_sum = 0;
			for (uint32_t i = first; i < end; i++) {
				sum += x[i] & mask[i];
				float_sum += float_of(x[i] & mask[i]);
			}
			for (uint32_t i = first; i < end; i++)
				to[row * m->invocations + i] = is_float ? float_bits(float_sum)
				                                        : sum;
		}
}

/* ---- Memory and variables. */

/* Array n of the instruction's kind: its words, its length in elements. */
static uint32_t *array_of(
        const struct machine *m, const struct ir_inst *inst, uint32_t n, uint32_t *ret_length)
{
	bool is_binding = inst->op == IR_LOAD || inst->op == IR_STORE;

	*ret_length = is_binding ? m->module->bindings[n].length : m->module->shared[n].length;
	return is_binding ? m->run->buffers[n] : m->shared[n];
}

static void load(struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *mask = mask_of(m), *index = operand(m, inst, 0);
	uint32_t lanes = ir_lanes_of(inst->type), length;
	const uint32_t *from = array_of(m, inst, inst->arg[1], &length);

	for (uint32_t i = 0; i < m->invocations; i++) {
		bool inside = index[i] < length;
		m->run->out_of_bounds += mask[i] && !inside;
		for (uint32_t lane = 0; lane < lanes; lane++)
			to[(size_t)lane * m->invocations + i] =
			        mask[i] && inside ? from[(size_t)index[i] * lanes + lane] : 0;
	}
}

static void store(struct machine *m, const struct ir_inst *inst)
{
	const uint32_t *mask = mask_of(m), *index = operand(m, inst, 0);
	const uint32_t *value = operand(m, inst, 1);
	uint32_t lanes = ir_lanes_of(m->module->insts[inst->arg[1]].type), length;
	uint32_t *to = array_of(m, inst, inst->arg[2], &length);

	for (uint32_t i = 0; i < m->invocations; i++) {
		bool inside = index[i] < length;
		m->run->out_of_bounds += mask[i] && !inside;
		for (uint32_t lane = 0; mask[i] && inside && lane < lanes; lane++)
			to[(size_t)index[i] * lanes + lane] =
			        value[(size_t)lane * m->invocations + i];
	}
}

/* Where active, `to` takes `from`. */
static void assign(const struct machine *m, ir_type type, uint32_t *to, const uint32_t *from)
{
	const uint32_t *mask = mask_of(m);

	for (uint32_t lane = 0; lane < ir_lanes_of(type); lane++)
		for (uint32_t i = 0; i < m->invocations; i++) {
			size_t at = (size_t)lane * m->invocations + i;
			to[at] = (from[at] & mask[i]) | (to[at] & ~mask[i]);
		}
}

static void copy_rows(const struct machine *m, ir_type type, uint32_t *to, const uint32_t *from)
{
	memcpy(to, from, (size_t)ir_lanes_of(type) * m->invocations * sizeof *to);
}

/* ---- Control flow. Each answers the instruction to go on with. */

/* Invocations leave the loop's mask one by one; the block runs while any is left. */
static uint32_t test_loop(struct machine *m, const struct ir_inst *inst, uint32_t id)
{
	const uint32_t *counter = m->values[id], *to = operand(m, inst, 1);
	uint32_t *mask = mask_of(m);

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
	case IR_BUILTIN:
		builtin(m, inst->arg[0], to);
		break;
	case IR_SELECT:
		select_rows(m, inst, to);
		break;
	case IR_CONVERT:
		convert(m, inst, to);
		break;
	case IR_SPLAT:
	case IR_COMPOSE:
		compose(m, inst, to);
		break;
	case IR_EXTRACT:
		memcpy(to, operand(m, inst, 0) + (size_t)inst->arg[1] * m->invocations,
		        m->invocations * sizeof *to);
		break;
	case IR_LOAD:
	case IR_SHARED_LOAD:
		load(m, inst, to);
		break;
	case IR_GET:
		copy_rows(m, inst->type, to, operand(m, inst, 0));
		break;
	case IR_SUBGROUP_ADD:
		subgroup_add(m, inst, to);
		break;
	default:
		compute(m, inst, to);
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

static void run_workgroup(struct machine *m)
{
	for (size_t i = 0; i < m->shared_words; i++)
		m->words[i] = POISON;
	for (uint32_t i = 0; i < m->invocations; i++)
		m->masks[i] = UINT32_MAX;
	m->depth = 0;
	for (uint32_t id = 1; id < m->module->count;)
		id = step(m, id);
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
		next += (size_t)m->module->shared[i].length *
		        ir_lanes_of(m->module->shared[i].type);
	}
	for (uint32_t id = 1; id < m->module->count; id++) {
		const struct ir_inst *inst = &m->module->insts[id];
		size_t count = (size_t)ir_lanes_of(inst->type) * m->invocations;
		if (!has_rows(inst))
			continue;
		m->values[id] = next;
		for (size_t i = 0; inst->op == IR_CONST && i < count; i++)
			next[i] = inst->arg[0];
		next += count;
	}
}

static size_t count_words(struct machine *m)
{
	size_t words = 0;

	for (uint32_t i = 0; i < m->module->shared_count; i++)
		words += (size_t)m->module->shared[i].length *
		         ir_lanes_of(m->module->shared[i].type);
	m->shared_words = words;
	for (uint32_t id = 1; id < m->module->count; id++)
		if (has_rows(&m->module->insts[id]))
			words += (size_t)ir_lanes_of(m->module->insts[id].type) * m->invocations;
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
