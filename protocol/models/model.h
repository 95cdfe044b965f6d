/* SPDX-License-Identifier: Apache-2.0
 *
 * Model manifests: which operators a model's forward pass runs, on which shapes, how often. A
 * manifest is a JSON file of the models folder (protocol/models/README.md describes it); its shapes
 * are expressions over inputs (batch, seq, cache, ...) and named sizes, either of which may be
 * given other values before the operators are asked for.
 *
 * Errors: -ENOENT: there is no such model; -EINVAL: what was asked for does not do (err->field
 * names the value where one is at fault); -EBADMSG: the manifest itself is wrong; -ENOMEM. err
 * holds a sentence.
 */
#pragma once

#include "base/error.h"
#include "nnjit.h"

#include <jansson.h>

struct model;
/* DIR/NAME.json, with the values it states. */
int model_load(const char *dir, const char *name, struct model **ret_model, struct error *err);
/* The same from a manifest already read (borrowed). */
int model_read(json_t *manifest, struct model **ret_model, struct error *err);
void model_free(struct model *model); /* NULL is fine */
/* The names of a folder's manifests, sorted: an array, a new reference. */
int model_names(const char *dir, json_t **ret_names, struct error *err);

const char *model_name(const struct model *model);
const char *model_title(const struct model *model);
uint64_t model_parameters(const struct model *model);        /* the published count */
bool model_has(const struct model *model, const char *name); /* an input or a size */
/* Inputs, or sizes as they are now: an object of numbers, a new reference. */
int model_inputs(const struct model *model, json_t **ret_inputs, struct error *err);
int model_sizes(const struct model *model, json_t **ret_sizes, struct error *err);

/* Gives an input or a size another value; what is computed from it follows. */
int model_set(struct model *model, const char *name, uint64_t value, struct error *err);
/* Several: "hidden=64,layers=2". */
int model_set_all(struct model *model, const char *values, struct error *err);
/* Inputs that are not known until run time, with commas between: "seq,cache". A dimension that
 * contains one becomes dynamic where the operator allows it. */
int model_set_dynamic(struct model *model, const char *names, struct error *err);
/* f32; f16: all floats; q4, q4f16: linear layers with weights of 4 bits in blocks of 32, all else
 * as f32 or f16. */
int model_set_dtype(struct model *model, const char *dtype, struct error *err);
const char *model_dtype(const struct model *model);

#define MODEL_NAME_BYTES 128
struct model_op {
	struct op op;
	char text[OP_TEXT_BYTES];    /* canonical */
	char name[MODEL_NAME_BYTES]; /* what it is in the model; several with "; " between */
	uint64_t times;              /* a forward pass runs it, at least 1 */
	bool big;                    /* declared to pass a page's largest binding */
};
struct model_list {
	struct model_op *ops; /* distinct, in the order of the manifest */
	uint32_t count;
	uint64_t parameters; /* all weights counted, each once */
};
/* All operators with the values of now. model_list_free in any case but an error. */
int model_expand(const struct model *model, struct model_list *ret_list, struct error *err);
void model_list_free(struct model_list *list);
