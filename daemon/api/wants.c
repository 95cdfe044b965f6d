/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads requests about many operators. Everything is read before anything is done about it, so
 * that a request with a mistake does nothing.
 */
#include "daemon/api/wants.h"

#include "base/cleanup.h"
#include "cost/roofline.h"
#include "daemon/api/parts.h"
#include "space/space.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define LEAST_NS 200000000ull /* of a budget, for one operator */
#define MOST_NS  86400000000000ull
#define OPEN     0.25 /* of a time, that tuning may win whatever is predicted */

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

int wants_model(
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

static struct wanted *find(const struct wants *wants, const char *op_text)
{
	for (uint32_t i = 0; i < wants->count; i++)
		if (!strcmp(wants->items[i].want.op_text, op_text))
			return &wants->items[i];
	return NULL;
}

static int take_room(struct wants *wants, const struct want *want, const char *name, uint64_t times,
        struct wanted **ret_wanted, struct problem *ret_problem)
{
	if (wants->count == WANTS_MAX)
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, wants->model ? "model" : "ops",
		        "at most %d operators can be asked for at a time", WANTS_MAX);
	*ret_wanted = &wants->items[wants->count++];
	**ret_wanted = (struct wanted){.want = *want, .times = times};
	snprintf((*ret_wanted)->name, sizeof(*ret_wanted)->name, "%s", name);
	return 0;
}

/* An operator of a model that does not fit is told of, not refused. */
static int refuse(struct wants *wants, struct wanted *wanted, const char *why)
{
	wanted->refused = true;
	wants->refused++;
	error_set(&wanted->why, 0, "", "%s", why);
	return 0;
}

static int add_kernel(const struct request *request, struct wants *wants, const struct want *want,
        const char *name, uint64_t times, struct problem *ret_problem)
{
	struct wanted *wanted = wants->model ? find(wants, want->op_text) : NULL;
	struct error err = {0};

	if (wanted) {
		wanted->times += times;
		return 0;
	}
	int answer = take_room(wants, want, name, times, &wanted, ret_problem);
	if (answer)
		return answer;
	int r = tune_get(request->api->tune, &want->id, &wanted->kernel, &err);
	if (r == -ERANGE && wants->model)
		return refuse(wants, wanted, err.text);
	return r ? tune_problem(r, &err, "op", ret_problem) : 0;
}

static int add_parts(const struct request *request, struct wants *wants, const struct parts *parts,
        const char *name, uint64_t times, struct problem *ret_problem)
{
	char part[MODEL_NAME_BYTES + 8];
	int answer = 0;

	snprintf(part, sizeof part, "%s%s", name, *name ? " (part)" : "");
	for (uint32_t kind = 0; !answer && kind < parts->kind_count; kind++) {
		uint32_t alike = 0;
		for (uint32_t i = 0; i < parts->count; i++)
			alike += parts->kind[i] == kind;
		answer = add_kernel(
		        request, wants, &parts->want[kind], part, alike * times, ret_problem);
	}
	return answer;
}

static int add_op(const struct request *request, struct wants *wants, const json_t *op,
        const char *name, uint64_t times, struct problem *ret_problem)
{
	AUTO(free_pointer) struct parts *parts = NULL;
	struct wanted *wanted;
	struct want want;
	int answer = want_read_op(request, op, &want, ret_problem);

	if (answer)
		return answer;
	answer = parts_read(request, &want, &parts, ret_problem);
	if (answer == PROBLEM_EXCEEDS_LIMITS && wants->model) {
		answer = take_room(wants, &want, name, times, &wanted, ret_problem);
		return answer ? answer : refuse(wants, wanted, ret_problem->detail);
	}
	if (answer)
		return answer;
	return parts ? add_parts(request, wants, parts, name, times, ret_problem)
	             : add_kernel(request, wants, &want, name, times, ret_problem);
}

