/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter's values that need no memory: computing rows (by rows.c), inputs, lanes,
 * conversions, and what a subgroup adds up. Nothing here changes the machine.
 */
#include "emit/eval/machine.h"
#include "emit/eval/rows.h"

#include <math.h>

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
		        [IR_SUBGROUP_ID] = i / subgroup,
		};
		to[i] = ids[which];
	}
}

static void fill(const struct machine *m, uint32_t *to, uint32_t word)
{
	for (uint32_t i = 0; i < m->invocations; i++)
		to[i] = word;
}

/* ---- Lanes. */

static void select_rows(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *condition = operand(m, inst, 0), *x = operand(m, inst, 1);
	const uint32_t *y = operand(m, inst, 2);
	size_t row = m->invocations;
	bool by_lane = ir_lanes_of(m->module->insts[inst->arg[0]].type) > 1;

	for (uint32_t lane = 0; lane < ir_lanes_of(inst->type); lane++)
		for (size_t i = 0; i < row; i++) {
			size_t at = lane * row + i;
			to[at] = condition[by_lane ? at : i] ? x[at] : y[at];
		}
}

static void compose(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	size_t row = m->invocations;

	for (uint32_t lane = 0; lane < ir_lanes_of(inst->type); lane++)
		memcpy(to + lane * row, operand(m, inst, inst->op == IR_SPLAT ? 0 : lane),
		        row * sizeof *to);
}

/* ---- Conversions. */

static bool is_float(enum ir_scalar scalar)
{
	return scalar == IR_F32 || scalar == IR_F16;
}

/* What has no defined value (a float out of range) is clamped, as WGSL does. */
static uint32_t convert_word(enum ir_scalar from, enum ir_scalar to, uint32_t bits)
{
	double value = is_float(from)   ? float_of(bits)
	               : from == IR_I32 ? (int32_t)bits
	                                : (double)bits;

	if (is_float(to))
		return float_bits((float)value);
	if (to == IR_BOOL)
		return value != 0;
	if (!is_float(from))
		return bits;
	if (to == IR_I32)
		return (uint32_t)(int32_t)fmin(fmax(value, -2147483648.0), 2147483520.0);
	return (uint32_t)fmin(fmax(value, 0), 4294967040.0);
}

static void convert(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *x = operand(m, inst, 0);
	enum ir_scalar from = ir_scalar_of(m->module->insts[inst->arg[0]].type);
	size_t count = (size_t)ir_lanes_of(inst->type) * m->invocations;

	for (size_t i = 0; i < count; i++)
		to[i] = convert_word(from, ir_scalar_of(inst->type), x[i]);
	if (ir_scalar_of(inst->type) == IR_F16)
		eval_round_half(to, count);
}

/* Two rows of f16 as one of their bits, and back. */
static void pack_rows(const struct machine *m, uint32_t *to, const uint32_t *low)
{
	const uint32_t *high = low + m->invocations;

	for (uint32_t i = 0; i < m->invocations; i++)
		to[i] = half_of_float(float_of(low[i])) | (uint32_t)half_of_float(float_of(high[i]))
		                                                  << 16;
}

static void unpack_rows(const struct machine *m, uint32_t *low, const uint32_t *from)
{
	uint32_t *high = low + m->invocations;

	for (uint32_t i = 0; i < m->invocations; i++) {
		low[i] = float_bits(half_to_float((uint16_t)from[i]));
		high[i] = float_bits(half_to_float((uint16_t)(from[i] >> 16)));
	}
}

static void bitcast(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	ir_type from = m->module->insts[inst->arg[0]].type;
	const uint32_t *x = operand(m, inst, 0);
	size_t row = m->invocations;
	bool packs = ir_scalar_of(from) == IR_F16;

	if (packs == (ir_scalar_of(inst->type) == IR_F16)) {
		memcpy(to, x, ir_lanes_of(from) * row * sizeof *to);
		return;
	}
	for (uint32_t word = 0; word < ir_bytes_of(from) / 4; word++) {
		if (packs)
			pack_rows(m, to + word * row, x + 2 * word * row);
		else
			unpack_rows(m, to + 2 * word * row, x + word * row);
	}
}

