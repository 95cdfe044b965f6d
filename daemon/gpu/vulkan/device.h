/* SPDX-License-Identifier: Apache-2.0
 *
 * An opened device: one queue, one fence, one submission at a time. Everything waits with a limit.
 */
#pragma once

#include "daemon/gpu/device.h"
#include "daemon/gpu/vulkan/adapter.h"

struct vulkan_device {
	struct device base;
	VkDevice vk;
	VkQueue queue;
	VkCommandPool pool;
	VkFence fence;
	VkQueryPool queries; /* before and after; NULL where there are no timestamps */
	VkPhysicalDeviceMemoryProperties memory;
};

static inline struct vulkan_device *vulkan_device(struct device *device)
{
	return (struct vulkan_device *)device;
}

int vulkan_open(const struct adapter *adapter, enum profile profile, struct device **ret_device,
        struct error *err);
void vulkan_close(struct device *device);
