/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads what a request is about: operator, device, features, target. The device is the one named,
 * else the page's own, else the best; never another one than the page's by accident.
 */
#include "daemon/api/handler.h"

#include "daemon/api/match.h"
#include "protocol/wire/wire.h"
#include "space/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 32 /* of one machine, for matching */

const char *request_text(const struct request *request, const char *name)
{
	return json_string_value(json_object_get(request->params, name));
}

double request_number(const struct request *request, const char *name)
{
	const json_t *value = json_object_get(request->params, name);

	return json_is_string(value) ? strtod(json_string_value(value), NULL)
	                             : json_number_value(value);
}

bool request_bool(const struct request *request, const char *name)
{
	const json_t *value = json_object_get(request->params, name);
	const char *text = json_string_value(value);

	if (text)
		return !strcmp(text, "1") || !strcmp(text, "true");
	return json_is_true(value) || json_integer_value(value) == 1;
}

/* text NULL: the best device. */
static int find_device(const struct tune *tune, const char *text,
        const struct tune_device **ret_device, struct problem *ret_problem)
{
	static const enum problem_code codes[] = {[TUNE_NO_DEVICE] = PROBLEM_NO_DEVICE,
	        [TUNE_UNKNOWN_DEVICE] = PROBLEM_UNKNOWN_DEVICE,
	        [TUNE_AMBIGUOUS_DEVICE] = PROBLEM_AMBIGUOUS_DEVICE};
	struct error err;
	int answer = tune_find_device(tune, text, ret_device, &err);

	return answer ? problem_set(ret_problem, codes[answer], err.field, "%s", err.text) : 0;
}

static const struct tune_device *device_by_id(const struct tune *tune, uint64_t id)
{
	for (uint32_t i = 0; id && i < tune_device_count(tune); i++)
		if (tune_device(tune, i)->id == id)
			return tune_device(tune, i);
	return NULL;
}

const struct tune_device *peer_device(struct api_peer *peer, struct error *ret_reason)
{
	const struct tune *tune = peer->api->tune;
	const struct tune_device *device = device_by_id(tune, peer->device);
	const json_t *objects[DEVICES_MAX];
	uint32_t indices[DEVICES_MAX], count = 0;

	if (device)
		return device;
	for (uint32_t i = 0; i < tune_device_count(tune) && count < DEVICES_MAX; i++) {
		if (!tune_device(tune, i)->present)
			continue;
		indices[count] = i;
		objects[count++] = tune_device(tune, i)->object;
	}
	int index = match_adapter(peer->adapter, objects, count, ret_reason);
	if (index < 0) {
		if (!tune_enumerated(tune))
			error_set(ret_reason, 0, "adapter",
			        "the devices are still being looked for; ask again in a second");
		return NULL;
	}
	device = tune_device(tune, indices[index]);
	peer->device = device->id;
	return device;
}

int want_device(const struct request *request, const struct tune_device **ret_device,
        struct problem *ret_problem)
{
	const struct tune *tune = request->api->tune;
	const char *text = request_text(request, "device");
	struct error reason = {0};

	if (text || !tune_device_count(tune) || !request->peer || !request->peer->introduced)
		return find_device(tune, text, ret_device, ret_problem);
	const struct tune_device *device = peer_device(request->peer, &reason);
	if (!device)
		return problem_set(ret_problem, PROBLEM_UNKNOWN_DEVICE, "device",
		        "%s; give `device` to use another than the page's", reason.text);
	*ret_device = device;
	return 0;
}

static int refuse_feature(const char *word, struct problem *ret_problem)
{
	char names[160] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < FEATURE_COUNT && at < sizeof names; i++)
		at += (size_t)snprintf(names + at, sizeof names - at, "%s, ",
		        feature_info((enum feature_number)i)->name);
	return problem_set(ret_problem, PROBLEM_BAD_VALUE, "features",
	        "features may be %sall or none; '%.40s' is no feature that kernels use", names,
	        word);
}

