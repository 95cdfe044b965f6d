/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the OpenAPI document (OpenAPI Specification 3.1). Says nothing that the tables do not:
 * parameters, answers and operators are schemas made from their rows.
 */
#include "protocol/openapi.h"

#include "protocol/answers.h"
#include "protocol/params.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static json_t *schema_of(enum param_kind kind)
{
	switch (kind) {
	case PARAM_NUMBER:
		return json_pack("{s:s}", "type", "number");
	case PARAM_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case PARAM_OP:
		return json_pack(
		        "{s:s,s:s}", "type", "string", "example", "matmul m=256 n=256 k=256");
	case PARAM_TARGET:
		return json_pack("{s:s,s:[s,s],s:s}", "type", "string", "enum", "wgsl", "spirv",
		        "default", "wgsl");
	default:
		return json_pack("{s:s}", "type", "string");
	}
}

static json_t *parameters_json(enum method method)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < method_param_count; i++) {
		const struct method_param *param = &method_params[i];
		if (param->method != method)
			continue;
		json_array_append_new(
		        array, json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", param->name, "in",
		                       "query", "required", param->required, "description",
		                       param->doc, "schema", schema_of(param->kind)));
	}
	return array;
}

/* ---- Answers. */

#define SCHEMA_PATH_BYTES 80

static json_t *reference(const char *name)
{
	char path[SCHEMA_PATH_BYTES];

	snprintf(path, sizeof path, "#/components/schemas/%s", name);
	return json_pack("{s:s}", "$ref", path);
}

static json_t *kind_schema(enum answer_kind kind)
{
	static const char *const types[] = {[ANSWER_TEXT] = "string",
	        [ANSWER_WHOLE] = "integer",
	        [ANSWER_NUMBER] = "number",
	        [ANSWER_BOOL] = "boolean",
	        [ANSWER_OBJECT] = "object"};

	return kind < sizeof types / sizeof *types ? json_pack("{s:s}", "type", types[kind])
	                                           : reference(answer_infos[kind].name);
}

static json_t *or_null(json_t *schema)
{
	return json_pack("{s:[o,{s:s}]}", "anyOf", schema, "type", "null");
}

static json_t *list_schema(json_t *items)
{
	return json_pack("{s:s,s:o}", "type", "array", "items", items);
}

static json_t *triple_schema(json_t *items)
{
	return json_pack(
	        "{s:s,s:o,s:i,s:i}", "type", "array", "items", items, "minItems", 3, "maxItems", 3);
}

static json_t *shape_schema(enum answer_shape shape, json_t *one)
{
	switch (shape) {
	case SHAPE_ONE:
		return one;
	case SHAPE_LIST:
		return list_schema(one);
	case SHAPE_NULLS:
		return list_schema(or_null(one));
	case SHAPE_TRIPLE:
		return triple_schema(one);
	case SHAPE_TRIPLES:
		return list_schema(triple_schema(one));
	case SHAPE_MAP:
		return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", one);
	}
	return one;
}

static json_t *member_schema(const struct answer_member *member)
{
	json_t *schema = shape_schema(member->shape, kind_schema(member->kind));

	if (member->when == WHEN_NULLABLE)
		schema = or_null(schema);
	json_object_set_new(schema, "description", json_string(member->doc));
	return schema;
}

static json_t *object_schema(enum answer_kind type)
{
	json_t *members = json_object(), *required = json_array();

	for (uint32_t i = 0; i < answer_member_count; i++) {
		const struct answer_member *member = &answer_members[i];
		if (member->of != type)
			continue;
		json_object_set_new(members, member->name, member_schema(member));
		if (member->when != WHEN_SOMETIMES)
			json_array_append_new(required, json_string(member->name));
	}
	return json_pack(
	        "{s:s,s:o,s:o}", "type", "object", "properties", members, "required", required);
}

/* The words of a list with | between. */
static json_t *words_json(const char *words)
{
	json_t *array = json_array();

	while (*words) {
		size_t length = strcspn(words, "|");
		json_array_append_new(array, json_stringn(words, length));
		words += length + (words[length] == '|');
	}
	return array;
}

