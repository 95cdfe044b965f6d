/* SPDX-License-Identifier: Apache-2.0
 *
 * Device memory. Kernels read and write storage buffers; the host reaches those through staging
 * ones, or directly where the memory is one and cached, as on devices that are the processor. What
 * a kernel reads once at its start lies in a uniform one, which the host writes directly.
 */
#pragma once

#include "daemon/gpu/vulkan/device.h"

struct vulkan_buffer {
	struct gpu_buffer base;
	VkBuffer vk;
	VkDeviceMemory memory;
};

static inline const struct vulkan_buffer *vulkan_buffer(const struct gpu_buffer *buffer)
{
	return (const struct vulkan_buffer *)buffer;
}

int vulkan_buffer_create(struct device *device, uint64_t bytes, enum gpu_place place,
        struct gpu_buffer **ret_buffer, struct error *err);
void vulkan_buffer_destroy(struct gpu_buffer *buffer);
int vulkan_buffer_write(struct gpu_buffer *buffer, uint64_t at, const void *from, uint64_t bytes,
        struct error *err);
int vulkan_buffer_fill(struct gpu_buffer *buffer, uint32_t word, struct error *err);
