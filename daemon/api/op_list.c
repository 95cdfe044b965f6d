/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads requests about many operators. Everything is read before anything is done about it, so
 * that a request with a mistake does nothing.
 */
#include "daemon/api/op_list.h"

#include "base/cleanup.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- The model. */

static int model_problem(int code, const struct error *err, struct problem *ret_problem)
{
	enum problem_code problem = code == -ENOENT   ? PROBLEM_UNKNOWN_MODEL
	                            : code == -EINVAL ? PROBLEM_BAD_VALUE
	                                              : PROBLEM_INTERNAL;

	return problem_set(ret_problem, problem, err->field, "%s", err->text);
}

static const char *const inputs[] = {"batch", "seq", "target_seq", "cache"};
static const char *const settings[] = {"sizes", "dynamic", "dtype"};
#define INPUTS   (sizeof inputs / sizeof *inputs)
#define SETTINGS (sizeof settings / sizeof *settings)

static int set_inputs(const struct request *request, struct model *model, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < INPUTS; i++) {
		double value = request_number(request, inputs[i]);
		if (!json_object_get(request->params, inputs[i]))
			continue;
		if (value < 0 || value > OP_DIM_MAX || value != floor(value))
			return error_set(err, -EINVAL, inputs[i],
			        "%s must be a whole number from 0 to %u", inputs[i], OP_DIM_MAX);
		r = model_set(model, inputs[i], (uint64_t)value, err);
	}
	return r;
}

static int set_all(const struct request *request, struct model *model, struct error *err)
{
	static int (*const set[SETTINGS])(struct model *, const char *, struct error *) = {
	        model_set_all, model_set_dynamic, model_set_dtype};
	int r = set_inputs(request, model, err);

	for (size_t i = 0; !r && i < SETTINGS; i++)
		if (request_text(request, settings[i]))
			r = set[i](model, request_text(request, settings[i]), err);
	return r;
}

/* What belongs to a model says nothing of a list. */
static int no_model(const struct request *request, struct problem *ret_problem)
{
	for (size_t i = 0; i < INPUTS + SETTINGS; i++) {
		const char *name = i < INPUTS ? inputs[i] : settings[i - INPUTS];
		if (json_object_get(request->params, name))
			return problem_set(ret_problem, PROBLEM_BAD_VALUE, name,
			        "%s belongs to a model; give `model` instead of `ops`", name);
	}
	return 0;
}

static int read_model(
        const struct request *request, struct model **ret_model, struct problem *ret_problem)
{
	const char *name = request_text(request, "model");
	struct model *model = NULL;
	struct error err = {0};

	if (!name) {
		*ret_model = NULL;
		return no_model(request, ret_problem);
	}
	if (json_object_get(request->params, "ops"))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "ops",
		        "give a model or a list of operators, not both");
	int r = model_load(request->api->models_dir, name, &model, &err);
	if (!r)
		r = set_all(request, model, &err);
	if (r) {
		model_free(model);
		return model_problem(r, &err, ret_problem);
	}
	*ret_model = model;
	return 0;
}

/* ---- Operators. */

/* An operator as it stands in the request, and how often. */
struct op_asked {
	const char *name;
	uint64_t times;
};

static struct op_entry *find(const struct op_list *list, const struct op *op)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (!memcmp(&list->entries[i].id.op, op, sizeof *op))
			return &list->entries[i];
	return NULL;
}

static int take_room(struct op_list *list, const struct kernel_id *id, const struct op_asked *asked,
        struct op_entry **ret_entry, struct problem *ret_problem)
{
	if (list->count == OP_LIST_MAX)
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, list->model ? "model" : "ops",
		        "at most %d operators can be asked for at a time", OP_LIST_MAX);
	struct op_entry *entry = &list->entries[list->count++];
	*entry = (struct op_entry){.id = *id, .times = asked->times};
	op_print(&id->op, entry->text);
	snprintf(entry->name, sizeof entry->name, "%s", asked->name);
	*ret_entry = entry;
	return 0;
}

/* An operator of a model that does not fit is told of, not refused. */
static int refuse(struct op_list *list, struct op_entry *entry, const char *why)
{
	entry->refused = true;
	list->refused++;
	error_set(&entry->why, 0, "", "%s", why);
	return 0;
}

static int add_kernel(struct api *api, struct op_list *list, const struct kernel_id *id,
        const struct op_asked *asked, struct problem *ret_problem)
{
	struct op_entry *entry = list->model ? find(list, &id->op) : NULL;
	struct error err = {0};

	if (entry) {
		entry->times += asked->times;
		return 0;
	}
	int answer = take_room(list, id, asked, &entry, ret_problem);
	if (answer)
		return answer;
	int r = tune_get(api->tune, id, &entry->kernel, &err);
	if (r == -ERANGE && list->model)
		return refuse(list, entry, err.text);
	return r ? kernel_problem(r, &err, "op", ret_problem) : 0;
}

