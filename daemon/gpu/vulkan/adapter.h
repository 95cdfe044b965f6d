/* SPDX-License-Identifier: Apache-2.0
 *
 * A device as Vulkan shows it: what the worker may know, and what opening it takes.
 */
#pragma once

#include "daemon/gpu/adapter.h"

#include <vulkan/vulkan.h>

struct vulkan_adapter {
	struct adapter base;
	VkPhysicalDevice physical; /* of the listing's instance */
	uint32_t version;          /* of Vulkan */
	uint32_t
	        queue_family; /* one that computes, and draws where there is one: Dawn takes that */
	uint32_t timestamp_bits;         /* 0: the queue has no timestamps */
	double timestamp_ns;             /* one tick */
	bool robustness2;                /* VK_EXT_robustness2 with robustBufferAccess2 */
	bool zeroes_workgroup;           /* workgroup memory may have a zero initialiser */
	uint32_t web_subgroup;           /* the subgroup size Dawn asks for; 0: the driver's own */
	bool subgroup_control_extension; /* web_subgroup needs VK_EXT_subgroup_size_control */
	bool f16_extension, dot4_extension,
	        zero_extension; /* those features come by extensions, not by version */
};

static inline const struct vulkan_adapter *vulkan_adapter(const struct adapter *adapter)
{
	return (const struct vulkan_adapter *)adapter;
}

/* What the ids are made of. */
struct identity {
	VkPhysicalDeviceProperties basic;
	VkPhysicalDeviceIDProperties ids;
	VkPhysicalDeviceDriverProperties driver;
};
/* Sets the two ids and the driver's version as its vendor writes it. */
void identity_fill(const struct identity *identity, struct adapter *adapter);

/* listing.c, for the API's table. */
int vulkan_list(struct gpu_listing **ret_listing, struct error *err);
void vulkan_unlist(struct gpu_listing *listing);
