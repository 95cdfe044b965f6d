/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter's state and its rows of values; for this room only.
 *
 * A value is a row of words for each lane: value[lane * invocations + invocation]. Integers and
 * f32 are their bits, a bool is 0 or 1, and an f16 is the f32 of the same value, so that its
 * arithmetic is that of f32, rounded once more; only in memory has it 16 bits.
 */
#pragma once

#include "base/half.h"
#include "emit/eval/eval.h"

#include <stddef.h>
#include <string.h>

struct machine {
	const struct ir_module *module;
	struct emit_eval *run;
	uint32_t invocations; /* of a workgroup */
	uint32_t workgroup[3];
	uint32_t **values; /* by instruction: its rows; NULL without a value */
	uint32_t *ends;    /* by LOOP, IF, ELSE: the ELSE or END that follows */
	uint32_t *shared[IR_SHARED_MAX];
	uint32_t *words; /* the one allocation behind values and shared */
	uint32_t *masks; /* by depth: all ones where the invocation is active */
	uint32_t depth;
	uint64_t turns; /* of this workgroup */
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

static inline float float_of(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline uint32_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* Scalar n of an array in memory, as a value's word; and back. */
static inline uint32_t read_scalar(const void *array, enum ir_scalar scalar, size_t n)
{
	if (scalar == IR_F16)
		return float_bits(half_to_float(((const uint16_t *)array)[n]));
	return ((const uint32_t *)array)[n];
}

static inline void write_scalar(void *array, enum ir_scalar scalar, size_t n, uint32_t word)
{
	if (scalar == IR_F16)
		((uint16_t *)array)[n] = half_of_float(float_of(word));
	else
		((uint32_t *)array)[n] = word;
}

/* Words of a value: a row for each lane, or a matrix for each subgroup. */
size_t eval_words(const struct machine *m, ir_type type);

/* Cooperative matrices (eval_matrix.c); assign: where a subgroup is active, `to` takes `from`. */
void eval_matrix_assign(const struct machine *m, ir_type type, uint32_t *to, const uint32_t *from);
void eval_matrix_store(struct machine *m, const struct ir_inst *inst);
void eval_matrix_value(struct machine *m, const struct ir_inst *inst, uint32_t *to);

/* Rows that need no memory, no variable and no control flow; `to` is the instruction's. */
void eval_value(const struct machine *m, const struct ir_inst *inst, uint32_t *to);
