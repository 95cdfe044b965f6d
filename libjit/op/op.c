/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors from text, driven by op.def. Knows what each field may hold by itself; what
 * fields demand of each other is validate.c's. Knows nothing of devices.
 */
#include "op/op.h"

#include "base/error.h"
#include "op/rows.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static_assert(OP_TENSORS_MAX <= 8, "what every page may bind");
#define OP(...)
#define FIELD(...)
#define END(name) static_assert(name##_VALUES <= OP_VALUES_MAX, "values fit");
#include "op/op.def"

int op_begin(const char *operator, struct op * ret_op, struct error *err)
{
	for (uint32_t kind = 0; kind < OP_COUNT; kind++) {
		if (strcmp(op_name((enum op_kind)kind), operator))
			continue;
		struct op op = {.kind = (enum op_kind)kind};
		for (uint32_t i = 0; op_field(op.kind, i); i++) {
			const struct op_field *field = op_field(op.kind, i);
			if (field_rank_max(field) == 0)
				for (uint32_t j = 0; j < field_width(field); j++)
					op.value[field->value + j] = field->initial;
		}
		*ret_op = op;
		return 0;
	}
	return error_set(err, OP_UNKNOWN_OPERATOR, "op",
	        "there is no operator '%.40s'; `nnjitctl help ops` lists those there are",
	        operator);
}

/* ---- Values from text. */

static int bad_value(
        struct error *err, const struct op_field *field, const char *text, const char *rule)
{
	return error_set(
	        err, OP_BAD_VALUE, field->name, "%s=%.40s: must be %s", field->name, text, rule);
}

/* Digits alone; *text ends behind them. */
static int take_number(const char **text, uint32_t least, uint32_t most, uint32_t *ret_value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return OP_BAD_VALUE;
	unsigned long long value = strtoull(*text, &end, 10);
	if (value < least || value > most)
		return OP_BAD_VALUE;
	*text = end;
	*ret_value = (uint32_t)value;
	return 0;
}

static uint32_t middle(uint32_t low, uint32_t high)
{
	uint32_t root = (uint32_t)sqrt((double)low * high);

	return root < low ? low : root > high ? high : root;
}

/* "?128" or "?64..4096", from the question mark on. */
static int take_dynamic(const char **text, struct op_dynamic *ret_dynamic, uint32_t *ret_hint)
{
	uint32_t low, high;

	++*text;
	if (take_number(text, 1, OP_DIM_MAX, &low))
		return OP_BAD_VALUE;
	if (strncmp(*text, "..", 2)) {
		*ret_dynamic = (struct op_dynamic){.low = 1};
		*ret_hint = low;
		return 0;
	}
	*text += 2;
	if (take_number(text, low, OP_DIM_MAX, &high))
		return OP_BAD_VALUE;
	*ret_dynamic = (struct op_dynamic){.low = low, .high = high};
	*ret_hint = middle(low, high);
	return 0;
}

/* Kept in the order of values, so that the numbering does not depend on the text's. */
static int add_dynamic(struct op *op, const struct op_dynamic *dynamic)
{
	uint32_t at = op->dynamic_count;

	if (at == OP_DYNAMIC_MAX)
		return OP_BAD_VALUE;
	op->dynamic_count++;
	for (; at > 0 && op->dynamic[at - 1].value > dynamic->value; at--)
		op->dynamic[at] = op->dynamic[at - 1];
	op->dynamic[at] = *dynamic;
	return 0;
}

static int take_dim(struct op *op, const char **text, uint32_t at)
{
	struct op_dynamic dynamic;

	if (**text != '?')
		return take_number(text, 1, OP_DIM_MAX, &op->value[at]);
	if (take_dynamic(text, &dynamic, &op->value[at]))
		return OP_BAD_VALUE;
	dynamic.value = at;
	return add_dynamic(op, &dynamic);
}

static int parse_dim(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	const char *end = text;

	if (!take_dim(op, &end, field->value) && !*end)
		return 0;
	return bad_value(err, field, text,
	        op->dynamic_count == OP_DYNAMIC_MAX
	                ? "a number: at most 4 dimensions may be dynamic"
	                : "a whole number from 1 to 67108864, or dynamic: ?128, ?64..4096");
}