/* A schema for each choice and type that has a name. */
static void add_types(json_t *schemas)
{
	for (enum answer_kind kind = 0; kind < ANSWER_KIND_COUNT; kind++) {
		const struct answer_info *info = &answer_infos[kind];
		if (!info->name)
			continue;
		json_t *schema = info->words ? json_pack("{s:s,s:o}", "type", "string", "enum",
		                                       words_json(info->words))
		                             : object_schema(kind);
		json_object_set_new(schema, "description", json_string(info->doc));
		json_object_set_new(schemas, info->name, schema);
	}
}

static json_t *answer_schema(enum method method)
{
	enum answer_kind types[ANSWER_TYPES_MAX];
	json_t *any = json_array();

	answer_types(method, types);
	for (const enum answer_kind *type = types; *type != ANSWER_KIND_COUNT; type++)
		json_array_append_new(any, answer_infos[*type].name
		                                   ? reference(answer_infos[*type].name)
		                                   : object_schema(*type));
	if (json_array_size(any) > 1)
		return json_pack("{s:o}", "oneOf", any);
	json_t *one = json_incref(json_array_get(any, 0));
	json_decref(any);
	return one;
}

/* A kernel may be asked for as its bare code, too. */
static json_t *content_json(enum method method)
{
	json_t *content = json_pack(
	        "{s:{s:o}}", "application/json", "schema", answer_schema(method));

	if (method != METHOD_KERNEL)
		return content;
	json_object_set_new(
	        content, "text/wgsl", json_pack("{s:{s:s}}", "schema", "type", "string"));
	json_object_set_new(content, "application/octet-stream",
	        json_pack("{s:{s:s,s:s}}", "schema", "type", "string", "format", "binary"));
	return content;
}

/* ---- Methods. */

static json_t *operation_json(enum method method)
{
	const char *id = methods[method].name ? methods[method].name : methods[method].path + 4;

	return json_pack("{s:s,s:s,s:o,s:{s:{s:s,s:o},s:{s:s}}}", "operationId", id, "summary",
	        methods[method].doc, "parameters", parameters_json(method), "responses", "200",
	        "description", "As asked", "content", content_json(method), "default", "$ref",
	        "#/components/responses/Problem");
}

static json_t *paths_json(void)
{
	json_t *paths = json_object();

	for (enum method m = 0; m < METHOD_COUNT; m++) {
		char verb[8] = "";
		if (!methods[m].path)
			continue;
		for (size_t i = 0; methods[m].verb[i] && i < sizeof verb - 1; i++)
			verb[i] = (char)tolower((unsigned char)methods[m].verb[i]);
		json_object_set_new(
		        paths, methods[m].path, json_pack("{s:o}", verb, operation_json(m)));
	}
	return paths;
}

static json_t *codes_json(void)
{
	json_t *codes = json_array();
#define PROBLEM(name, code, ...) json_array_append_new(codes, json_string(code));
#include "protocol/errors.def"
	return codes;
}

/* Schema `op.NAME` for each operator, and `Operator`: any of them, or text. */
static void add_operators(json_t *schemas)
{
	json_t *any = json_array();
	char name[48];

	json_array_append_new(
	        any, json_pack("{s:s,s:s}", "type", "string", "description",
	                     "name and fields: matmul m=256 n=256 k=256; over REST always this"));
	for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
		snprintf(name, sizeof name, "op.%s", op_name(kind));
		json_object_set_new(schemas, name, operator_schema(kind));
		json_array_append_new(any, reference(name));
	}
	json_object_set_new(schemas, "Operator", json_pack("{s:o}", "oneOf", any));
}

static json_t *components_json(void)
{
	json_t *schemas = json_object();

	add_types(schemas);
	json_t *problem = json_object_get(json_object_get(schemas, "Problem"), "properties");
	json_object_set_new(json_object_get(problem, "code"), "enum", codes_json());
	add_operators(schemas);
	return json_pack("{s:o,s:{s:{s:s,s:{s:{s:{s:s}}}}}}", "schemas", schemas, "responses",
	        "Problem", "description", "Refused or failed (RFC 9457)", "content",
	        "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
}

json_t *openapi_json(const char *version)
{
	return json_pack("{s:s,s:{s:s,s:s,s:s},s:o,s:o}", "openapi", "3.1.0", "info", "title",
	        "nnjitd", "description",
	        "Kernels tuned on this machine for its own GPUs. Improvements are pushed over the "
	        "WebSocket at /v1/ws, subprotocol nnjit.v1.",
	        "version", version, "paths", paths_json(), "components", components_json());
}
