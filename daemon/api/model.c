/* SPDX-License-Identifier: Apache-2.0
 *
 * The models: which there are, and for one of them what is known of each of its operators and what
 * a forward pass takes. Starts no tuning.
 */
#include "daemon/api/op_list.h"

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

static struct totals totals_of(const struct op_list *list)
{
	struct totals totals = {0};

	for (uint32_t i = 0; i < list->count; i++) {
		const struct op_entry *entry = &list->entries[i];
		if (entry->refused)
			continue;
		totals.default_ns += op_entry_default_ns(entry) * (double)entry->times;
		totals.tuned_ns += op_entry_tuned_ns(entry) * (double)entry->times;
		totals.tuned += entry->kernel.status == TUNE_TUNED;
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

static void set_known(json_t *object, const struct op_entry *entry, const struct totals *totals)
{
	const struct tune_kernel *kernel = &entry->kernel;
	double tuned_ns = op_entry_tuned_ns(entry), default_ns = op_entry_default_ns(entry);
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
	        ratio(totals->tuned_ns > 0 ? tuned_ns * (double)entry->times / totals->tuned_ns
	                                   : 0));
}

static json_t *wanted_json(const struct op_entry *entry, const struct totals *totals)
{
	json_t *object = json_pack("{s:s,s:s,s:I}", "name", entry->name, "op", entry->text, "times",
	        (json_int_t)entry->times);

	if (!entry->refused) {
		set_known(object, entry, totals);
		return object;
	}
	json_object_set_new(object, "status", json_string("refused"));
	json_object_set_new(object, "why", json_string(entry->why.text));
	return object;
}

static json_t *totals_json(const struct op_list *list, const struct totals *totals)
{
	return json_pack("{s:i,s:i,s:i,s:o,s:o,s:o}", "ops", (int)list->count, "tuned",
	        (int)totals->tuned, "refused", (int)list->refused, "default_ns",
	        nanoseconds(totals->default_ns), "tuned_ns", nanoseconds(totals->tuned_ns),
	        "speedup", ratio(totals->tuned_ns > 0 ? totals->default_ns / totals->tuned_ns : 1));
}

static json_t *model_json(const struct op_list *list)
{
	const struct kernel_id *first = &list->entries[0].id;
	struct totals totals = totals_of(list);
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->count; i++)
		json_array_append_new(array, wanted_json(&list->entries[i], &totals));
	json_t *object = json_pack("{s:s,s:s,s:I,s:s,s:o,s:s,s:o,s:o}", "model",
	        model_name(list->model), "title", model_title(list->model), "parameters",
	        (json_int_t)model_parameters(list->model), "dtype", model_dtype(list->model),
	        "device", wire_hex(first->device->id), "device_name", first->device->name, "ops",
	        array, "total", totals_json(list, &totals));
	set_values(object, list->model);
	return object;
}

int handle_model(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct op_list list;
	int answer = op_list_read(request, &list, ret_problem);

	if (answer)
		return answer;
	if (list.count)
		*ret_result = model_json(&list);
	else
		answer = problem_set(ret_problem, PROBLEM_BAD_VALUE, "model",
		        "%s runs no operator on these inputs", model_name(list.model));
	op_list_free(&list);
	return answer;
}
