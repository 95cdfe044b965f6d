/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators as clients write them: text, or an object with a member for each field. Every member
 * becomes the text that op_set_text reads, so the two spellings cannot come to differ; and what a
 * field takes is said here from its row, for help and OpenAPI. Knows no operator by name.
 */
#include "protocol/params.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int op_problem(int refusal, const struct error *err, struct problem *ret_problem)
{
	static const enum problem_code codes[] = {
	        [OP_BAD_SYNTAX] = PROBLEM_BAD_SYNTAX,
	        [OP_UNKNOWN_OPERATOR] = PROBLEM_UNKNOWN_OPERATOR,
	        [OP_UNKNOWN_FIELD] = PROBLEM_UNKNOWN_FIELD,
	        [OP_DUPLICATE_FIELD] = PROBLEM_DUPLICATE_FIELD,
	        [OP_MISSING_FIELD] = PROBLEM_MISSING_FIELD,
	        [OP_BAD_VALUE] = PROBLEM_BAD_VALUE,
	        [OP_TOO_LARGE] = PROBLEM_TOO_LARGE,
	};

	if (refusal < 0 || refusal >= (int)(sizeof codes / sizeof *codes))
		return problem_set(ret_problem, PROBLEM_INTERNAL, "",
		        "the operator could not be read: %s", strerror(abs(refusal)));
	return problem_set(ret_problem, codes[refusal], err->field, "%s", err->text);
}

/* ---- Members as text. */

static const struct op_field *find_field(enum op_kind kind, const char *name)
{
	const struct op_field *field;
	uint32_t i = 0;

	while ((field = op_field(kind, i)) && strcmp(field->name, name))
		i++;
	return field;
}

/* Kinds that are lists stand last. */
static bool takes_array(const struct op_field *field)
{
	return field->kind >= FIELD_PAIR;
}

/* Appends one value; false for what no field can be. */
static bool put_value(struct buffer *text, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		buffer_puts(text, json_string_value(value));
		return true;
	case JSON_INTEGER:
		buffer_printf(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return true;
	case JSON_REAL:
		buffer_printf(text, "%.17g", json_real_value(value));
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
		buffer_putc(text, json_is_true(value) ? '1' : '0');
		return true;
	default:
		return false;
	}
}

static bool put_array(struct buffer *text, const json_t *array, const struct op_field *field)
{
	bool acts = field->kind == FIELD_ACTS;
	const json_t *value;
	size_t i;

	if (acts && !json_array_size(array))
		buffer_puts(text, "none");
	json_array_foreach(array, i, value)
	{
		if (i)
			buffer_putc(text, acts ? '+' : ',');
		if (!put_value(text, value))
			return false;
	}
	return true;
}

/* field NULL: one that nobody knows, which op_set_text refuses by name. */
static bool field_text(struct buffer *text, const json_t *value, const struct op_field *field)
{
	buffer_clear(text);
	buffer_puts(text, "");
	if (!field)
		return true;
	if (json_is_array(value) && takes_array(field))
		return put_array(text, value, field);
	return put_value(text, value);
}

static int refuse_member(
        const char *name, const struct op_field *field, struct problem *ret_problem)
{
	char takes[PROTOCOL_TAKES_BYTES];

	protocol_field_takes(field, takes);
	return problem_set(ret_problem, PROBLEM_BAD_VALUE, name, "field '%.40s' must be %s%s", name,
	        takes, takes_array(field) ? "; or an array of them" : "");
}

static int set_fields(const json_t *object, struct op *op, struct problem *ret_problem)
{
	AUTO(buffer_free) struct buffer text = {0};
	struct error err = {0};
	uint32_t seen = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		const struct op_field *field = find_field(op->kind, name);
		if (!strcmp(name, "op"))
			continue;
		if (!field_text(&text, value, field))
			return refuse_member(name, field, ret_problem);
		if (text.failed)
			return problem_set(ret_problem, PROBLEM_INTERNAL, name, "out of memory");
		int refusal = op_set_text(op, &seen, name, text.data, &err);
		if (refusal)
			return op_problem(refusal, &err, ret_problem);
	}
	return 0;
}

static int op_from_object(const json_t *object, struct op *ret_op, struct problem *ret_problem)
{
	const char *name = json_string_value(json_object_get(object, "op"));
	struct error err = {0};
	struct op op;

	if (!name)
		return problem_set(ret_problem, PROBLEM_MISSING_FIELD, "op",
		        "an operator object needs \"op\", its name as text");
	int refusal = op_begin(name, &op, &err);
	if (refusal)
		return op_problem(refusal, &err, ret_problem);
	int answer = set_fields(object, &op, ret_problem);
	if (answer)
		return answer;
	refusal = op_validate(&op, &err);
	if (refusal)
		return op_problem(refusal, &err, ret_problem);
	*ret_op = op;
	return 0;
}

