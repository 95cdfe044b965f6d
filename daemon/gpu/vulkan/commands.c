/* SPDX-License-Identifier: Apache-2.0
 *
 * Recording command buffers and running one at a time. Must not know why something runs.
 *Invariants: when a submission returns without ANSWER_DEVICE_LOST, the queue is idle; and the two
 *timestamps enclose the dispatches of one submission and nothing else.
 *
 *	reset queries, bind | timestamp 0 | dispatch, order, dispatch, ... | timestamp 1 | barrier
 *
 * Between two dispatches stands what Dawn puts there in a compute pass, and no more: a barrier
 * towards copies and the host as well costs a GPU about a microsecond, a third of a short kernel.
 */
#include "daemon/gpu/vulkan/commands.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/vulkan/buffers.h"
#include "daemon/gpu/vulkan/pipeline.h"
#include "daemon/gpu/vulkan/result.h"
#include "daemon/gpu/watchdog.h"

#include <stdlib.h>

/* How long to wait, and what it means that it was not enough. */
struct patience {
	unsigned int seconds;
	const char *sentence;
};
static const struct patience running = {GPU_PATIENCE_S, "the kernel did not end within 10 s"};
static const struct patience compiling = {GPU_COMPILE_PATIENCE_S, GPU_COMPILE_TOO_LONG};

/* ---- Command buffers. */

static void free_buffer(struct vulkan_device *device, VkCommandBuffer commands)
{
	vkFreeCommandBuffers(device->vk, device->pool, 1, &commands);
}

int commands_begin(struct vulkan_device *device, VkCommandBuffer *ret_commands, struct error *err)
{
	const VkCommandBufferAllocateInfo allocation = {
	        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
	        .commandPool = device->pool,
	        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
	        .commandBufferCount = 1};
	const VkCommandBufferBeginInfo begin = {
	        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
	VkCommandBuffer commands;

	VkResult result = vkAllocateCommandBuffers(device->vk, &allocation, &commands);
	if (result)
		return result_answer(result, "allocating a command buffer", err);
	result = vkBeginCommandBuffer(commands, &begin);
	if (result) {
		free_buffer(device, commands);
		return result_answer(result, "beginning a command buffer", err);
	}
	*ret_commands = commands;
	return 0;
}

static int end(VkCommandBuffer commands, struct error *err)
{
	return result_answer(vkEndCommandBuffer(commands), "recording commands", err);
}

void commands_barrier(VkCommandBuffer commands)
{
	const VkPipelineStageFlags writers = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT |
	                                     VK_PIPELINE_STAGE_TRANSFER_BIT;
	const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
	        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
	        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
	                         VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
	                         VK_ACCESS_HOST_READ_BIT};

	vkCmdPipelineBarrier(commands, writers, writers | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
	        &barrier, 0, NULL, 0, NULL);
}

/* One dispatch after the other: what the first wrote the second sees. */
static void order_dispatches(VkCommandBuffer commands)
{
	const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
	        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
	        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT};

	vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
	        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
}

/* ---- Submitting. */

static int wait_for(
        struct vulkan_device *device, const struct patience *patience, struct error *err)
{
	VkResult result = vkWaitForFences(
	        device->vk, 1, &device->fence, VK_TRUE, patience->seconds * 1000000000ull);

	if (result == VK_TIMEOUT)
		return error_set(err, ANSWER_DEVICE_LOST, "", "%s", patience->sentence);
	return result_answer(result, "running the kernel", err);
}

/* ret_wall_ns may be NULL. */
static int submit(struct vulkan_device *device, VkCommandBuffer commands,
        const struct patience *patience, double *ret_wall_ns, struct error *err)
{
	const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
	        .commandBufferCount = 1,
	        .pCommandBuffers = &commands};

	VkResult result = vkResetFences(device->vk, 1, &device->fence);
	if (result)
		return result_answer(result, "resetting a fence", err);
	/* Drivers that work inside vkQueueSubmit, or whose wait does not keep its time. */
	watchdog_expect(patience->seconds + 2, patience->sentence);
	double start_ns = device_now_ns();
	result = vkQueueSubmit(device->queue, 1, &info, device->fence);
	int answer = result ? result_answer(result, "submitting commands", err)
	                    : wait_for(device, patience, err);
	if (!answer && ret_wall_ns)
		*ret_wall_ns = device_now_ns() - start_ns;
	watchdog_rest();
	return answer;
}

/* What is recorded, then freed. */
static int run_once(struct vulkan_device *device, VkCommandBuffer commands,
        const struct patience *patience, struct error *err)
{
	int answer = end(commands, err);

	if (!answer)
		answer = submit(device, commands, patience, NULL, err);
	/* A lost device still holds the buffer: the process ends without tidying up. */
	if (answer != ANSWER_DEVICE_LOST)
		free_buffer(device, commands);
	return answer;
}

int commands_run_once(struct vulkan_device *device, VkCommandBuffer commands, struct error *err)
{
	return run_once(device, commands, &running, err);
}

/* Between the two timestamps; negative where there are none. */
static double stamped_ns(struct vulkan_device *device)
{
	const struct vulkan_adapter *adapter = vulkan_adapter(device->base.adapter);
	uint32_t bits = adapter->timestamp_bits;
	uint64_t ticks[2] = {0}, mask = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;

	VkResult result = vkGetQueryPoolResults(device->vk, device->queries, 0, 2, sizeof ticks,
	        ticks, sizeof *ticks, VK_QUERY_RESULT_64_BIT);
	return result ? -1 : (double)((ticks[1] - ticks[0]) & mask) * adapter->timestamp_ns;
}

