/* SPDX-License-Identifier: Apache-2.0
 *
 * Vulkan buffers, each with memory of its own: a handful exist at a time, all large. Must not know
 * what they hold. Invariant: `mapped` is set only for coherent memory, so nobody ever flushes.
 */
#include "daemon/gpu/vulkan/buffers.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/vulkan/commands.h"
#include "daemon/gpu/vulkan/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (16u << 20) /* of a staged copy */

#define HOST_DIRECT (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
#define HOST_CACHED (HOST_DIRECT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

/* What a buffer is for and the memory wanted, best first; the driver orders types of equal use by
 * its own preference. */
struct wish {
	VkBufferUsageFlags usage;
	VkMemoryPropertyFlags memory[2];
	bool mapped; /* always, else only where the memory is cached */
};

static const struct wish wishes[GPU_PLACE_COUNT] = {
        [GPU_STORAGE] = {VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0}, false},
        [GPU_UNIFORM] = {VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT, {HOST_DIRECT, HOST_DIRECT}, true},
        [GPU_DOWNLOAD] = {VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, {HOST_CACHED, HOST_DIRECT}, true},
};
static const struct wish staging_wish = {
        VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, {HOST_DIRECT, HOST_DIRECT}, true};

/* ---- Making. */

/* UINT32_MAX where no type will do. */
static uint32_t memory_type(
        const struct vulkan_device *device, uint32_t allowed, const struct wish *wish)
{
	for (size_t choice = 0; choice < 2; choice++) {
		VkMemoryPropertyFlags flags = wish->memory[choice];
		for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
			if (allowed >> i & 1 &&
			        (device->memory.memoryTypes[i].propertyFlags & flags) == flags)
				return i;
	}
	return UINT32_MAX;
}

static VkResult allocate(
        struct vulkan_device *device, const struct wish *wish, struct vulkan_buffer *buffer)
{
	VkMemoryRequirements needs;

	vkGetBufferMemoryRequirements(device->vk, buffer->vk, &needs);
	uint32_t type = memory_type(device, needs.memoryTypeBits, wish);
	if (type == UINT32_MAX)
		return VK_ERROR_OUT_OF_DEVICE_MEMORY;
	const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
	        .allocationSize = needs.size,
	        .memoryTypeIndex = type};
	VkResult result = vkAllocateMemory(device->vk, &info, NULL, &buffer->memory);
	if (!result)
		result = vkBindBufferMemory(device->vk, buffer->vk, buffer->memory, 0);
	VkMemoryPropertyFlags flags = device->memory.memoryTypes[type].propertyFlags;
	if (!result && (wish->mapped || (flags & HOST_CACHED) == HOST_CACHED))
		result = vkMapMemory(
		        device->vk, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->base.mapped);
	return result;
}

static int create(struct device *base, uint64_t bytes, const struct wish *wish,
        struct gpu_buffer **ret_buffer, struct error *err)
{
	struct vulkan_device *device = vulkan_device(base);
	struct vulkan_buffer *buffer = calloc(1, sizeof *buffer);
	const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
	        .size = bytes,
	        .usage = wish->usage | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
	                 VK_BUFFER_USAGE_TRANSFER_DST_BIT};
	char doing[64];

	if (!buffer)
		return answer_no_memory("a buffer", err);
	buffer->base = (struct gpu_buffer){.device = base, .bytes = bytes};
	VkResult result = vkCreateBuffer(device->vk, &info, NULL, &buffer->vk);
	if (!result)
		result = allocate(device, wish, buffer);
	if (result) {
		vulkan_buffer_destroy(&buffer->base);
		snprintf(doing, sizeof doing, "allocating %" PRIu64 " bytes", bytes);
		return result_answer(result, doing, err);
	}
	*ret_buffer = &buffer->base;
	return 0;
}

int vulkan_buffer_create(struct device *device, uint64_t bytes, enum gpu_place place,
        struct gpu_buffer **ret_buffer, struct error *err)
{
	return create(device, bytes, &wishes[place], ret_buffer, err);
}

void vulkan_buffer_destroy(struct gpu_buffer *base)
{
	struct vulkan_buffer *buffer = (struct vulkan_buffer *)base;

	if (!buffer)
		return;
	vkDestroyBuffer(vulkan_device(base->device)->vk, buffer->vk, NULL);
	vkFreeMemory(vulkan_device(base->device)->vk, buffer->memory, NULL);
	free(buffer);
}

/* ---- Filling. */

static int copy_chunk(const struct gpu_buffer *from, const struct gpu_buffer *to,
        const VkBufferCopy *region, struct error *err)
{
	struct vulkan_device *device = vulkan_device(to->device);
	VkCommandBuffer commands;

	int answer = commands_begin(device, &commands, err);
	if (answer)
		return answer;
	vkCmdCopyBuffer(commands, vulkan_buffer(from)->vk, vulkan_buffer(to)->vk, 1, region);
	commands_barrier(commands);
	return commands_run_once(device, commands, err);
}

int vulkan_buffer_write(
        struct gpu_buffer *buffer, uint64_t at, const void *from, uint64_t bytes, struct error *err)
{
	uint64_t chunk = bytes < CHUNK_BYTES ? bytes : CHUNK_BYTES;
	struct gpu_buffer *staging = NULL;

	if (buffer->mapped) {
		memcpy((char *)buffer->mapped + at, from, bytes);
		return 0;
	}
	int answer = create(buffer->device, chunk, &staging_wish, &staging, err);
	for (uint64_t done = 0; !answer && done < bytes; done += chunk) {
		VkBufferCopy region = {.dstOffset = at + done,
		        .size = bytes - done < chunk ? bytes - done : chunk};
		memcpy(staging->mapped, (const char *)from + done, region.size);
		answer = copy_chunk(staging, buffer, &region, err);
	}
	if (answer != ANSWER_DEVICE_LOST)
		vulkan_buffer_destroy(staging);
	return answer;
}

int vulkan_buffer_fill(struct gpu_buffer *buffer, uint32_t word, struct error *err)
{
	struct vulkan_device *device = vulkan_device(buffer->device);
	VkCommandBuffer commands;

	int answer = commands_begin(device, &commands, err);
	if (answer)
		return answer;
	vkCmdFillBuffer(commands, vulkan_buffer(buffer)->vk, 0, VK_WHOLE_SIZE, word);
	commands_barrier(commands);
	return commands_run_once(device, commands, err);
}
