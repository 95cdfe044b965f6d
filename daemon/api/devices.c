/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices, and the page that says which of them it sees.
 */
#include "daemon/api/handler.h"

#include "protocol/wire/wire.h"

#include <config.h>

int handle_devices(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	const struct tune *tune = request->api->tune;
	json_t *array = json_array();

	(void)ret_problem;
	for (uint32_t i = 0; i < tune_device_count(tune); i++)
		json_array_append(array, (json_t *)tune_device(tune, i)->object);
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

/* A page sees at least the limits that WebGPU promises to all, and kernels for pages are made for
 * those: what it says of its limits needs no keeping. */
int handle_hello(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct api_peer *peer = request->peer;
	struct error reason = {0};

	(void)ret_problem;
	peer->introduced = true;
	peer->device = 0;
	json_decref(peer->adapter);
	peer->adapter = json_incref(json_object_get(request->params, "adapter"));
	peer->features = page_features(request->params);
	*ret_result = hello_json(peer, peer_device(peer, &reason), reason.text);
	return 0;
}
