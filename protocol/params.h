/* SPDX-License-Identifier: Apache-2.0
 *
 * The PARAM rows of methods.def as data, and operators as schemas, for this room's checker and
 * OpenAPI writer.
 */
#pragma once

#include "protocol/protocol.h"

enum param_kind {
	PARAM_OP,
	PARAM_TEXT,
	PARAM_DEVICE,
	PARAM_TARGET,
	PARAM_NUMBER,
	PARAM_BOOL,
	PARAM_OBJECT,
	PARAM_LIST,
	PARAM_OPS,
};

struct method_param {
	enum method method;
	const char *name;
	enum param_kind kind;
	bool required;
	const char *doc;
};
extern const struct method_param method_params[];
extern const uint32_t method_param_count;

/* A method (param NULL) or a parameter under the name that it had. */
struct former_name {
	enum method method;
	const char *former, *param;
};
extern const struct former_name former_names[];
extern const uint32_t former_name_count;

/* The row of this present name, or NULL. */
const struct method_param *method_param_find(enum method method, const char *name);

/* An operator as JSON Schema: a member for each field (operator.c). */
json_t *operator_schema(enum op_kind kind);