static void dot4i8(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *x = operand(m, inst, 0), *y = operand(m, inst, 1);

	for (uint32_t i = 0; i < m->invocations; i++) {
		int32_t sum = 0;
		for (uint32_t shift = 0; shift < 32; shift += 8)
			sum += (int8_t)(x[i] >> shift) * (int8_t)(y[i] >> shift);
		to[i] = (uint32_t)sum;
	}
}

/* ---- Subgroups. */

static void combine(const struct ir_inst *inst, uint32_t *sum, uint32_t word)
{
	static const uint8_t over[IR_OP_COUNT] = {
#define IR_SUBGROUP(name, over, ...) [IR_##name] = IR_##over,
#include "ir/ir.def"
	};
	const uint32_t *const rows[3] = {sum, &word, sum};
	uint32_t result;

	eval_rows((enum ir_op)over[inst->op], ir_scalar_of(inst->type), &result,
	        (const void *const *)rows, 1);
	*sum = result;
}

/* The active lanes first .. end - 1, one after another. */
static void reduce_lanes(const struct ir_inst *inst, uint32_t *to, const uint32_t *x,
        const uint32_t *mask, uint32_t count)
{
	uint32_t sum = 0;
	bool any = false;

	for (uint32_t i = 0; i < count; i++) {
		if (!mask[i])
			continue;
		if (any)
			combine(inst, &sum, x[i]);
		else
			sum = x[i];
		any = true;
	}
	for (uint32_t i = 0; i < count; i++)
		to[i] = sum;
}

static void subgroup(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const uint32_t *mask = mask_of(m), *x = operand(m, inst, 0);
	uint32_t size = m->run->subgroup_size ? m->run->subgroup_size : 1;

	for (uint32_t lane = 0; lane < ir_lanes_of(inst->type); lane++) {
		for (uint32_t first = 0; first < m->invocations; first += size) {
			uint32_t left = m->invocations - first;
			reduce_lanes(inst, to + first, x + first, mask + first,
			        left < size ? left : size);
		}
		x += m->invocations;
		to += m->invocations;
	}
}

static void swap_quads(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	static const uint8_t ways[IR_OP_COUNT] = {
#define IR_QUAD(name, way, ...) [IR_##name] = way,
#include "ir/ir.def"
	};
	uint32_t way = ways[inst->op], lanes = ir_lanes_of(inst->type);
	const uint32_t *x = operand(m, inst, 0);

	for (uint32_t lane = 0; lane < lanes; lane++)
		for (uint32_t i = 0; i < m->invocations; i++) {
			size_t first = (size_t)lane * m->invocations;
			uint32_t other = (i ^ way) < m->invocations ? i ^ way : i;
			to[first + i] = x[first + other];
		}
}

/* ---- The door. */

void eval_value(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	switch (inst->op) {
	case IR_BUILTIN:
		builtin(m, inst->arg[0], to);
		break;
	case IR_UNIFORM:
		fill(m, to, m->run->uniforms[inst->arg[0]]);
		break;
	case IR_SELECT:
		select_rows(m, inst, to);
		break;
	case IR_SPLAT:
	case IR_COMPOSE:
		compose(m, inst, to);
		break;
	case IR_EXTRACT:
		memcpy(to, operand(m, inst, 0) + (size_t)inst->arg[1] * m->invocations,
		        m->invocations * sizeof *to);
		break;
	case IR_CONVERT:
		convert(m, inst, to);
		break;
	case IR_BITCAST:
		bitcast(m, inst, to);
		break;
	case IR_UNPACK_HALF:
		unpack_rows(m, to, operand(m, inst, 0));
		break;
	case IR_DOT4I8:
		dot4i8(m, inst, to);
		break;
#define IR_SUBGROUP(name, ...) case IR_##name:
#include "ir/ir.def"
		subgroup(m, inst, to);
		break;
#define IR_QUAD(name, ...) case IR_##name:
#include "ir/ir.def"
		swap_quads(m, inst, to);
		break;
	default:
		compute(m, inst, to);
	}
}
