/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a device the way the profile says, and running one command buffer at a time on it. Must
 * not know what the commands do. Invariant: when a submit returns without ANSWER_DEVICE_LOST, the
 * queue is idle.
 */
#include "daemon/gpu/device.h"
#include "daemon/gpu/fault.h"
#include "daemon/gpu/matrices.h"
#include "daemon/gpu/watchdog.h"

#include <stdlib.h>
#include <time.h>

#define OPEN_PATIENCE_S 30

double device_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

#define EXTENSIONS_MAX 5

/* What is turned on: features chained to `features`, names of extensions into `names`. */
struct choices {
	VkPhysicalDeviceFeatures2 features;
	VkPhysicalDeviceRobustness2FeaturesEXT robustness2;
	VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_control;
	VkPhysicalDeviceZeroInitializeWorkgroupMemoryFeatures zero;
	VkPhysicalDevice16BitStorageFeatures storage16;
	VkPhysicalDeviceShaderFloat16Int8Features half;
	VkPhysicalDeviceShaderIntegerDotProductFeatures dot;
	struct matrices_features matrices;
	VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
	const char *names[EXTENSIONS_MAX];
	uint32_t name_count;
};

static void choose_matrices(const struct adapter *adapter, struct choices *choices)
{
	if (!(adapter->limits.features & FEATURE_MATRIX))
		return;
	choices->matrices.cooperativeMatrix = VK_TRUE;
	choices->memory_model.vulkanMemoryModel = VK_TRUE;
	choices->matrices.pNext = &choices->memory_model;
	choices->memory_model.pNext = choices->features.pNext;
	choices->features.pNext = &choices->matrices;
	choices->names[choices->name_count++] = MATRICES_EXTENSION;
}

/* What kernels may use, under every profile. */
static void choose_arithmetic(const struct adapter *adapter, struct choices *choices)
{
	if (adapter->limits.features & FEATURE_F16) {
		choices->storage16.storageBuffer16BitAccess = VK_TRUE;
		choices->half.shaderFloat16 = VK_TRUE;
		choices->half.pNext = choices->features.pNext;
		choices->storage16.pNext = &choices->half;
		choices->features.pNext = &choices->storage16;
		if (adapter->f16_extension)
			choices->names[choices->name_count++] =
			        VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME;
	}
	if (adapter->limits.features & FEATURE_DOT4) {
		choices->dot.shaderIntegerDotProduct = VK_TRUE;
		choices->dot.pNext = choices->features.pNext;
		choices->features.pNext = &choices->dot;
		if (adapter->dot4_extension)
			choices->names[choices->name_count++] =
			        VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME;
	}
}

static void choose_web(const struct adapter *adapter, struct choices *choices)
{
	choices->features.features.robustBufferAccess = VK_TRUE;
	if (adapter->robustness2) {
		choices->robustness2.robustBufferAccess2 = VK_TRUE;
		choices->robustness2.pNext = choices->features.pNext;
		choices->features.pNext = &choices->robustness2;
		choices->names[choices->name_count++] = VK_EXT_ROBUSTNESS_2_EXTENSION_NAME;
	}
	if (adapter->zeroes_workgroup) {
		choices->zero.shaderZeroInitializeWorkgroupMemory = VK_TRUE;
		choices->zero.pNext = choices->features.pNext;
		choices->features.pNext = &choices->zero;
		if (adapter->zero_extension)
			choices->names[choices->name_count++] =
			        VK_KHR_ZERO_INITIALIZE_WORKGROUP_MEMORY_EXTENSION_NAME;
	}
	if (!adapter->web_subgroup)
		return;
	choices->subgroup_control.subgroupSizeControl = VK_TRUE;
	choices->subgroup_control.pNext = choices->features.pNext;
	choices->features.pNext = &choices->subgroup_control;
	if (adapter->subgroup_control_extension)
		choices->names[choices->name_count++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
}

static VkResult create_device(struct device *device)
{
	const float priority = 1;
	const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
	        .queueFamilyIndex = device->adapter->queue_family,
	        .queueCount = 1,
	        .pQueuePriorities = &priority};
	struct choices choices = {.features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
	        .robustness2.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
	        .subgroup_control.sType =
	                VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
	        .zero.sType =
	                VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ZERO_INITIALIZE_WORKGROUP_MEMORY_FEATURES,
	        .storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
	        .half.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
	        .dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES,
	        .matrices.sType = (VkStructureType)MATRICES_FEATURES_TYPE,
	        .memory_model.sType =
	                VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};

	choose_arithmetic(device->adapter, &choices);
	choose_matrices(device->adapter, &choices);
	if (device->profile == PROFILE_WEB)
		choose_web(device->adapter, &choices);
	const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
	        .pNext = &choices.features,
	        .queueCreateInfoCount = 1,
	        .pQueueCreateInfos = &queue,
	        .enabledExtensionCount = choices.name_count,
	        .ppEnabledExtensionNames = choices.names};
	return vkCreateDevice(device->adapter->physical, &info, NULL, &device->vk);
}

