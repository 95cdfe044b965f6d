/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads what a request asks for: operator, device, features, limits, target, runs, a constant
 * input. Must not ask what is known of it. Invariant: the device is the one named, else the page's
 * own, else the best; never another than the page's by accident.
 */
#include "daemon/api/handler.h"

#include "daemon/api/limits.h"
#include "device/tier.h"
#include "protocol/wire/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 1e12

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

/* ---- Features. */

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
	const struct api_peer *peer = request->caller->peer;
	const char *text = request_text(request, "features");
	uint32_t features = peer ? peer->features : 0;
	int answer = text ? features_text(text, &features, ret_problem) : 0;

	if (answer)
		return answer;
	*ret_features = features & device->limits.features;
	return 0;
}

/* ---- Limits. */

/* Who says nothing of limits gets what every page can run. */
static int want_limits(
        const struct request *request, struct plan_params *want, struct problem *ret_problem)
{
	const struct api_peer *peer = request->caller->peer;
	const struct limits *own = &want->id.device->own;
	const char *text = request_text(request, "limits");
	struct limits limits = peer && peer->introduced ? peer->limits : limits_web_default;
	int answer = text ? limits_of_text(text, own, &limits, ret_problem) : 0;

	if (answer)
		return answer;
	limits = limits_meet(&limits, own);
	want->id.tier = tier_of(&limits);
	want->binding_bytes = limits.binding_bytes;
	return 0;
}

/* ---- The whole. */

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

/* WGSL unless it says otherwise. */
static enum target want_target(const struct request *request)
{
	const char *text = request_text(request, "target");
	enum target target = text ? target_by_name(text) : TARGET_COUNT;

	return target == TARGET_COUNT ? TARGET_WGSL : target;
}

/* REST's answers are for everybody, whatever page asks. */
static const char *want_origin(const struct caller *caller)
{
	return caller->face == FACE_REST ? NULL : caller->origin;
}

int want_read_rest(
        const struct request *request, struct plan_params *want, struct problem *ret_problem)
{
	struct plan_params rest = *want;
	int answer;

	if (want->id.device)
		return 0;
	rest.target = want_target(request);
	rest.constant = request_text(request, "constant");
	rest.origin = want_origin(request->caller);
	rest.id.audience = request_audience(request);
	answer = device_asked(request->caller->peer, request->api->tune,
	        request_text(request, "device"), &rest.id.device, ret_problem);
	if (!answer)
		answer = want_features(request, rest.id.device, &rest.id.features, ret_problem);
	if (!answer)
		answer = want_limits(request, &rest, ret_problem);
	if (!answer)
		answer = want_runs(request, &rest.runs, ret_problem);
	if (!answer)
		*want = rest;
	return answer;
}

int want_read(
        const struct request *request, struct plan_params *ret_want, struct problem *ret_problem)
{
	struct plan_params want = {0};
	int answer = protocol_op(json_object_get(request->params, "op"), &want.id.op, ret_problem);

	if (!answer)
		answer = want_read_rest(request, &want, ret_problem);
	if (!answer)
		*ret_want = want;
	return answer;
}

int want_read_stored(
        const struct request *request, struct plan_params *ret_want, struct problem *ret_problem)
{
	struct plan_params want;
	int answer = want_read(request, &want, ret_problem);

	if (answer)
		return answer;
	kernel_share(request->api->store, &want.id);
	*ret_want = want;
	return 0;
}
