/* SPDX-License-Identifier: Apache-2.0
 *
 * op.def, scalar.def and dtype.def as tables, and the small questions that a row answers.
 */
#include "op/rows.h"

#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* MATMUL_fields[] and so on, then the table of operators that holds them. */
#define OP(name, ...) static const struct op_field name##_fields[] = {
#define FIELD(op, name, text, kind, initial, rule, doc) \
	{text, doc, FIELD_##kind, initial, rule, op##_##name},
#define END(name) \
	}         \
	;         \
	_Static_assert(LENGTH(name##_fields) <= 32, "a field is a bit of `seen`");
#include "op/op.def"

static const struct {
	const char *name, *doc;
	enum op_family family;
	const struct op_field *fields;
	uint32_t field_count;
	op_tensors_of *tensors;
	op_rule *rule;
} ops[OP_COUNT] = {
#define OP(name, text, family, signature, doc)                                           \
	[OP_##name] = {text, doc, FAMILY_##family, name##_fields, LENGTH(name##_fields), \
	        tensors_##signature, rule_##signature},
#define FIELD(...)
#define END(name)
#include "op/op.def"
};

static const struct {
	const char *name;
	uint32_t bits;
} dtypes[DTYPE_COUNT] = {
#define DTYPE(name, text, bits, doc) [DTYPE_##name] = {text, bits},
#include "op/dtype.def"
};

static const struct scalar_info scalars[SCALAR_FUNCTION_END] = {
#define SCALAR(name, text, arity, takes, gives, instructions, cost, lowering, meaning, doc) \
	[SCALAR_##name] = {text, doc, arity, TAKES_##takes, GIVES_##gives, instructions, cost},
#include "op/scalar.def"
};

const struct op_field *op_field(enum op_kind kind, uint32_t index)
{
	return index < ops[kind].field_count ? &ops[kind].fields[index] : NULL;
}

const char *op_name(enum op_kind kind)
{
	return ops[kind].name;
}

const char *op_doc(enum op_kind kind)
{
	return ops[kind].doc;
}

enum op_family op_family(enum op_kind kind)
{
	return ops[kind].family;
}

const char *op_family_name(enum op_family family)
{
	static const char *const names[] = {
#define FAMILY(name, text) #text,
#include "op/families.def"
	};

	return names[family];
}

op_tensors_of *op_signature_tensors(enum op_kind kind)
{
	return ops[kind].tensors;
}

op_rule *op_signature_rule(enum op_kind kind)
{
	return ops[kind].rule;
}

const char *dtype_name(enum dtype dtype)
{
	return dtypes[dtype].name;
}

uint32_t dtype_bits(enum dtype dtype)
{
	return dtypes[dtype].bits;
}

const struct scalar_info *scalar_info(enum scalar function)
{
	return &scalars[function];
}

const char *scalar_name(enum scalar scalar)
{
	static const char *const operands[] = {"x", "y", "z", "alpha", "beta"};

	return scalar < SCALAR_FUNCTION_END ? scalars[scalar].name
	                                    : operands[scalar - SCALAR_FUNCTION_END];
}

bool scalar_is_activation(enum scalar scalar)
{
	return scalar > SCALAR_END && scalar < SCALAR_FUNCTION_END && scalars[scalar].arity == 1 &&
	       scalars[scalar].takes != TAKES_LOGIC;
}

uint32_t field_width(const struct op_field *field)
{
	static const uint8_t widths[] = {[FIELD_DIM] = WIDTH_DIM,
	        [FIELD_SIZE] = WIDTH_SIZE,
	        [FIELD_COUNT] = WIDTH_COUNT,
	        [FIELD_FLAG] = WIDTH_FLAG,
	        [FIELD_FLOAT] = WIDTH_FLOAT,
	        [FIELD_NUMBER] = WIDTH_NUMBER,
	        [FIELD_DTYPE] = WIDTH_DTYPE,
	        [FIELD_CHOICE] = WIDTH_CHOICE,
	        [FIELD_PAIR] = WIDTH_PAIR,
	        [FIELD_QUAD] = WIDTH_QUAD,
	        [FIELD_SHAPE] = WIDTH_SHAPE,
	        [FIELD_LIST] = WIDTH_LIST,
	        [FIELD_ACTS] = WIDTH_ACTS,
	        [FIELD_STEPS] = WIDTH_STEPS};

	return widths[field->kind];
}

uint32_t field_rank_max(const struct op_field *field)
{
	return field->kind == FIELD_SHAPE || field->kind == FIELD_LIST ? OP_RANK_MAX : 0;
}

/* ---- Values that take several rows to read. */

float op_float(const struct op *op, uint32_t value)
{
	float number;

	memcpy(&number, &op->value[value], sizeof number);
	return number;
}

double op_number(const struct op *op, uint32_t value)
{
	double number;

	memcpy(&number, &op->value[value], sizeof number);
	return number;
}

static uint32_t unpack(const uint32_t *values, uint32_t most, enum scalar *ret_scalars)
{
	uint32_t count = 0;

	for (; count < most && (values[count / 4] >> 8 * (count % 4) & 255); count++)
		ret_scalars[count] = (enum scalar)(values[count / 4] >> 8 * (count % 4) & 255);
	return count;
}

uint32_t op_acts(const struct op *op, uint32_t value, enum scalar ret_acts[static OP_ACTS_MAX])
{
	return unpack(&op->value[value], OP_ACTS_MAX, ret_acts);
}

uint32_t op_acts_cost(const struct op *op, uint32_t value)
{
	enum scalar acts[OP_ACTS_MAX];
	uint32_t cost = 0;

	for (uint32_t i = 0, count = op_acts(op, value, acts); i < count; i++)
		cost += scalars[acts[i]].cost;
	return cost;
}

uint32_t op_acts_instructions(const struct op *op, uint32_t value)
{
	enum scalar acts[OP_ACTS_MAX];
	uint32_t instructions = 0;

	for (uint32_t i = 0, count = op_acts(op, value, acts); i < count; i++)
		instructions += scalars[acts[i]].instructions;
	return instructions;
}

bool op_has_steps(const struct op *op)
{
	return ops[op->kind].tensors == tensors_elementwise;
}

bool op_is_logic(const struct op *op)
{
	enum scalar steps[OP_STEPS_MAX + 1];

	if (!op_has_steps(op) || op->kind == OP_MAP)
		return false;
	uint32_t count = op_steps(op, steps);
	return scalar_info(steps[count - 1])->takes == TAKES_LOGIC;
}

/* An operator of scalar.def is as many operands as it takes, then itself. */
uint32_t op_steps(const struct op *op, enum scalar ret_steps[static OP_STEPS_MAX + 1])
{
	static const enum scalar functions[OP_COUNT] = {
#define SCALAR(name, ...) [OP_##name] = SCALAR_##name,
#include "op/scalar.def"
	};
	enum scalar function = functions[op->kind];
	uint32_t count = 0;

	if (!function) {
		count = unpack(&op->value[MAP_STEPS], OP_STEPS_MAX, ret_steps);
	} else {
		while (count < scalars[function].arity) {
			ret_steps[count] = (enum scalar)(SCALAR_X + count);
			count++;
		}
		ret_steps[count++] = function;
	}
	ret_steps[count] = SCALAR_END;
	return count;
}
