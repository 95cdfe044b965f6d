/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the protocol and what reads them: method and problem look-up, and the check of
 * parameters against their rows. Parameters that came over REST are text, so a number or a flag is
 * taken in that form too. Every refusal leaves here as a problem whose sentence says what to do.
 */
#include "protocol/protocol.h"

#include "protocol/params.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct method_info methods[METHOD_COUNT] = {
#define METHOD(id, function, name, verb, path, caller, doc) \
	[METHOD_##id] = {name, verb, path, CALLER_##caller, doc},
#include "protocol/methods.def"
};

const struct method_param method_params[] = {
#define PARAM(method, name, kind, required, doc) \
	{METHOD_##method, name, PARAM_##kind, required, doc},
#include "protocol/methods.def"
};
const uint32_t method_param_count = sizeof method_params / sizeof *method_params;

/* Names that answer until 1.0. */
const struct former_name former_names[] = {
#define FORMER_NAME(method, name)          {METHOD_##method, name, NULL},
#define FORMER_PARAM(method, former, name) {METHOD_##method, former, name},
#include "protocol/methods.def"
};
const uint32_t former_name_count = sizeof former_names / sizeof *former_names;

static const struct problem_info {
	const char *code;
	uint32_t status;
	const char *title;
} problems[PROBLEM_COUNT] = {
        [PROBLEM_NONE] = {"none", 200, "Nothing is wrong"},
#define PROBLEM(name, code, status, title, doc) [PROBLEM_##name] = {code, status, title},
#include "protocol/errors.def"
};

enum method method_by_name(const char *name)
{
	for (enum method m = 0; m < METHOD_COUNT; m++)
		if (methods[m].name && !strcmp(methods[m].name, name))
			return m;
	for (uint32_t i = 0; i < former_name_count; i++)
		if (!former_names[i].param && !strcmp(former_names[i].former, name))
			return former_names[i].method;
	return METHOD_COUNT;
}

enum method method_by_path(const char *path)
{
	for (enum method m = 0; m < METHOD_COUNT; m++)
		if (methods[m].path && !strcmp(methods[m].path, path))
			return m;
	return METHOD_COUNT;
}

const struct method_param *method_param_find(enum method method, const char *name)
{
	for (uint32_t i = 0; i < method_param_count; i++)
		if (method_params[i].method == method && !strcmp(method_params[i].name, name))
			return &method_params[i];
	return NULL;
}

/* The present name of a parameter; `name` itself if it never had another. */
static const char *present_name(enum method method, const char *name)
{
	for (uint32_t i = 0; i < former_name_count; i++)
		if (former_names[i].method == method && former_names[i].param &&
		        !strcmp(former_names[i].former, name))
			return former_names[i].param;
	return name;
}

bool method_takes(enum method method, const char *name)
{
	return method_param_find(method, present_name(method, name));
}

int problem_set(
        struct problem *problem, enum problem_code code, const char *field, const char *format, ...)
{
	va_list args;

	problem->code = code;
	snprintf(problem->field, sizeof problem->field, "%s", field);
	va_start(args, format);
	vsnprintf(problem->detail, sizeof problem->detail, format, args);
	va_end(args);
	return (int)code;
}

uint32_t problem_status(enum problem_code code)
{
	return problems[code].status;
}

/* A detail may quote what the client sent: bytes that are not UTF-8 would make no JSON. */
static json_t *text_json(const char *text)
{
	json_t *value = json_string(text);

	if (value)
		return value;
	char ascii[sizeof((struct problem *)0)->detail];
	size_t i = 0;
	for (; text[i] && i < sizeof ascii - 1; i++)
		ascii[i] = (unsigned char)text[i] < 128 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

json_t *problem_json(const struct problem *problem)
{
	const struct problem_info *info = &problems[problem->code];
	json_t *object = json_object();
	char type[64];

	snprintf(type, sizeof type, "urn:nnjit:problem:%s", info->code);
	json_object_set_new(object, "type", json_string(type));
	json_object_set_new(object, "title", json_string(info->title));
	json_object_set_new(object, "status", json_integer(info->status));
	json_object_set_new(object, "code", json_string(info->code));
	if (*problem->field)
		json_object_set_new(object, "field", text_json(problem->field));
	json_object_set_new(object, "detail", text_json(problem->detail));
	return object;
}

static bool is_number(const json_t *value)
{
	if (json_is_number(value))
		return true;
	const char *text = json_string_value(value);
	if (!text || !(isdigit((unsigned char)*text) || *text == '-'))
		return false;
	char *end;
	strtod(text, &end);
	return end != text && !*end;
}

static bool is_bool(const json_t *value)
{
	static const char *const words[] = {"0", "1", "true", "false"};

	if (json_is_boolean(value))
		return true;
	if (json_is_integer(value))
		return json_integer_value(value) == 0 || json_integer_value(value) == 1;
	for (size_t i = 0; json_is_string(value) && i < sizeof words / sizeof *words; i++)
		if (!strcmp(json_string_value(value), words[i]))
			return true;
	return false;
}

static bool is_target(const json_t *value)
{
	return json_is_string(value) && target_by_name(json_string_value(value)) != TARGET_COUNT;
}

/* NULL if the value is of the kind, otherwise what it must be. */
static const char *kind_refusal(enum param_kind kind, const json_t *value)
{
	switch (kind) {
	case PARAM_OP:
		return json_is_string(value) || json_is_object(value)
		               ? NULL
		               : "an operator: text as 'matmul m=256 n=256 k=256', or an object "
		                 "with "
		                 "\"op\" and the fields";
	case PARAM_TEXT:
	case PARAM_DEVICE:
		return json_is_string(value) ? NULL : "text";
	case PARAM_TARGET:
		return is_target(value) ? NULL : "wgsl or spirv";
	case PARAM_NUMBER:
		return is_number(value) ? NULL : "a number";
	case PARAM_BOOL:
		return is_bool(value) ? NULL : "true or false";
	case PARAM_OBJECT:
		return json_is_object(value) ? NULL : "an object";
	case PARAM_LIST:
		return json_is_array(value) ? NULL : "an array";
	case PARAM_OPS:
		return json_is_array(value) || json_is_string(value) ? NULL
		                                                     : "an array of operators";
	}
	return "of a kind this method knows";
}

static int unknown_param(enum method method, const char *name, struct problem *ret_problem)
{
	char known[160] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < method_param_count; i++) {
		if (method_params[i].method != method || at >= sizeof known)
			continue;
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "",
		        method_params[i].name);
	}
	const char *label = methods[method].name ? methods[method].name : methods[method].path;
	if (!*known)
		return problem_set(ret_problem, PROBLEM_UNKNOWN_FIELD, name,
		        "%s takes no parameters, '%.40s' was given; leave it out", label, name);
	return problem_set(ret_problem, PROBLEM_UNKNOWN_FIELD, name,
	        "%s has no parameter '%.40s'; it takes %s", label, name, known);
}