static int add_plan(struct api *api, struct op_list *list, const struct plan *plan,
        const struct op_asked *asked, struct problem *ret_problem)
{
	bool in_parts = plan_is_in_parts(plan);
	char name[MODEL_NAME_BYTES + 8];
	int answer = 0;

	snprintf(name, sizeof name, "%s%s", asked->name, in_parts && *asked->name ? " (part)" : "");
	for (uint32_t i = 0; !answer && i < plan_tuned(plan); i++) {
		const struct op_asked one = {name, asked->times * plan_runs_of(plan, i)};
		answer = add_kernel(api, list, &plan->kernels[i].id, &one, ret_problem);
	}
	return answer;
}

/* The operator stands in list->want. */
static int add_op(struct api *api, struct op_list *list, const struct op_asked *asked,
        struct problem *ret_problem)
{
	struct op_entry *entry;
	struct plan plan;
	int answer = plan_read(api->plans, &list->want, &plan, ret_problem);

	if (answer == PROBLEM_EXCEEDS_LIMITS && list->model) {
		answer = take_room(list, &list->want.id, asked, &entry, ret_problem);
		return answer ? answer : refuse(list, entry, ret_problem->detail);
	}
	return answer ? answer : add_plan(api, list, &plan, asked, ret_problem);
}

static int read_model_ops(
        const struct request *request, struct op_list *list, struct problem *ret_problem)
{
	AUTO(model_list_free) struct model_list ops = {0};
	struct error err = {0};
	int answer = 0, r = model_expand(list->model, &ops, &err);

	if (r)
		return model_problem(r, &err, ret_problem);
	for (uint32_t i = 0; !answer && i < ops.count; i++) {
		const struct op_asked asked = {ops.ops[i].name, ops.ops[i].times};
		list->want.id.op = ops.ops[i].op;
		answer = want_read_rest(request, &list->want, ret_problem);
		if (!answer)
			answer = add_op(request->api, list, &asked, ret_problem);
	}
	return answer;
}

/* Says which of a list is at fault; a device is nobody's. */
static int blame(size_t index, int answer, struct problem *ret_problem)
{
	char inner[sizeof ret_problem->detail];

	if (!strcmp(ret_problem->field, "device"))
		return answer;
	memcpy(inner, ret_problem->detail, sizeof inner);
	snprintf(ret_problem->field, sizeof ret_problem->field, "ops[%zu]", index);
	snprintf(ret_problem->detail, sizeof ret_problem->detail, "ops[%zu]: %.290s", index, inner);
	return answer;
}

/* An array, or a text with ; between: what REST has instead. A new reference, or NULL. */
static json_t *list_of(const json_t *ops)
{
	const char *text = json_string_value(ops);

	if (!text)
		return json_incref((json_t *)ops);
	json_t *array = json_array();
	while (*text) {
		size_t length = strcspn(text, ";");
		json_array_append_new(array, json_stringn(text, length));
		text += length + (text[length] == ';');
	}
	return array;
}

static int read_listed(const struct request *request, struct op_list *list, const json_t *op,
        struct problem *ret_problem)
{
	const struct op_asked asked = {"", 1};
	int answer = protocol_op(op, &list->want.id.op, ret_problem);

	if (!answer)
		answer = want_read_rest(request, &list->want, ret_problem);
	return answer ? answer : add_op(request->api, list, &asked, ret_problem);
}

static int read_list(
        const struct request *request, struct op_list *list, struct problem *ret_problem)
{
	json_t *ops = list_of(json_object_get(request->params, "ops"));
	size_t count = json_array_size(ops);
	int answer = 0;

	if (!ops)
		answer = problem_set(ret_problem, PROBLEM_MISSING_FIELD, "ops",
		        "parameter 'ops' is missing; give operators, or a `model`");
	else if (count < 1 || count > OP_LIST_MAX)
		answer = problem_set(ret_problem, PROBLEM_BAD_VALUE, "ops",
		        "ops must hold 1 to %d operators, not %zu", OP_LIST_MAX, count);
	for (size_t i = 0; !answer && i < count; i++) {
		answer = read_listed(request, list, json_array_get(ops, i), ret_problem);
		if (answer)
			blame(i, answer, ret_problem);
	}
	json_decref(ops);
	return answer;
}

int op_list_read(
        const struct request *request, struct op_list *ret_list, struct problem *ret_problem)
{
	struct op_list list = {0};
	int answer = read_model(request, &list.model, ret_problem);

	if (answer)
		return answer;
	list.entries = calloc(OP_LIST_MAX, sizeof *list.entries);
	if (!list.entries)
		answer = problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	else
		answer = list.model ? read_model_ops(request, &list, ret_problem)
		                    : read_list(request, &list, ret_problem);
	if (answer)
		op_list_free(&list);
	else
		*ret_list = list;
	return answer;
}

void op_list_free(struct op_list *list)
{
	model_free(list->model);
	free(list->entries);
	*list = (struct op_list){0};
}
