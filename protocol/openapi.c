/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the OpenAPI document (OpenAPI Specification 3.1). Says nothing that the tables do not,
 * but for the shapes of the two objects every client meets: the artifact and the problem.
 * Operators are schemas made from their rows.
 */
#include "protocol/openapi.h"

#include "protocol/params.h"

#include <ctype.h>
#include <stdio.h>

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

static json_t *content_json(enum method method)
{
	if (method != METHOD_KERNEL)
		return json_pack("{s:{s:{s:s}}}", "application/json", "schema", "type", "object");
	return json_pack("{s:{s:{s:s}},s:{s:{s:s}},s:{s:{s:s,s:s}}}", "application/json", "schema",
	        "$ref", "#/components/schemas/Kernel", "text/wgsl", "schema", "type", "string",
	        "application/octet-stream", "schema", "type", "string", "format", "binary");
}

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
#define PROBLEM(name, code, status, title) json_array_append_new(codes, json_string(code));
#include "protocol/errors.def"
	return codes;
}

static json_t *properties(const char *const names[][2], size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++)
		json_object_set_new(object, names[i][0], json_pack("{s:s}", "type", names[i][1]));
	return json_pack("{s:s,s:o}", "type", "object", "properties", object);
}

static json_t *kernel_schema(void)
{
	static const char *const members[][2] = {{"op", "string"}, {"key", "string"},
	        {"device", "string"}, {"target", "string"}, {"profile", "string"},
	        {"code", "string"}, {"entry_point", "string"}, {"workgroup_size", "array"},
	        {"workgroups", "array"}, {"bindings", "array"}, {"dimensions", "array"},
	        {"dispatch", "array"}, {"required_features", "array"},
	        {"required_language_features", "array"}, {"required_limits", "object"},
	        {"schedule", "string"}, {"status", "string"}, {"progress", "object"},
	        {"timing", "object"}, {"verified", "object"}, {"prepare", "array"}};

	return properties(members, sizeof members / sizeof *members);
}

static json_t *problem_schema(void)
{
	static const char *const members[][2] = {{"type", "string"}, {"title", "string"},
	        {"status", "integer"}, {"field", "string"}, {"detail", "string"}};
	json_t *schema = properties(members, sizeof members / sizeof *members);

	json_object_set_new(json_object_get(schema, "properties"), "code",
	        json_pack("{s:s,s:o}", "type", "string", "enum", codes_json()));
	return schema;
}

/* Schema `op.NAME` for each operator, and `Operator`: any of them, or text. */
static void add_operators(json_t *schemas)
{
	json_t *any = json_array();
	char name[48], path[80];

	json_array_append_new(
	        any, json_pack("{s:s,s:s}", "type", "string", "description",
	                     "name and fields: matmul m=256 n=256 k=256; over REST always this"));
	for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
		snprintf(name, sizeof name, "op.%s", op_name(kind));
		snprintf(path, sizeof path, "#/components/schemas/%s", name);
		json_object_set_new(schemas, name, operator_schema(kind));
		json_array_append_new(any, json_pack("{s:s}", "$ref", path));
	}
	json_object_set_new(schemas, "Operator", json_pack("{s:o}", "oneOf", any));
}

static json_t *components_json(void)
{
	json_t *schemas = json_pack(
	        "{s:o,s:o}", "Kernel", kernel_schema(), "Problem", problem_schema());

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
