/* SPDX-License-Identifier: Apache-2.0
 *
 * A device as Vulkan shows it, before it is opened: who it is, what it allows, how it keeps time.
 * Plain data, valid as long as the instance it came from.
 */
#pragma once

#include "daemon/gpu/answer.h"
#include "device/limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <vulkan/vulkan.h>

enum adapter_kind {
	ADAPTER_OTHER,
	ADAPTER_INTEGRATED,
	ADAPTER_DISCRETE,
	ADAPTER_VIRTUAL,
	ADAPTER_CPU
};

struct adapter {
	VkPhysicalDevice physical;
	uint64_t id;        /* survives driver updates */
	uint64_t driver_id; /* changes with everything that may change the driver's code */
	char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
	char driver_name[VK_MAX_DRIVER_NAME_SIZE], driver_info[VK_MAX_DRIVER_INFO_SIZE];
	char driver_version[32];
	enum adapter_kind kind;
	uint32_t api_version, vendor_id, device_id;
	struct limits limits;
	uint32_t
	        queue_family; /* one that computes, and draws where there is one: Dawn takes that */
	uint32_t timestamp_bits; /* 0: the queue has no timestamps */
	double timestamp_ns;     /* one tick */
	bool robustness2;        /* VK_EXT_robustness2 with robustBufferAccess2 */
	bool zeroes_workgroup;   /* workgroup memory may have a zero initialiser */
	uint32_t web_subgroup; /* the subgroup size Dawn asks for; 0: it leaves it to the driver */
	bool subgroup_control_extension; /* web_subgroup needs VK_EXT_subgroup_size_control */
	bool f16_extension, dot4_extension,
	        zero_extension; /* those features come by extensions, not by version */
};

struct adapters {
	VkInstance instance;
	uint32_t count;
	struct adapter *all; /* owned */
};

/* Loads the drivers and looks at every device. No device at all is no error. */
int adapters_find(struct adapters *ret_adapters, struct error *err);
void adapters_free(struct adapters *adapters); /* NULL is fine */
const struct adapter *adapters_by_id(const struct adapters *adapters, uint64_t id); /* or NULL */

const char *adapter_kind_name(enum adapter_kind kind); /* as the wire spells it */

/* identity.c: the two ids and the driver version as its vendor writes it. */
struct identity {
	VkPhysicalDeviceProperties basic;
	VkPhysicalDeviceIDProperties ids;
	VkPhysicalDeviceDriverProperties driver;
};
uint64_t identity_device(const struct identity *identity);
uint64_t identity_driver(const struct identity *identity);
void identity_version(const struct identity *identity, char ret_text[static 32]);