/* Adds the parameter under its present name. */
static int take_param(enum method method, const char *name, json_t *value, json_t *taken,
        struct problem *ret_problem)
{
	const char *present = present_name(method, name);
	const struct method_param *param = method_param_find(method, present);

	if (!param)
		return unknown_param(method, name, ret_problem);
	const char *must = kind_refusal(param->kind, value);
	if (must)
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, name,
		        "parameter '%s' must be %s", name, must);
	if (json_object_get(taken, present))
		return problem_set(ret_problem, PROBLEM_DUPLICATE_FIELD, present,
		        "parameter '%s' is given under a former name too; give it once", present);
	json_object_set(taken, present, value);
	return 0;
}

static int check_required(enum method method, const json_t *params, struct problem *ret_problem)
{
	for (uint32_t i = 0; i < method_param_count; i++) {
		const struct method_param *param = &method_params[i];
		if (param->method == method && param->required &&
		        !json_object_get(params, param->name))
			return problem_set(ret_problem, PROBLEM_MISSING_FIELD, param->name,
			        "parameter '%s' is missing; give %s", param->name, param->doc);
	}
	return 0;
}

int protocol_params(
        enum method method, const json_t *params, json_t **ret_params, struct problem *ret_problem)
{
	const char *name;
	json_t *value;

	if (params && !json_is_object(params))
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "params",
		        "params must be an object of parameters by name");
	json_t *taken = json_object();
	int answer = 0;
	json_object_foreach((json_t *)params, name, value)
	{
		answer = take_param(method, name, value, taken, ret_problem);
		if (answer)
			break;
	}
	if (!answer)
		answer = check_required(method, taken, ret_problem);
	if (answer)
		json_decref(taken);
	else
		*ret_params = taken;
	return answer;
}