int vulkan_submit(struct gpu_commands *base, struct gpu_elapsed *ret_elapsed, struct error *err)
{
	const struct vulkan_commands *commands = (struct vulkan_commands *)base;
	struct vulkan_device *device = vulkan_device(base->device);
	struct gpu_elapsed elapsed = {.stamped_ns = -1};
	int answer = submit(device, commands->vk, &running, &elapsed.wall_ns, err);

	if (answer)
		return answer;
	if (commands->stamped && ret_elapsed)
		elapsed.stamped_ns = stamped_ns(device);
	if (ret_elapsed)
		*ret_elapsed = elapsed;
	return 0;
}

/* ---- Recording. */

/* A recording, begun. */
static int record_begin(
        struct device *base, struct vulkan_commands **ret_commands, struct error *err)
{
	struct vulkan_commands *commands = calloc(1, sizeof *commands);

	if (!commands)
		return answer_no_memory("a recording", err);
	commands->base.device = base;
	int answer = commands_begin(vulkan_device(base), &commands->vk, err);
	if (answer)
		free(commands);
	else
		*ret_commands = commands;
	return answer;
}

static int record_end(
        struct vulkan_commands *commands, struct gpu_commands **ret_commands, struct error *err)
{
	int answer = end(commands->vk, err);

	if (answer)
		vulkan_commands_destroy(&commands->base);
	else
		*ret_commands = &commands->base;
	return answer;
}

void vulkan_commands_destroy(struct gpu_commands *base)
{
	struct vulkan_commands *commands = (struct vulkan_commands *)base;

	if (!commands)
		return;
	free_buffer(vulkan_device(base->device), commands->vk);
	free(commands);
}

static void bind(VkCommandBuffer commands, const struct gpu_launch *launch)
{
	const struct vulkan_bindings *bindings = vulkan_bindings(launch->bindings);

	vkCmdBindPipeline(
	        commands, VK_PIPELINE_BIND_POINT_COMPUTE, vulkan_pipeline(launch->pipeline)->vk);
	vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, bindings->layout, 0, 1,
	        &bindings->sets[launch->set], 0, NULL);
}

static void dispatch_once(VkCommandBuffer commands, const struct gpu_dispatch *dispatch)
{
	const uint32_t *base = dispatch->base, *count = dispatch->count;

	if (base[0] || base[1] || base[2])
		vkCmdDispatchBase(
		        commands, base[0], base[1], base[2], count[0], count[1], count[2]);
	else
		vkCmdDispatch(commands, count[0], count[1], count[2]);
}

static void stamp(const struct vulkan_device *device, VkCommandBuffer commands,
        VkPipelineStageFlagBits stage, uint32_t query)
{
	if (device->queries)
		vkCmdWriteTimestamp(commands, stage, device->queries, query);
}

int vulkan_record_dispatch(
        const struct gpu_dispatch *dispatch, struct gpu_commands **ret_commands, struct error *err)
{
	struct vulkan_device *device = vulkan_device(dispatch->launch->bindings->device);
	struct vulkan_commands *commands;

	int answer = record_begin(&device->base, &commands, err);
	if (answer)
		return answer;
	commands->stamped = device->queries != VK_NULL_HANDLE;
	if (commands->stamped)
		vkCmdResetQueryPool(commands->vk, device->queries, 0, 2);
	bind(commands->vk, dispatch->launch);
	stamp(device, commands->vk, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0);
	for (uint32_t i = 0; i < dispatch->repeats; i++) {
		if (i)
			order_dispatches(commands->vk);
		dispatch_once(commands->vk, dispatch);
	}
	stamp(device, commands->vk, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 1);
	commands_barrier(commands->vk);
	return record_end(commands, ret_commands, err);
}

static int copy_regions(
        VkCommandBuffer commands, const struct gpu_copies *copies, struct error *err)
{
	VkBufferCopy *regions = calloc(copies->count + 1, sizeof *regions);

	if (!regions)
		return answer_no_memory("a recording", err);
	for (uint32_t i = 0; i < copies->count; i++)
		regions[i] = (VkBufferCopy){.srcOffset = copies->regions[i].from,
		        .dstOffset = copies->regions[i].to,
		        .size = copies->regions[i].bytes};
	commands_barrier(commands);
	vkCmdCopyBuffer(commands, vulkan_buffer(copies->from)->vk, vulkan_buffer(copies->to)->vk,
	        copies->count, regions);
	commands_barrier(commands);
	free(regions);
	return 0;
}

int vulkan_record_copies(
        const struct gpu_copies *copies, struct gpu_commands **ret_commands, struct error *err)
{
	struct vulkan_commands *commands;

	int answer = record_begin(copies->from->device, &commands, err);
	if (answer)
		return answer;
	answer = copy_regions(commands->vk, copies, err);
	if (!answer)
		return record_end(commands, ret_commands, err);
	vulkan_commands_destroy(&commands->base);
	return answer;
}

/* An empty launch: no workgroup at all. */
int vulkan_pipeline_warm(const struct gpu_launch *launch, struct error *err)
{
	struct vulkan_device *device = vulkan_device(launch->pipeline->device);
	VkCommandBuffer commands;
	int answer = commands_begin(device, &commands, err);

	if (answer)
		return answer;
	bind(commands, launch);
	vkCmdDispatch(commands, 0, 1, 1);
	return run_once(device, commands, &compiling, err);
}
