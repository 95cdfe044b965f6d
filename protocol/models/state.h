/* SPDX-License-Identifier: Apache-2.0
 *
 * Within protocol: a manifest in memory, for model.c, which reads it and sets its values, and
 * expand.c, which makes operators of it. What stands in `manifest` has been checked: members,
 * their types, names without doubles.
 */
#pragma once

#include "protocol/models/expression.h"
#include "protocol/models/model.h"

#define MODEL_VALUES_MAX 48 /* inputs and sizes of a model */

struct model_value {
	const char *name;     /* the manifest's */
	const json_t *stated; /* a number or an expression over those before it */
	uint64_t set;         /* instead, where `given` */
	bool given, input, dynamic;
};
struct model {
	json_t *manifest;
	const char *name;
	struct model_value values[MODEL_VALUES_MAX]; /* inputs first */
	uint32_t count;
	uint32_t dtype; /* index in model_dtypes */
};
struct model_dtype {
	const char *name;
	bool half, quantised;
};
extern const struct model_dtype model_dtypes[];

/* The values of all names, computed. */
struct model_scope {
	const struct model *model;
	struct expression_name known[MODEL_VALUES_MAX];
	struct expression_names names;
};
int model_scope_fill(const struct model *model, struct model_scope *ret_scope, struct error *err);
/* What a manifest states. */
struct model_stated {
	const char *whose;   /* for a sentence: the name of the row or the value */
	const json_t *value; /* a number or an expression; NULL: nothing */
	uint64_t otherwise;  /* what nothing means */
};
int model_number(const struct model_scope *scope, const struct model_stated *stated,
        uint64_t *ret_number, struct error *err);
