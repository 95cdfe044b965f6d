/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a device the way the profile says. Must not know what runs on it. Invariant: under the
 * web profile the device's features, and so what its kernels may rely on, are those that Dawn
 * would turn on.
 */
#include "daemon/gpu/vulkan/device.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/vulkan/matrices.h"
#include "daemon/gpu/vulkan/result.h"
#include "daemon/gpu/watchdog.h"
#include "emit/spirv/spirv.h"

#include <stdlib.h>

#define OPEN_PATIENCE_S 30

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

static void choose_matrices(const struct vulkan_adapter *adapter, struct choices *choices)
{
	if (!(adapter->base.limits.features & FEATURE_MATRIX))
		return;
	choices->matrices.cooperativeMatrix = VK_TRUE;
	choices->memory_model.vulkanMemoryModel = VK_TRUE;
	choices->matrices.pNext = &choices->memory_model;
	choices->memory_model.pNext = choices->features.pNext;
	choices->features.pNext = &choices->matrices;
	choices->names[choices->name_count++] = MATRICES_EXTENSION;
}

/* What kernels may use, under every profile. */
static void choose_arithmetic(const struct vulkan_adapter *adapter, struct choices *choices)
{
	if (adapter->base.limits.features & FEATURE_F16) {
		choices->storage16.storageBuffer16BitAccess = VK_TRUE;
		choices->half.shaderFloat16 = VK_TRUE;
		choices->half.pNext = choices->features.pNext;
		choices->storage16.pNext = &choices->half;
		choices->features.pNext = &choices->storage16;
		if (adapter->f16_extension)
			choices->names[choices->name_count++] =
			        VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME;
	}
	if (adapter->base.limits.features & FEATURE_DOT4) {
		choices->dot.shaderIntegerDotProduct = VK_TRUE;
		choices->dot.pNext = choices->features.pNext;
		choices->features.pNext = &choices->dot;
		if (adapter->dot4_extension)
			choices->names[choices->name_count++] =
			        VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME;
	}
}

static void choose_web(const struct vulkan_adapter *adapter, struct choices *choices)
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

static const struct vulkan_adapter *adapter_of(const struct vulkan_device *device)
{
	return vulkan_adapter(device->base.adapter);
}

static VkResult create_device(struct vulkan_device *device)
{
	const float priority = 1;
	const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
	        .queueFamilyIndex = adapter_of(device)->queue_family,
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

	choose_arithmetic(adapter_of(device), &choices);
	choose_matrices(adapter_of(device), &choices);
	if (device->base.profile == PROFILE_WEB)
		choose_web(adapter_of(device), &choices);
	const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
	        .pNext = &choices.features,
	        .queueCreateInfoCount = 1,
	        .pQueueCreateInfos = &queue,
	        .enabledExtensionCount = choices.name_count,
	        .ppEnabledExtensionNames = choices.names};
	return vkCreateDevice(adapter_of(device)->physical, &info, NULL, &device->vk);
}

static VkResult create_rest(struct vulkan_device *device)
{
	const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
	        .queueFamilyIndex = adapter_of(device)->queue_family};
	const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
	const VkQueryPoolCreateInfo queries = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
	        .queryType = VK_QUERY_TYPE_TIMESTAMP,
	        .queryCount = 2};

	vkGetDeviceQueue(device->vk, adapter_of(device)->queue_family, 0, &device->queue);
	vkGetPhysicalDeviceMemoryProperties(adapter_of(device)->physical, &device->memory);
	VkResult result = vkCreateCommandPool(device->vk, &pool, NULL, &device->pool);
	if (!result)
		result = vkCreateFence(device->vk, &fence, NULL, &device->fence);
	if (!result && adapter_of(device)->timestamp_bits)
		result = vkCreateQueryPool(device->vk, &queries, NULL, &device->queries);
	return result;
}

/* The words that the profile asks for. Without the means to zero workgroup memory as Tint does
 * there is no telling what a page would run, and a native kernel is the nearest. */
static nnjit_emitter *emitter_of(const struct vulkan_adapter *adapter, enum profile profile)
{
	if (profile == PROFILE_NATIVE || !adapter->zeroes_workgroup)
		return emit_spirv;
	return adapter->robustness2 ? emit_spirv_web : emit_spirv_web_clamped;
}

int vulkan_open(const struct adapter *adapter, enum profile profile, struct device **ret_device,
        struct error *err)
{
	struct vulkan_device *device = calloc(1, sizeof *device);

	if (!device)
		return answer_no_memory("a device", err);
	device->base = (struct device){.api = &gpu_vulkan,
	        .adapter = adapter,
	        .profile = profile,
	        .emit = emitter_of(vulkan_adapter(adapter), profile)};
	watchdog_expect(OPEN_PATIENCE_S, "the driver did not open the device within 30 s");
	VkResult result = create_device(device);
	if (!result)
		result = create_rest(device);
	watchdog_rest();
	if (result) {
		vulkan_close(&device->base);
		return result_answer(result, "opening the device", err);
	}
	*ret_device = &device->base;
	return 0;
}

void vulkan_close(struct device *base)
{
	struct vulkan_device *device = vulkan_device(base);

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