/* Of kinds whose values are whole numbers. */
static const struct range {
	uint32_t least, most;
} ranges[] = {
        [FIELD_SIZE] = {1, OP_DIM_MAX},
        [FIELD_COUNT] = {0, OP_DIM_MAX},
        [FIELD_FLAG] = {0, 1},
};

static int parse_number(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	uint32_t least = ranges[field->kind].least, most = ranges[field->kind].most;
	const char *end = text;
	char rule[48];

	if (!take_number(&end, least, most, &op->value[field->value]) && !*end)
		return 0;
	snprintf(rule, sizeof rule, most == 1 ? "0 or 1" : "a whole number from %u to %u", least,
	        most);
	return bad_value(err, field, text, rule);
}

static int parse_float(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	char *end;
	float value = strtof(text, &end);

	if (end == text || *end || !isfinite(value) || (value == 0 && strtod(text, NULL) != 0))
		return bad_value(err, field, text, "a finite number within f32, as 0.125 or 1e-5");
	memcpy(&op->value[field->value], &value, sizeof value);
	return 0;
}

/* Whether it is whole is known once all fields are: see rule_number. */
static int parse_constant(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || isnan(value) || (isfinite(value) && !isfinite((float)value)) ||
	        (value != 0 && (float)value == 0))
		return bad_value(err, field, text, "a number within f32, as 0.125, 1e-5 or -inf");
	memcpy(&op->value[field->value], &value, sizeof value);
	return 0;
}

/* The index of `text` among names with commas between; -1 if it is none. */
static int index_of(const char *names, const char *text)
{
	size_t length = strlen(text);

	for (int i = 0;; i++) {
		size_t word = strcspn(names, ",");
		if (word == length && length && !memcmp(names, text, length))
			return i;
		if (!names[word])
			return -1;
		names += word + 1;
	}
}

static int parse_name(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	int index = index_of(field->rule, text);
	char rule[96];

	if (index < 0 && field->kind == FIELD_DTYPE && op_is_logic(op))
		return error_set(err, OP_BAD_VALUE, field->name,
		        "%s=%.40s: '%s' is for bool alone; leave %s out", field->name, text,
		        op_name(op->kind), field->name);
	if (index < 0) {
		snprintf(rule, sizeof rule, "one of %s", field->rule);
		return bad_value(err, field, text, rule);
	}
	if (field->kind == FIELD_DTYPE)
		for (index = 0; strcmp(dtype_name((enum dtype)index), text);)
			index++;
	op->value[field->value] = (uint32_t)index;
	return 0;
}

/* Numbers with commas between; returns how many, 0 for what is none. */
static uint32_t take_list(
        struct op *op, const struct op_field *field, const char *text, uint32_t most)
{
	uint32_t at = field->value + (field_rank_max(field) ? 1 : 0), count = 0;

	for (;;) {
		if (count == most)
			return 0;
		int bad = field->kind == FIELD_SHAPE
		                  ? take_dim(op, &text, at + count)
		                  : take_number(&text, 0, OP_DIM_MAX, &op->value[at + count]);
		if (bad)
			return 0;
		count++;
		if (!*text)
			return count;
		if (*text++ != ',')
			return 0;
	}
}

static int parse_ranked(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	uint32_t count = take_list(op, field, text, OP_RANK_MAX);

	if (!count)
		return bad_value(err, field, text,
		        field->kind == FIELD_SHAPE
		                ? "1 to 6 dimensions, each from 1 to 67108864, at most 4 "
		                  "dynamic, as 8,128,768 or ?8,128"
		                : "1 to 6 whole numbers up to 67108864, as 0,2,1");
	op->value[field->value] = count;
	return 0;
}

static int parse_pair(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	uint32_t *v = &op->value[field->value], count = take_list(op, field, text, 2);

	if (!count || (field->initial && (!v[0] || (count == 2 && !v[1]))))
		return bad_value(err, field, text, "one or two whole numbers, as 2 or 2,1");
	if (count == 1)
		v[1] = v[0];
	return 0;
}

