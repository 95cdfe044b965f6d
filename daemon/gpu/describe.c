/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices as JSON and as text. Must not ask a driver anything: what it shows was read before.
 * Invariant: text from a driver reaches JSON only as valid UTF-8.
 */
#include "daemon/gpu/describe.h"
#include "protocol/wire/wire.h"

#include <inttypes.h>
#include <stdio.h>

/* Driver text that is not UTF-8 is replaced byte by byte. */
static json_t *text_json(const char *text)
{
	char plain[256];
	json_t *json = json_string(text);

	if (json)
		return json;
	snprintf(plain, sizeof plain, "%s", text);
	for (char *c = plain; *c; c++)
		if ((unsigned char)*c >= 128)
			*c = '?';
	return json_string(plain);
}

static json_t *driver_json(const struct adapter *adapter)
{
	return json_pack("{s:o, s:o, s:s, s:o}", "id", wire_hex(adapter->driver_id), "name",
	        text_json(adapter->driver_name), "version", adapter->driver_version, "info",
	        text_json(adapter->driver_info));
}

json_t *describe_adapter(const struct adapter *adapter)
{
	return json_pack("{s:o, s:o, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:b, s:n}", "id",
	        wire_hex(adapter->id), "name", text_json(adapter->name), "kind",
	        adapter_kind_name(adapter->kind), "api", adapter->api->name, "api_version",
	        adapter->api_version, "vendor_id", (json_int_t)adapter->vendor_id, "device_id",
	        (json_int_t)adapter->device_id, "driver", driver_json(adapter), "limits",
	        wire_limits_json(&adapter->limits), "features",
	        wire_features_json(adapter->limits.features), "timestamps", adapter->timestamps,
	        "facts");
}

json_t *describe_adapters(const struct adapters *adapters)
{
	json_t *devices = json_array();

	for (uint32_t i = 0; i < adapters->count; i++)
		json_array_append_new(devices, describe_adapter(adapters->all[i]));
	return json_pack("{s:o}", "devices", devices);
}

static void print_one(const struct adapter *adapter)
{
	const struct limits *limits = &adapter->limits;
	char subgroups[32] = "-";

	if (limits->features & FEATURE_SUBGROUPS)
		snprintf(subgroups, sizeof subgroups,
		        limits->subgroup_min == limits->subgroup_max ? "%u" : "%u-%u",
		        limits->subgroup_min, limits->subgroup_max);
	printf("%016" PRIx64 "  %-10s  %-40.40s  %-28.28s  %5u  %6u  %9s  %s\n", adapter->id,
	        adapter_kind_name(adapter->kind), adapter->name,
	        *adapter->driver_info ? adapter->driver_info : adapter->driver_version,
	        limits->invocations, limits->workgroup_bytes, subgroups,
	        adapter->timestamps ? "yes" : "no");
}

void describe_print(const struct adapters *adapters)
{
	if (!adapters->count) {
		for (uint32_t i = 0; i < GPU_API_COUNT; i++)
			puts(gpu_apis[i]->none_found);
		return;
	}
	printf("%-16s  %-10s  %-40s  %-28s  %5s  %6s  %9s  %s\n", "ID", "KIND", "NAME", "DRIVER",
	        "INVOC", "SHARED", "SUBGROUPS", "TIMESTAMPS");
	for (uint32_t i = 0; i < adapters->count; i++)
		print_one(adapters->all[i]);
}
