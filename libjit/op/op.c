/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors, driven by op.def: parse, validate, print, and the tensors an operator has. Knows
 * what each field may hold; knows nothing of devices.
 */
#include "op/op.h"

#include "base/error.h"
#include "base/hash.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* MATMUL_fields[] and so on, then the table of operators that holds them. */
#define OP(name, ...)                             static const struct op_field name##_fields[] = {
#define FIELD(op, name, text, kind, initial, doc) {text, doc, FIELD_##kind, initial},
#define END(name) \
	}         \
	;         \
	static_assert(LENGTH(name##_fields) <= OP_FIELDS_MAX, "values fit");
#include "op/op.def"

static const struct {
	const char *name, *doc;
	enum op_family family;
	const struct op_field *fields;
	uint32_t field_count;
} ops[OP_COUNT] = {
#define OP(name, text, family, doc) \
	[OP_##name] = {text, doc, FAMILY_##family, name##_fields, LENGTH(name##_fields)},
#define FIELD(...)
#define END(name)
#include "op/op.def"
};

static const char *const dtype_names[DTYPE_COUNT] = {[DTYPE_F32] = "f32"};
static const char *const activation_names[ACTIVATION_COUNT] = {
        [ACTIVATION_NONE] = "none",
        [ACTIVATION_RELU] = "relu",
        [ACTIVATION_GELU] = "gelu",
        [ACTIVATION_GELU_TANH] = "gelu_tanh",
        [ACTIVATION_SILU] = "silu",
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

const char *dtype_name(enum dtype dtype)
{
	return dtype_names[dtype];
}

uint32_t dtype_bytes(enum dtype dtype)
{
	static const uint32_t bytes[DTYPE_COUNT] = {[DTYPE_F32] = 4};

	return bytes[dtype];
}

int op_begin(const char *operator, struct op * ret_op, struct error *err)
{
	for (uint32_t kind = 0; kind < OP_COUNT; kind++) {
		if (strcmp(ops[kind].name, operator))
			continue;
		*ret_op = (struct op){.kind = (enum op_kind)kind};
		for (uint32_t i = 0; i < ops[kind].field_count; i++)
			ret_op->value[i] = ops[kind].fields[i].initial;
		return 0;
	}
	return error_set(err, OP_UNKNOWN_OPERATOR, "op",
	        "there is no operator '%.40s'; `nnjitctl help ops` lists those there are",
	        operator);
}

static int parse_number(const char *text, uint32_t max, uint32_t *ret_value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return OP_BAD_VALUE;
	unsigned long long value = strtoull(text, &end, 10);
	if (*end || value > max)
		return OP_BAD_VALUE;
	*ret_value = (uint32_t)value;
	return 0;
}

static int parse_name(
        const char *text, const char *const *names, uint32_t count, uint32_t *ret_value)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!strcmp(names[i], text)) {
			*ret_value = i;
			return 0;
		}
	}
	return OP_BAD_VALUE;
}

static int parse_value(
        const struct op_field *field, const char *text, uint32_t *ret_value, struct error *err)
{
	switch (field->kind) {
	case FIELD_DIM:
		if (!parse_number(text, OP_DIM_MAX, ret_value) && *ret_value > 0)
			return 0;
		return error_set(err, OP_BAD_VALUE, field->name,
		        "%s=%.40s: must be a whole number from 1 to %u", field->name, text,
		        OP_DIM_MAX);
	case FIELD_FLAG:
		if (!parse_number(text, 1, ret_value))
			return 0;
		return error_set(err, OP_BAD_VALUE, field->name, "%s=%.40s: must be 0 or 1",
		        field->name, text);
	case FIELD_DTYPE:
		if (!parse_name(text, dtype_names, DTYPE_COUNT, ret_value))
			return 0;
		return error_set(err, OP_BAD_VALUE, field->name,
		        "%s=%.40s: this version computes in f32 only", field->name, text);
	case FIELD_ACTIVATION:
		if (!parse_name(text, activation_names, ACTIVATION_COUNT, ret_value))
			return 0;
		return error_set(err, OP_BAD_VALUE, field->name,
		        "%s=%.40s: must be none, relu, gelu, gelu_tanh or silu", field->name, text);
	}
	return OP_BAD_VALUE;
}

int op_set_text(
        struct op *op, uint32_t *seen, const char *field, const char *value, struct error *err)
{
	for (uint32_t i = 0; i < ops[op->kind].field_count; i++) {
		const struct op_field *row = &ops[op->kind].fields[i];
		uint32_t parsed = 0;

		if (strcmp(row->name, field))
			continue;
		if (*seen & 1u << i)
			return error_set(err, OP_DUPLICATE_FIELD, row->name,
			        "%s is given twice; give it once", row->name);
		int r = parse_value(row, value, &parsed, err);
		if (r)
			return r;
		*seen |= 1u << i;
		op->value[i] = parsed;
		return 0;
	}
	return error_set(err, OP_UNKNOWN_FIELD, field,
	        "%s has no field '%.31s'; see `nnjitctl help ops`", ops[op->kind].name, field);
}

int op_validate(const struct op *op, struct error *err)
{
	struct tensor tensors[OP_TENSORS_MAX];

	for (uint32_t i = 0; i < ops[op->kind].field_count; i++) {
		const struct op_field *row = &ops[op->kind].fields[i];
		if (row->kind == FIELD_DIM && !op->value[i])
			return error_set(err, OP_MISSING_FIELD, row->name, "%s needs %s (%s)",
			        ops[op->kind].name, row->name, row->doc);
	}
	uint32_t count = op_tensors(op, tensors);
	for (uint32_t i = 0; i < count; i++) {
		if (tensors[i].elements > 1ull << 31)
			return error_set(err, OP_TOO_LARGE, tensors[i].name,
			        "%s would have %llu elements; at most 2147483648 (2^31) are "
			        "possible: "
			        "split the operator",
			        tensors[i].name, (unsigned long long)tensors[i].elements);
	}
	return 0;
}

/* Copies the next word of *text; false at the end. Words longer than the room are cut, and then
 * match nothing. */
static bool next_word(const char **text, char *word, size_t room)
{
	const char *p = *text;
	size_t length = 0;

	while (isspace((unsigned char)*p))
		p++;
	while (*p && !isspace((unsigned char)*p)) {
		if (length + 1 < room)
			word[length++] = *p;
		p++;
	}
	word[length] = '\0';
	*text = p;
	return length > 0;
}

int op_parse(const char *text, struct op *ret_op, struct error *err)
{
	char word[64];
	uint32_t seen = 0;
	struct op op;

	if (!next_word(&text, word, sizeof word))
		return error_set(err, OP_BAD_SYNTAX, "op",
		        "the operator is empty; write it as in 'matmul m=256 n=256 k=256'");
	int r = op_begin(word, &op, err);
	while (!r && next_word(&text, word, sizeof word)) {
		char *equals = strchr(word, '=');
		if (!equals || equals == word)
			return error_set(err, OP_BAD_SYNTAX, "op",
			        "'%.40s' is not of the form field=value", word);
		*equals = '\0';
		r = op_set_text(&op, &seen, word, equals + 1, err);
	}
	if (!r)
		r = op_validate(&op, err);
	if (!r)
		*ret_op = op;
	return r;
}

static int print_field(char *to, size_t room, const struct op_field *field, uint32_t value)
{
	switch (field->kind) {
	case FIELD_DTYPE:
		return snprintf(to, room, " %s=%s", field->name, dtype_names[value]);
	case FIELD_ACTIVATION:
		return snprintf(to, room, " %s=%s", field->name, activation_names[value]);
	default:
		return snprintf(to, room, " %s=%u", field->name, value);
	}
}

void op_print(const struct op *op, char text[static OP_TEXT_BYTES])
{
	int at = snprintf(text, OP_TEXT_BYTES, "%s", ops[op->kind].name);

	for (uint32_t i = 0; i < ops[op->kind].field_count; i++) {
		const struct op_field *row = &ops[op->kind].fields[i];
		if (op->value[i] != row->initial)
			at += print_field(text + at, OP_TEXT_BYTES - (size_t)at, row, op->value[i]);
	}
	assert(at < OP_TEXT_BYTES);
}

uint64_t op_key(const struct op *op)
{
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	return hash_mix(hash_bytes(HASH_SEED, text, strlen(text)));
}

/* ---- Tensors. */

static struct tensor *add_tensor(struct tensor *t, const char *name, uint32_t dtype, uint32_t batch,
        uint32_t rows, uint32_t columns)
{
	*t = (struct tensor){.name = name, .dtype = (enum dtype)dtype};
	if (batch > 1)
		t->shape[t->rank++] = batch;
	if (rows)
		t->shape[t->rank++] = rows;
	t->shape[t->rank++] = columns;
	t->elements = 1;
	for (uint32_t i = 0; i < t->rank; i++) /* saturates, so that a product cannot wrap */
		t->elements = t->elements > UINT32_MAX ? t->elements : t->elements * t->shape[i];
	return t + 1;
}

static uint32_t matmul_tensors(const uint32_t *v, struct tensor *first)
{
	uint32_t m = v[MATMUL_M], n = v[MATMUL_N], k = v[MATMUL_K], batch = v[MATMUL_BATCH];
	bool ta = v[MATMUL_TRANS_A], tb = v[MATMUL_TRANS_B];
	struct tensor *t = first;

	t = add_tensor(t, "a", v[MATMUL_A], batch, ta ? k : m, ta ? m : k);
	t = add_tensor(t, "b", v[MATMUL_B], batch, tb ? n : k, tb ? k : n);
	if (v[MATMUL_BIAS])
		t = add_tensor(t, "bias", v[MATMUL_OUT], 1, 0, n);
	if (v[MATMUL_RESIDUAL])
		t = add_tensor(t, "residual", v[MATMUL_OUT], batch, m, n);
	t = add_tensor(t, "out", v[MATMUL_OUT], batch, m, n);
	t[-1].output = true;
	return (uint32_t)(t - first);
}

uint32_t op_tensors(const struct op *op, struct tensor ret_tensors[static OP_TENSORS_MAX])
{
	switch (op->kind) {
	case OP_MATMUL:
		return matmul_tensors(op->value, ret_tensors);
	case OP_COUNT:
		break;
	}
	return 0;
}

double op_flops(const struct op *op)
{
	const uint32_t *v = op->value;

	return 2.0 * v[MATMUL_M] * v[MATMUL_N] * v[MATMUL_K] * v[MATMUL_BATCH];
}

double op_bytes(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	double bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += (double)tensors[i].elements * dtype_bytes(tensors[i].dtype);
	return bytes;
}