static int parse_quad(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	uint32_t *v = &op->value[field->value], count = take_list(op, field, text, 4);

	if (!count || count == 3)
		return bad_value(
		        err, field, text, "one, two or four whole numbers, as 1 or 0,1,0,1");
	if (count == 1)
		v[1] = v[0];
	if (count <= 2) {
		v[2] = v[0];
		v[3] = v[1];
	}
	return 0;
}

/* The next word up to `separator`; false at the end or for what is too long to be a name. */
static bool next_name(const char **text, char separator, char word[static 24])
{
	size_t length = 0;

	while (**text && **text != separator && length < 23)
		word[length++] = *(*text)++;
	word[length] = '\0';
	if (**text && **text != separator)
		return false;
	if (**text && !*++*text) /* nothing follows the separator */
		return false;
	return length > 0;
}

static enum scalar scalar_of(const char *word)
{
	for (uint32_t i = SCALAR_END + 1; i < SCALAR_COUNT; i++)
		if (!strcmp(scalar_name((enum scalar)i), word))
			return (enum scalar)i;
	return SCALAR_END;
}

static int parse_scalars(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	bool acts = field->kind == FIELD_ACTS;
	uint32_t most = acts ? OP_ACTS_MAX : OP_STEPS_MAX, count = 0;
	const char *at = text;
	char word[24];

	memset(&op->value[field->value], 0, field_width(field) * sizeof *op->value);
	if (acts && !strcmp(text, "none"))
		return 0;
	do {
		enum scalar scalar = next_name(&at, acts ? '+' : ',', word) ? scalar_of(word)
		                                                            : SCALAR_END;
		if (!scalar || count == most || (acts && !scalar_is_activation(scalar)))
			return bad_value(err, field, text,
			        acts ? "none, or up to 4 functions of one number, as gelu or "
			               "relu+tanh"
			             : "up to 16 operands and functions, as x,y,add,gelu");
		op->value[field->value + count / 4] |= (uint32_t)scalar << 8 * (count % 4);
		count++;
	} while (*at);
	return 0;
}

static int parse_value(
        struct op *op, const struct op_field *field, const char *text, struct error *err)
{
	switch (field->kind) {
	case FIELD_DIM:
		return parse_dim(op, field, text, err);
	case FIELD_SIZE:
	case FIELD_COUNT:
	case FIELD_FLAG:
		return parse_number(op, field, text, err);
	case FIELD_FLOAT:
		return parse_float(op, field, text, err);
	case FIELD_NUMBER:
		return parse_constant(op, field, text, err);
	case FIELD_DTYPE:
	case FIELD_CHOICE:
		return parse_name(op, field, text, err);
	case FIELD_PAIR:
		return parse_pair(op, field, text, err);
	case FIELD_QUAD:
		return parse_quad(op, field, text, err);
	case FIELD_SHAPE:
	case FIELD_LIST:
		return parse_ranked(op, field, text, err);
	case FIELD_ACTS:
	case FIELD_STEPS:
		return parse_scalars(op, field, text, err);
	}
	return OP_BAD_VALUE;
}

int op_set_text(
        struct op *op, uint32_t *seen, const char *field, const char *value, struct error *err)
{
	for (uint32_t i = 0; op_field(op->kind, i); i++) {
		const struct op_field *row = op_field(op->kind, i);

		if (strcmp(row->name, field))
			continue;
		if (*seen & 1u << i)
			return error_set(err, OP_DUPLICATE_FIELD, row->name,
			        "%s is given twice; give it once", row->name);
		struct op changed = *op;
		int r = parse_value(&changed, row, value, err);
		if (r)
			return r;
		*seen |= 1u << i;
		*op = changed;
		return 0;
	}
	return error_set(err, OP_UNKNOWN_FIELD, field,
	        "%s has no field '%.31s'; see `nnjitctl help ops`", op_name(op->kind), field);
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
	char word[OP_TEXT_BYTES];
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