int protocol_op(const json_t *value, struct op *ret_op, struct problem *ret_problem)
{
	struct error err = {0};

	if (json_is_object(value))
		return op_from_object(value, ret_op, ret_problem);
	if (!json_is_string(value))
		return problem_set(
		        ret_problem, PROBLEM_BAD_VALUE, "op", "an operator is text or an object");
	if (strlen(json_string_value(value)) != json_string_length(value))
		return problem_set(ret_problem, PROBLEM_BAD_SYNTAX, "op",
		        "an operator's text may not hold a NUL character");
	int refusal = op_parse(json_string_value(value), ret_op, &err);
	return refusal ? op_problem(refusal, &err, ret_problem) : 0;
}

/* ---- Fields for people and tools. */

void protocol_field_takes(const struct op_field *field, char text[static PROTOCOL_TAKES_BYTES])
{
	static const char *const takes[] = {
	        [FIELD_DIM] = "a whole number from 1 to 67108864, or dynamic: ?128, ?64..4096",
	        [FIELD_SIZE] = "a whole number from 1 to 67108864",
	        [FIELD_COUNT] = "a whole number from 0 to 67108864",
	        [FIELD_FLAG] = "0 or 1",
	        [FIELD_FLOAT] = "a finite number, as 0.125",
	        [FIELD_NUMBER] = "a number, as 0.125, or as text -inf",
	        [FIELD_DTYPE] = "one of ",
	        [FIELD_CHOICE] = "one of ",
	        [FIELD_PAIR] = "one or two whole numbers, as 2 or 2,1",
	        [FIELD_QUAD] = "one, two or four whole numbers, as 1 or 0,1,0,1",
	        [FIELD_SHAPE] = "1 to 6 dimensions, as 8,?128,768",
	        [FIELD_LIST] = "1 to 6 whole numbers, as 0,2,1",
	        [FIELD_ACTS] = "none, or up to 4 functions of one number, as gelu or relu+tanh",
	        [FIELD_STEPS] = "up to 16 operands and functions, as x,y,add,gelu",
	};

	snprintf(text, PROTOCOL_TAKES_BYTES, "%s%s", takes[field->kind], field->rule);
}

bool protocol_field_required(const struct op_field *field)
{
	return !field->initial && (field->kind == FIELD_DIM || field->kind == FIELD_SIZE ||
	                                  field->kind == FIELD_SHAPE || field->kind == FIELD_STEPS);
}

/* The JSON types each kind may come as; numbers and flags may also be text. */
static json_t *types_json(enum op_field_kind kind)
{
	switch (kind) {
	case FIELD_FLAG:
		return json_pack("[s,s]", "integer", "boolean");
	case FIELD_DIM:
	case FIELD_SIZE:
	case FIELD_COUNT:
		return json_pack("[s,s]", "integer", "string");
	case FIELD_FLOAT:
	case FIELD_NUMBER:
		return json_pack("[s,s]", "number", "string");
	case FIELD_DTYPE:
	case FIELD_CHOICE:
		return json_string("string");
	case FIELD_PAIR:
	case FIELD_QUAD:
	case FIELD_SHAPE:
	case FIELD_LIST:
		return json_pack("[s,s,s]", "array", "string", "integer");
	case FIELD_ACTS:
	case FIELD_STEPS:
		return json_pack("[s,s]", "array", "string");
	}
	return NULL;
}

static json_t *names_json(const char *names)
{
	json_t *array = json_array();

	while (*names) {
		size_t length = strcspn(names, ",");
		json_array_append_new(array, json_stringn(names, length));
		names += length + (names[length] == ',');
	}
	return array;
}

static json_t *field_json(const struct op_field *field)
{
	char takes[PROTOCOL_TAKES_BYTES], text[PROTOCOL_TAKES_BYTES + 256];

	protocol_field_takes(field, takes);
	snprintf(text, sizeof text, "%s%s%s", field->doc, *field->doc ? "; " : "", takes);
	json_t *object = json_pack(
	        "{s:o,s:s}", "type", types_json(field->kind), "description", text);
	if (*field->rule)
		json_object_set_new(object, "enum", names_json(field->rule));
	return object;
}

json_t *operator_schema(enum op_kind kind)
{
	json_t *members = json_pack("{s:{s:s}}", "op", "const", op_name(kind));
	json_t *required = json_pack("[s]", "op");
	const struct op_field *field;

	for (uint32_t i = 0; (field = op_field(kind, i)); i++) {
		json_object_set_new(members, field->name, field_json(field));
		if (protocol_field_required(field))
			json_array_append_new(required, json_string(field->name));
	}
	return json_pack("{s:s,s:s,s:o,s:o,s:b}", "type", "object", "description", op_doc(kind),
	        "properties", members, "required", required, "additionalProperties", 0);
}