/* "none", "all", or names with commas. */
static int features_text(const char *text, uint32_t *ret_features, struct problem *ret_problem)
{
	uint32_t features = 0;
	char word[48];

	if (!strcmp(text, "none") || !strcmp(text, "all")) {
		*ret_features = *text == 'a' ? UINT32_MAX : 0;
		return 0;
	}
	for (const char *p = text; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		snprintf(word, sizeof word, "%.*s", (int)strcspn(p, ","), p);
		uint32_t feature = wire_feature_parse(word);
		if (!feature)
			return refuse_feature(word, ret_problem);
		features |= feature;
	}
	*ret_features = features;
	return 0;
}

/* Who says nothing of features gets what every page can run. */
static int want_features(const struct request *request, const struct tune_device *device,
        uint32_t *ret_features, struct problem *ret_problem)
{
	const char *text = request_text(request, "features");
	uint32_t features = request->peer ? request->peer->features : 0;
	int answer = text ? features_text(text, &features, ret_problem) : 0;

	if (answer)
		return answer;
	*ret_features = features & device->limits.features;
	return 0;
}

/* Whether the kernel of this set is tuned, and with a schedule that gets by with `features`. */
static bool is_tuned(struct store *store, const struct want *want, uint32_t set, uint32_t features)
{
	struct store_key key = {
	        want->id.device->id, want->id.device->driver, op_key(&want->id.op), set};
	struct store_kernel kernel;
	struct schedule schedule;
	struct geometry geometry;
	bool stale;

	if (store_get_kernel(store, &key, want->op_text, &kernel, &stale) || stale ||
	        !kernel.finished || kernel.naive || kernel.generation != nnjit_generation ||
	        schedule_parse(kernel.schedule, &schedule, NULL) ||
	        space_geometry(&want->id.op, &schedule, &geometry, NULL))
		return false;
	return !(geometry.features & ~features);
}

/* A kernel tuned for pages with other features serves this one too where it does not need what
 * this one lacks: one tuning for all pages. Sets with more features go first, as their kernels were
 * chosen from more. */
static uint32_t shared_features(struct store *store, const struct want *want, uint32_t features)
{
	uint32_t all = want->id.device->limits.features, set = all;

	if (is_tuned(store, want, features, features))
		return features;
	for (;; set = (set - 1) & all) { /* every subset, the whole first */
		if (set != features && is_tuned(store, want, set, features))
			return set;
		if (!set)
			return features;
	}
}

#define RUNS_MAX 1e12

int want_runs(const struct request *request, double *ret_runs, struct problem *ret_problem)
{
	double runs = request_number(request, "runs");

	if (json_object_get(request->params, "runs") &&
	        !(runs >= 1 && runs <= RUNS_MAX && runs == floor(runs)))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "runs",
		        "runs must be a whole number from 1 to 10^12");
	*ret_runs = runs;
	return 0;
}

/* WGSL unless it says otherwise; of a model's request, `target` is a number of positions. */
static enum target want_target(const struct request *request)
{
	const char *text = request_text(request, "target");
	enum target target = text ? target_by_name(text) : TARGET_COUNT;

	return target == TARGET_COUNT ? TARGET_WGSL : target;
}

int want_read_op(const struct request *request, const json_t *op, struct want *ret_want,
        struct problem *ret_problem)
{
	struct want want = {.target = want_target(request)};
	int answer = protocol_op(op, &want.id.op, ret_problem);

	if (!answer)
		answer = want_device(request, &want.id.device, ret_problem);
	if (!answer)
		answer = want_features(request, want.id.device, &want.id.features, ret_problem);
	if (!answer)
		answer = want_runs(request, &want.runs, ret_problem);
	if (answer)
		return answer;
	op_print(&want.id.op, want.op_text);
	want.id.features = shared_features(request->api->store, &want, want.id.features);
	*ret_want = want;
	return 0;
}

int want_read(const struct request *request, struct want *ret_want, struct problem *ret_problem)
{
	return want_read_op(request, json_object_get(request->params, "op"), ret_want, ret_problem);
}