static VkResult create_rest(struct device *device)
{
	const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
	        .queueFamilyIndex = device->adapter->queue_family};
	const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
	const VkQueryPoolCreateInfo queries = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
	        .queryType = VK_QUERY_TYPE_TIMESTAMP,
	        .queryCount = 2};

	vkGetDeviceQueue(device->vk, device->adapter->queue_family, 0, &device->queue);
	vkGetPhysicalDeviceMemoryProperties(device->adapter->physical, &device->memory);
	VkResult result = vkCreateCommandPool(device->vk, &pool, NULL, &device->pool);
	if (!result)
		result = vkCreateFence(device->vk, &fence, NULL, &device->fence);
	device->clock_untrusted = fault_planted(FAULT_UNTIMED, &(uint64_t){0});
	if (!result && device->adapter->timestamp_bits)
		result = vkCreateQueryPool(device->vk, &queries, NULL, &device->queries);
	return result;
}

int device_open(const struct adapter *adapter, enum profile profile, struct device **ret_device,
        struct error *err)
{
	struct device *device = calloc(1, sizeof *device);

	if (!device)
		return answer_no_memory("a device", err);
	device->adapter = adapter;
	device->profile = profile;
	watchdog_expect(OPEN_PATIENCE_S, "the driver did not open the device within 30 s");
	VkResult result = create_device(device);
	if (!result)
		result = create_rest(device);
	watchdog_rest();
	if (result) {
		device_close(device);
		return answer_of(result, "opening the device", err);
	}
	*ret_device = device;
	return 0;
}

void device_close(struct device *device)
{
	if (!device)
		return;
	if (device->vk) {
		vkDestroyQueryPool(device->vk, device->queries, NULL);
		vkDestroyFence(device->vk, device->fence, NULL);
		vkDestroyCommandPool(device->vk, device->pool, NULL);
		vkDestroyDevice(device->vk, NULL);
	}
	free(device);
}

int device_begin(struct device *device, VkCommandBuffer *ret_commands, struct error *err)
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
		return answer_of(result, "allocating a command buffer", err);
	result = vkBeginCommandBuffer(commands, &begin);
	if (result) {
		device_free_commands(device, commands);
		return answer_of(result, "beginning a command buffer", err);
	}
	*ret_commands = commands;
	return 0;
}

void device_free_commands(struct device *device, VkCommandBuffer commands)
{
	if (commands)
		vkFreeCommandBuffers(device->vk, device->pool, 1, &commands);
}

int device_end(VkCommandBuffer commands, struct error *err)
{
	return answer_of(vkEndCommandBuffer(commands), "recording commands", err);
}

/* How long to wait, and what it means that it was not enough. */
struct patience {
	unsigned int seconds;
	const char *sentence;
};
static const struct patience running = {DEVICE_PATIENCE_S, "the kernel did not end within 10 s"};
static const struct patience compiling = {COMPILE_PATIENCE_S, COMPILE_TOO_LONG};

static int wait_for(struct device *device, const struct patience *patience, struct error *err)
{
	VkResult result = vkWaitForFences(
	        device->vk, 1, &device->fence, VK_TRUE, patience->seconds * 1000000000ull);

	if (result == VK_TIMEOUT)
		return error_set(err, ANSWER_DEVICE_LOST, "", "%s", patience->sentence);
	return answer_of(result, "running the kernel", err);
}

static int submit(struct device *device, VkCommandBuffer commands, const struct patience *patience,
        double *ret_wall_ns, struct error *err)
{
	const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
	        .commandBufferCount = 1,
	        .pCommandBuffers = &commands};

	VkResult result = vkResetFences(device->vk, 1, &device->fence);
	if (result)
		return answer_of(result, "resetting a fence", err);
	/* Drivers that work inside vkQueueSubmit, or whose wait does not keep its time. */
	watchdog_expect(patience->seconds + 2, patience->sentence);
	double start_ns = device_now_ns();
	result = vkQueueSubmit(device->queue, 1, &info, device->fence);
	int answer = result ? answer_of(result, "submitting commands", err)
	                    : wait_for(device, patience, err);
	if (!answer && ret_wall_ns)
		*ret_wall_ns = device_now_ns() - start_ns;
	watchdog_rest();
	return answer;
}

int device_submit(
        struct device *device, VkCommandBuffer commands, double *ret_wall_ns, struct error *err)
{
	return submit(device, commands, &running, ret_wall_ns, err);
}

int device_submit_compile(struct device *device, VkCommandBuffer commands, struct error *err)
{
	return submit(device, commands, &compiling, NULL, err);
}

int device_submit_once(struct device *device, VkCommandBuffer commands, struct error *err)
{
	int answer = device_end(commands, err);

	if (!answer)
		answer = device_submit(device, commands, NULL, err);
	/* A lost device still holds the buffer: the process ends without tidying up. */
	if (answer != ANSWER_DEVICE_LOST)
		device_free_commands(device, commands);
	return answer;
}

void device_barrier(VkCommandBuffer commands)
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
