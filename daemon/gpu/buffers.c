/* SPDX-License-Identifier: Apache-2.0
 *
 * Vulkan buffers, each with memory of its own: a handful exist at a time, all large. Must not know
 * what they hold. Invariant: `mapped` is set only for coherent memory, so nobody ever flushes.
 */
#include "daemon/gpu/buffers.h"
#include "daemon/gpu/fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES (16u << 20) /* of a staged copy */

#define HOST_DIRECT (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
#define HOST_CACHED (HOST_DIRECT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

/* The memory wanted, best first; the driver orders types of equal use by its own preference. */
static const VkMemoryPropertyFlags wanted[][3] = {
        [PLACE_STORAGE] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0, 0},
        [PLACE_UNIFORM] = {HOST_DIRECT, HOST_DIRECT, HOST_DIRECT},
        [PLACE_UPLOAD] = {HOST_DIRECT, HOST_DIRECT, HOST_DIRECT},
        [PLACE_DOWNLOAD] = {HOST_CACHED, HOST_DIRECT, HOST_DIRECT},
};

/* UINT32_MAX where no type will do. */
static uint32_t memory_type(const struct device *device, uint32_t allowed, enum placement placement)
{
	for (size_t choice = 0; choice < 3; choice++) {
		VkMemoryPropertyFlags flags = wanted[placement][choice];
		for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
			if (allowed >> i & 1 &&
			        (device->memory.memoryTypes[i].propertyFlags & flags) == flags)
				return i;
	}
	return UINT32_MAX;
}

static VkResult allocate(struct device *device, enum placement placement, struct gpu_buffer *buffer)
{
	VkMemoryRequirements needs;
	uint64_t most;

	if (fault_planted(FAULT_MEMORY, &most) && buffer->bytes > most)
		return VK_ERROR_OUT_OF_DEVICE_MEMORY;
	vkGetBufferMemoryRequirements(device->vk, buffer->vk, &needs);
	uint32_t type = memory_type(device, needs.memoryTypeBits, placement);
	if (type == UINT32_MAX)
		return VK_ERROR_OUT_OF_DEVICE_MEMORY;
	const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
	        .allocationSize = needs.size,
	        .memoryTypeIndex = type};
	VkResult result = vkAllocateMemory(device->vk, &info, NULL, &buffer->memory);
	if (!result)
		result = vkBindBufferMemory(device->vk, buffer->vk, buffer->memory, 0);
	VkMemoryPropertyFlags flags = device->memory.memoryTypes[type].propertyFlags;
	if (!result && (placement != PLACE_STORAGE || (flags & HOST_CACHED) == HOST_CACHED))
		result = vkMapMemory(
		        device->vk, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->mapped);
	return result;
}

int buffers_create(struct device *device, VkDeviceSize bytes, enum placement placement,
        struct gpu_buffer *ret_buffer, struct error *err)
{
	struct gpu_buffer buffer = {.bytes = bytes};
	const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
	        .size = bytes,
	        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
	                 (placement == PLACE_UNIFORM ? VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT
	                                             : VK_BUFFER_USAGE_STORAGE_BUFFER_BIT)};
	char doing[64];

	VkResult result = vkCreateBuffer(device->vk, &info, NULL, &buffer.vk);
	if (!result)
		result = allocate(device, placement, &buffer);
	if (result) {
		buffers_destroy(device, &buffer);
		snprintf(doing, sizeof doing, "allocating %" PRIu64 " bytes", (uint64_t)bytes);
		return answer_of(result, doing, err);
	}
	*ret_buffer = buffer;
	return 0;
}

void buffers_destroy(struct device *device, struct gpu_buffer *buffer)
{
	vkDestroyBuffer(device->vk, buffer->vk, NULL);
	vkFreeMemory(device->vk, buffer->memory, NULL);
	*buffer = (struct gpu_buffer){0};
}

uint64_t buffers_host_free_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib, bytes = UINT64_MAX;
	char line[128];

	if (!file)
		return bytes;
	while (bytes == UINT64_MAX && fgets(line, sizeof line, file))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			bytes = kib * 1024;
	fclose(file);
	return bytes;
}

static int copy_chunk(struct device *device, const struct gpu_buffer *from, struct gpu_buffer *to,
        VkDeviceSize to_offset, VkDeviceSize bytes, struct error *err)
{
	const VkBufferCopy region = {.dstOffset = to_offset, .size = bytes};
	VkCommandBuffer commands;

	int answer = device_begin(device, &commands, err);
	if (answer)
		return answer;
	vkCmdCopyBuffer(commands, from->vk, to->vk, 1, &region);
	device_barrier(commands);
	return device_submit_once(device, commands, err);
}

int buffers_write(
        struct device *device, struct gpu_buffer *buffer, const void *from, struct error *err)
{
	struct gpu_buffer staging = {0};
	int answer = 0;

	if (buffer->mapped) {
		memcpy(buffer->mapped, from, buffer->bytes);
		return 0;
	}
	VkDeviceSize chunk = buffer->bytes < CHUNK_BYTES ? buffer->bytes : CHUNK_BYTES;
	answer = buffers_create(device, chunk, PLACE_UPLOAD, &staging, err);
	for (VkDeviceSize at = 0; !answer && at < buffer->bytes; at += chunk) {
		VkDeviceSize bytes = buffer->bytes - at < chunk ? buffer->bytes - at : chunk;
		memcpy(staging.mapped, (const char *)from + at, bytes);
		answer = copy_chunk(device, &staging, buffer, at, bytes, err);
	}
	if (answer != ANSWER_DEVICE_LOST)
		buffers_destroy(device, &staging);
	return answer;
}

int buffers_fill(struct device *device, struct gpu_buffer *buffer, uint32_t word, struct error *err)
{
	VkCommandBuffer commands;

	int answer = device_begin(device, &commands, err);
	if (answer)
		return answer;
	vkCmdFillBuffer(commands, buffer->vk, 0, VK_WHOLE_SIZE, word);
	device_barrier(commands);
	return device_submit_once(device, commands, err);
}
