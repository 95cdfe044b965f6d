/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices, the page that says which of them it sees, and which one a request is about. Must
 * not choose another device than the page's by accident.
 */
#include "daemon/api/handler.h"

#include "daemon/api/limits.h"
#include "daemon/api/match.h"
#include "protocol/wire/wire.h"

#include <config.h>

#define DEVICES_MAX 32 /* of one machine, for matching */

const struct tune_device *device_with(const struct tune *tune, uint64_t id)
{
	for (uint32_t i = 0; id && i < tune_device_count(tune); i++)
		if (tune_device(tune, i)->id == id)
			return tune_device(tune, i);
	return NULL;
}

/* The peer's own, matched anew if it has none yet; or NULL and the reason. */
static const struct tune_device *peer_device(struct api_peer *peer, struct error *ret_reason)
{
	const struct tune *tune = peer->api->tune;
	const struct tune_device *device = device_with(tune, peer->device);
	const json_t *objects[DEVICES_MAX];
	uint32_t indices[DEVICES_MAX], count = 0;

	if (device)
		return device;
	if (!tune_enumerated(tune)) {
		error_set(ret_reason, 0, "adapter",
		        "the devices are still being looked for; ask again in a second");
		return NULL;
	}
	for (uint32_t i = 0; i < tune_device_count(tune) && count < DEVICES_MAX; i++) {
		if (!tune_device(tune, i)->present)
			continue;
		indices[count] = i;
		objects[count++] = tune_device(tune, i)->object;
	}
	int index = match_adapter(peer->adapter, objects, count, ret_reason);
	if (index < 0)
		return NULL;
	device = tune_device(tune, indices[index]);
	peer->device = device->id;
	return device;
}

int device_asked(struct api_peer *peer, const struct tune *tune, const char *name,
        const struct tune_device **ret_device, struct problem *ret_problem)
{
	static const enum problem_code codes[] = {[TUNE_NO_DEVICE] = PROBLEM_NO_DEVICE,
	        [TUNE_UNKNOWN_DEVICE] = PROBLEM_UNKNOWN_DEVICE,
	        [TUNE_AMBIGUOUS_DEVICE] = PROBLEM_AMBIGUOUS_DEVICE};
	bool own = !name && peer && peer->introduced;
	const struct tune_device *device = NULL;
	struct error err = {0};

	if (own)
		device = peer_device(peer, &err);
	if (own && !device && tune_device_count(tune))
		return problem_set(ret_problem, PROBLEM_UNKNOWN_DEVICE, "device",
		        "%s; give `device` to use another than the page's", err.text);
	int answer = device ? 0 : tune_find_device(tune, name, &device, &err);
	if (answer)
		return problem_set(ret_problem, codes[answer], err.field, "%s", err.text);
	*ret_device = device;
	return 0;
}

/* ---- The methods. */

int handle_devices(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	const struct tune *tune = request->api->tune;
	json_t *array = json_array();

	(void)ret_problem;
	for (uint32_t i = 0; i < tune_device_count(tune); i++) {
		const struct tune_device *device = tune_device(tune, i);
		json_t *object = json_copy((json_t *)device->object);
		json_object_set_new(object, "present", json_boolean(device->present));
		json_array_append_new(array, object);
	}
	*ret_result = json_pack("{s:o,s:b}", "devices", array, "enumerated", tune_enumerated(tune));
	return 0;
}

/* Each list counts for its own kind: what a device has is no feature of the language. */
static uint32_t page_features(const json_t *params)
{
	uint32_t device = wire_features_parse(json_object_get(params, "features"));
	uint32_t language = wire_features_parse(json_object_get(params, "language_features"));
	uint32_t features = 0;

	for (uint32_t i = 0; i < FEATURE_COUNT; i++)
		features |= (feature_info((enum feature_number)i)->language ? language : device) &
		            1u << i;
	return features;
}

static json_t *hello_json(
        const struct api_peer *peer, const struct tune_device *device, const char *reason)
{
	uint32_t features = device ? peer->features & device->limits.features : 0;
	json_t *object = json_pack("{s:s,s:s,s:o,s:o,s:o}", "version", PACKAGE_VERSION, "protocol",
	        PROTOCOL_SUBPROTOCOL, "device", device ? wire_hex(device->id) : json_null(), "name",
	        device ? json_string(device->name) : json_null(), "features",
	        wire_features_json(features));

	if (*reason)
		json_object_set_new(object, "reason", json_string(reason));
	return object;
}

int handle_hello(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct api_peer *peer = request->caller->peer;
	struct error reason = {0};

	(void)ret_problem;
	peer->introduced = true;
	peer->device = 0;
	json_decref(peer->adapter);
	peer->adapter = json_incref(json_object_get(request->params, "adapter"));
	peer->features = page_features(request->params);
	peer->limits = limits_of_page(json_object_get(request->params, "limits"));
	*ret_result = hello_json(peer, peer_device(peer, &reason), reason.text);
	return 0;
}
