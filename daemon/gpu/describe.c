/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices as the wire has them and as text. Must not ask a driver anything: what it shows was read
 * before.
 */
#include "daemon/gpu/describe.h"

#include <inttypes.h>
#include <stdio.h>

struct wire_device describe_adapter(const struct adapter *adapter)
{
	return (struct wire_device){.id = adapter->id,
	        .name = adapter->name,
	        .kind = adapter_kind_name(adapter->kind),
	        .api = adapter->api->name,
	        .api_version = adapter->api_version,
	        .vendor_id = adapter->vendor_id,
	        .device_id = adapter->device_id,
	        .driver = {.id = adapter->driver_id,
	                .name = adapter->driver_name,
	                .version = adapter->driver_version,
	                .info = adapter->driver_info},
	        .limits = adapter->limits,
	        .timestamps = adapter->timestamps};
}

json_t *describe_adapters(const struct adapters *adapters)
{
	json_t *devices = json_array();

	for (uint32_t i = 0; i < adapters->count; i++) {
		const struct wire_device device = describe_adapter(adapters->all[i]);
		json_array_append_new(devices, wire_write_device(&device));
	}
	return devices;
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
