/* SPDX-License-Identifier: Apache-2.0
 *
 * The models: which there are, and for one of them what is known of each of its operators and what
 * a forward pass takes. Starts no tuning.
 */
#include "daemon/api/wants.h"

#include "protocol/artifact/artifact.h"
#include "protocol/wire/wire.h"

#include <math.h>
#include <string.h>

static void set_values(json_t *object, const struct model *model)
{
	json_t *values;

	if (!model_inputs(model, &values, NULL))
		json_object_set_new(object, "inputs", values);
	if (!model_sizes(model, &values, NULL))
		json_object_set_new(object, "sizes", values);
}

/* A manifest that cannot be read stands in the list with the reason. */
static json_t *entry_json(const char *dir, const char *name)
{
	struct model *model = NULL;
	struct error err = {0};

	if (model_load(dir, name, &model, &err))
		return json_pack("{s:s,s:s}", "name", name, "error", err.text);
	json_t *object = json_pack("{s:s,s:s,s:I}", "name", name, "title", model_title(model),
	        "parameters", (json_int_t)model_parameters(model));
	set_values(object, model);
	model_free(model);
	return object;
}

int handle_models(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	const char *dir = request->api->models_dir;
	struct error err = {0};
	json_t *names, *name;
	size_t i;

	if (model_names(dir, &names, &err))
		return problem_set(ret_problem, PROBLEM_INTERNAL, "", "%s", err.text);
	json_t *array = json_array();
	json_array_foreach(names, i, name)
	        json_array_append_new(array, entry_json(dir, json_string_value(name)));
	json_decref(names);
	*ret_result = json_pack("{s:o}", "models", array);
	return 0;
}

/* ---- One model. */

/* Of a forward pass. */
struct totals {
	double default_ns, tuned_ns;
	uint32_t tuned;
};

static struct totals totals_of(const struct wants *wants)
{
	struct totals totals = {0};

	for (uint32_t i = 0; i < wants->count; i++) {
		const struct wanted *wanted = &wants->items[i];
		if (wanted->refused)
			continue;
		totals.default_ns += wanted_default_ns(wanted) * (double)wanted->times;
		totals.tuned_ns += wanted_tuned_ns(wanted) * (double)wanted->times;
		totals.tuned += wanted->kernel.status == TUNE_TUNED;
	}
	return totals;
}

static json_t *nanoseconds(double value)
{
	return json_integer((json_int_t)llround(value));
}

static json_t *ratio(double value)
{
	return json_real(round(value * 1000) / 1000);
}

static void set_known(json_t *object, const struct wanted *wanted, const struct totals *totals)
{
	const struct tune_kernel *kernel = &wanted->kernel;
	double tuned_ns = wanted_tuned_ns(wanted), default_ns = wanted_default_ns(wanted);
	double roofline = artifact_roofline(&kernel->id.op, &kernel->id.device->facts, tuned_ns);

	json_object_set_new(
	        object, "status", json_string(artifact_status_name(kernel_status(kernel->status))));
	json_object_set_new(object, "progress",
	        json_pack("{s:i,s:i}", "measured", (int)kernel->measured, "of", (int)kernel->of));
	json_object_set_new(object, "measured", json_boolean(kernel->best.median_ns > 0));
	json_object_set_new(object, "default_ns", nanoseconds(default_ns));
	json_object_set_new(object, "tuned_ns", nanoseconds(tuned_ns));
	json_object_set_new(object, "speedup", ratio(tuned_ns > 0 ? default_ns / tuned_ns : 1));
	json_object_set_new(object, "roofline", ratio(roofline));
	json_object_set_new(object, "share",
	        ratio(totals->tuned_ns > 0 ? tuned_ns * (double)wanted->times / totals->tuned_ns
	                                   : 0));
}

static json_t *wanted_json(const struct wanted *wanted, const struct totals *totals)
{
	json_t *object = json_pack("{s:s,s:s,s:I}", "name", wanted->name, "op",
	        wanted->want.op_text, "times", (json_int_t)wanted->times);

	if (!wanted->refused) {
		set_known(object, wanted, totals);
		return object;
	}
	json_object_set_new(object, "status", json_string("refused"));
	json_object_set_new(object, "why", json_string(wanted->why.text));
	return object;
}

static json_t *totals_json(const struct wants *wants, const struct totals *totals)
{
	return json_pack("{s:i,s:i,s:i,s:o,s:o,s:o}", "ops", (int)wants->count, "tuned",
	        (int)totals->tuned, "refused", (int)wants->refused, "default_ns",
	        nanoseconds(totals->default_ns), "tuned_ns", nanoseconds(totals->tuned_ns),
	        "speedup", ratio(totals->tuned_ns > 0 ? totals->default_ns / totals->tuned_ns : 1));
}

static json_t *model_json(const struct wants *wants)
{
	const struct want *want = &wants->items[0].want;
	struct totals totals = totals_of(wants);
	json_t *array = json_array();

	for (uint32_t i = 0; i < wants->count; i++)
		json_array_append_new(array, wanted_json(&wants->items[i], &totals));
	json_t *object = json_pack("{s:s,s:s,s:I,s:s,s:o,s:s,s:o,s:o}", "model",
	        model_name(wants->model), "title", model_title(wants->model), "parameters",
	        (json_int_t)model_parameters(wants->model), "dtype", model_dtype(wants->model),
	        "device", wire_hex(want->id.device->id), "device_name", want->id.device->name,
	        "ops", array, "total", totals_json(wants, &totals));
	set_values(object, wants->model);
	return object;
}

int handle_model(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct wants wants;
	int answer = wants_read(request, &wants, ret_problem);

	if (answer)
		return answer;
	if (wants.count)
		*ret_result = model_json(&wants);
	else
		answer = problem_set(ret_problem, PROBLEM_BAD_VALUE, "model",
		        "%s runs no operator on these inputs", model_name(wants.model));
	wants_free(&wants);
	return answer;
}