static int read_model(
        const struct request *request, struct wants *wants, struct problem *ret_problem)
{
	AUTO(model_list_free) struct model_list list = {0};
	struct error err = {0};
	int answer = 0, r = model_expand(wants->model, &list, &err);

	if (r)
		return model_problem(r, &err, ret_problem);
	for (uint32_t i = 0; !answer && i < list.count; i++) {
		json_t *op = json_string(list.ops[i].text);
		answer = add_op(
		        request, wants, op, list.ops[i].name, list.ops[i].times, ret_problem);
		json_decref(op);
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

static int read_list(
        const struct request *request, struct wants *wants, struct problem *ret_problem)
{
	json_t *ops = list_of(json_object_get(request->params, "ops"));
	size_t count = json_array_size(ops);
	int answer = 0;

	if (!ops)
		answer = problem_set(ret_problem, PROBLEM_MISSING_FIELD, "ops",
		        "parameter 'ops' is missing; give operators, or a `model`");
	else if (count < 1 || count > WANTS_MAX)
		answer = problem_set(ret_problem, PROBLEM_BAD_VALUE, "ops",
		        "ops must hold 1 to %d operators, not %zu", WANTS_MAX, count);
	for (size_t i = 0; !answer && i < count; i++) {
		answer = add_op(request, wants, json_array_get(ops, i), "", 1, ret_problem);
		if (answer)
			blame(i, answer, ret_problem);
	}
	json_decref(ops);
	return answer;
}

int wants_read(const struct request *request, struct wants *ret_wants, struct problem *ret_problem)
{
	struct wants wants = {0};
	int answer = wants_model(request, &wants.model, ret_problem);

	if (answer)
		return answer;
	wants.items = calloc(WANTS_MAX, sizeof *wants.items);
	if (!wants.items)
		answer = problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	else
		answer = wants.model ? read_model(request, &wants, ret_problem)
		                     : read_list(request, &wants, ret_problem);
	if (answer)
		wants_free(&wants);
	else
		*ret_wants = wants;
	return answer;
}

void wants_free(struct wants *wants)
{
	model_free(wants->model);
	free(wants->items);
	*wants = (struct wants){0};
}

/* ---- Time. */

double wanted_tuned_ns(const struct wanted *wanted)
{
	const struct tune_kernel *kernel = &wanted->kernel;

	return kernel->best.median_ns > 0 ? kernel->best.median_ns : kernel->predicted_ns;
}

/* Where the default kernel cannot run on the device, the best known one stands for it. */
double wanted_default_ns(const struct wanted *wanted)
{
	const struct tune_kernel *kernel = &wanted->kernel;
	const struct schedule baseline = space_baseline(&kernel->id.op);

	if (kernel->best.median_ns > 0)
		return kernel->best.baseline_ns > 0 ? kernel->best.baseline_ns
		                                    : kernel->best.median_ns;
	double predicted_ns = space_predict_ns(
	        &kernel->id.op, &baseline, &kernel->id.device->facts);
	return fmax(predicted_ns, kernel->predicted_ns);
}

bool wanted_open(const struct wanted *wanted)
{
	return !wanted->refused && wanted->kernel.status != TUNE_TUNED &&
	       wanted->kernel.status != TUNE_NAIVE;
}

/* What tuning may still win in one pass over the list. A prediction is no measurement: however near
 * the roofline it claims to be, a part of the time is always taken to be open. */
static double gain_ns(const struct wanted *wanted)
{
	const struct tune_kernel *kernel = &wanted->kernel;
	double now_ns = wanted_tuned_ns(wanted);
	double least_ns = roofline_ns(&kernel->id.op, &kernel->id.device->facts);

	return fmax(now_ns - least_ns, OPEN * now_ns) * (double)wanted->times;
}

void wants_share(struct wants *wants, uint64_t budget_ns, double runs)
{
	double sum_ns = 0;

	for (uint32_t i = 0; i < wants->count; i++)
		if (wanted_open(&wants->items[i]))
			sum_ns += gain_ns(&wants->items[i]);
	for (uint32_t i = 0; (budget_ns || runs > 0) && i < wants->count; i++) {
		struct wanted *wanted = &wants->items[i];
		if (!wanted_open(wanted))
			continue;
		double own_ns = gain_ns(wanted), part_ns = INFINITY;
		if (budget_ns)
			part_ns = sum_ns > 0 ? own_ns / sum_ns * (double)budget_ns : 0;
		if (runs > 0)
			part_ns = fmin(part_ns, runs * own_ns);
		wanted->budget_ns = part_ns < (double)LEAST_NS  ? LEAST_NS
		                    : part_ns < (double)MOST_NS ? (uint64_t)part_ns
		                                                : MOST_NS;
	}
}

void wants_order(const struct wants *wants, uint32_t ret_order[static WANTS_MAX])
{
	for (uint32_t i = 0; i < wants->count; i++) {
		uint32_t at = i;
		for (; at && wants->items[ret_order[at - 1]].budget_ns > wants->items[i].budget_ns;
		        at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = i;
	}
}
