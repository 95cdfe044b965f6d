/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store holds: the list of kernels, and every trial of one.
 */
#include "daemon/api/handler.h"

#include "protocol/artifact/artifact.h"
#include "daemon/api/limits.h"
#include "protocol/wire/wire.h"
#include "space/space.h"

#include <math.h>
#include <string.h>

struct listing {
	const struct tune *tune;
	const char *op;                     /* NULL: any */
	const struct tune_device *device;   /* NULL: any */
	const enum artifact_status *status; /* NULL: any */
	uint64_t audience;                  /* whose; 0: everybody's and anybody's */
	json_t *array;
};

/* The best of those that share the class, or NULL. */
static const struct tune_device *find_device(const struct tune *tune, uint64_t class)
{
	for (uint32_t i = 0; i < tune_device_count(tune); i++)
		if (tune_device(tune, i)->class == class)
			return tune_device(tune, i);
	return NULL;
}

static enum artifact_status stored_status(const struct tune_device *device,
        const struct store_key *key, const struct store_kernel *kernel)
{
	if ((device && device->driver != key->driver) || kernel->generation != nnjit_generation)
		return ARTIFACT_STALE;
	if (kernel->naive)
		return ARTIFACT_NAIVE;
	return kernel->finished ? ARTIFACT_TUNED : ARTIFACT_TUNING;
}

static json_t *nanoseconds(double value)
{
	return json_integer((json_int_t)llround(value));
}

static json_t *timing_json(const struct store_kernel *kernel, const struct tune_device *device)
{
	struct op op;
	bool known = !op_parse(kernel->op, &op, NULL);
	double gflops = known ? artifact_gflops(&op, kernel->median_ns) : 0;
	double roofline = known && device
	                          ? artifact_roofline(&op, &device->facts, kernel->median_ns)
	                          : 0;

	return json_pack("{s:o,s:o,s:i,s:f,s:f,s:o}", "median_ns", nanoseconds(kernel->median_ns),
	        "mad_ns", nanoseconds(kernel->mad_ns), "samples", (int)kernel->samples, "gflops",
	        round(gflops * 1000) / 1000, "roofline", round(roofline * 1000) / 1000,
	        "baseline_ns", nanoseconds(kernel->baseline_ns));
}

/* As of kernel_id; 0 also where the operator is none of today's. */
static uint64_t audience_of(const struct store_key *key, const struct store_kernel *kernel)
{
	struct op op;

	return op_parse(kernel->op, &op, NULL) ? 0 : key->op ^ op_key(&op);
}

static bool list_kernel(
        void *context, const struct store_key *key, const struct store_kernel *kernel)
{
	struct listing *listing = context;
	const struct tune_device *device = find_device(listing->tune, key->class);
	enum artifact_status status = stored_status(device, key, kernel);

	if ((listing->op && !strstr(kernel->op, listing->op)) ||
	        (listing->device && listing->device->class != key->class) ||
	        (listing->status && *listing->status != status) ||
	        (listing->audience && audience_of(key, kernel) != listing->audience))
		return true;
	struct kernel_id id = {0};
	kernel_key_read(key, &id);
	json_array_append_new(listing->array,
	        json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:s,s:{s:i,s:i},s:o,s:I}", "op",
	                kernel->op, "key", wire_hex(key->op ^ audience_of(key, kernel)), "class",
	                wire_hex(key->class), "device", device ? wire_hex(device->id) : json_null(),
	                "name", device ? json_string(device->name) : json_null(), "features",
	                wire_features_json(id.features), "limits", limits_of_tier(id.tier),
	                "schedule", kernel->schedule, "status", artifact_status_name(status),
	                "progress", "measured", (int)kernel->measured, "of", (int)kernel->of,
	                "timing", timing_json(kernel, device), "updated_s",
	                (json_int_t)kernel->updated_s));
	return true;
}

static int store_problem(int r, struct problem *ret_problem)
{
	return problem_set(
	        ret_problem, PROBLEM_INTERNAL, "", "the store cannot be read: %s", strerror(-r));
}

int handle_kernels(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	const char *status_text = request_text(request, "status");
	const char *device_name = request_text(request, "device");
	enum artifact_status status;
	struct listing listing = {.tune = request->api->tune,
	        .op = request_text(request, "op"),
	        .audience = request_audience(request)};

	if (status_text) {
		if (artifact_status_parse(status_text, &status) || status == ARTIFACT_PREDICTED)
			return problem_set(ret_problem, PROBLEM_BAD_VALUE, "status",
			        "status must be tuning, tuned, stale or naive, not '%.40s'",
			        status_text);
		listing.status = &status;
	}
	if (device_name) {
		int answer = device_asked(request->caller->peer, listing.tune, device_name,
		        &listing.device, ret_problem);
		if (answer)
			return answer;
	}
	listing.array = json_array();
	int r = store_each_kernel(request->api->store, list_kernel, &listing);
	if (r) {
		json_decref(listing.array);
		return store_problem(r, ret_problem);
	}
	*ret_result = json_pack("{s:o}", "kernels", listing.array);
	return 0;
}

struct trial_listing {
	const struct plan_params *want;
	json_t *array;
};

/* What would be predicted of it: the time, and what bounds it. */
static void add_prediction(const struct plan_params *want, const char *text, json_t *object)
{
	struct prediction prediction;
	struct schedule schedule;

	if (schedule_parse(text, &schedule, NULL) ||
	        space_predict(&want->id.op, &schedule, &want->id.device->facts, &prediction))
		return;
	json_object_set_new(object, "predicted_ns", nanoseconds(prediction.ns));
	json_object_set_new(object, "bound", json_string(cost_bound_name(prediction.bound)));
}

static bool list_trial(void *context, const struct store_trial *trial)
{
	const struct trial_listing *listing = context;
	json_t *object = json_pack("{s:s,s:s,s:s,s:o,s:o,s:i,s:o,s:I}", "schedule", trial->schedule,
	        "state", store_trial_state_name(trial->state), "why", trial->why, "median_ns",
	        nanoseconds(trial->median_ns), "mad_ns", nanoseconds(trial->mad_ns), "samples",
	        (int)trial->samples, "pipeline_ns", nanoseconds(trial->pipeline_ns), "spirv_bytes",
	        (json_int_t)trial->code_bytes);

	add_prediction(listing->want, trial->schedule, object);
	json_array_append_new(listing->array, object);
	return true;
}

int handle_trials(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	char baseline[SCHEDULE_TEXT_BYTES];
	struct schedule schedule;
	char op_text[OP_TEXT_BYTES];
	struct plan_params want;
	int answer = want_read_stored(request, &want, ret_problem);

	if (answer)
		return answer;
	const struct store_key key = kernel_key(&want.id);
	op_print(&want.id.op, op_text);
	json_t *array = json_array();
	struct trial_listing listing = {&want, array};
	int r = store_each_trial(request->api->store, &key, list_trial, &listing);
	if (r) {
		json_decref(array);
		return store_problem(r, ret_problem);
	}
	schedule = space_baseline(&want.id.op);
	schedule_print(&schedule, baseline);
	*ret_result = json_pack("{s:s,s:o,s:o,s:s,s:o,s:s,s:o,s:o}", "op", op_text, "key",
	        wire_hex(key.op), "device", wire_hex(want.id.device->id), "name",
	        want.id.device->name, "features", wire_features_json(want.id.features), "baseline",
	        baseline, "trials", array, "reports", reports_json(request, &want));
	return 0;
}
