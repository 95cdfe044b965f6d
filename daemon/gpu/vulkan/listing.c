/* SPDX-License-Identifier: Apache-2.0
 *
 * Every Vulkan device that can compute, as plain data. Asks the driver and writes down what it
 * says; decides nothing from a vendor's name. Invariant: every adapter of a listing computes with
 * Vulkan 1.1 at least.
 */
#include "base/cleanup.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/vulkan/adapter.h"
#include "daemon/gpu/vulkan/chromium.h"
#include "daemon/gpu/vulkan/matrices.h"
#include "daemon/gpu/vulkan/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_FAMILIES_MAX 32

static enum adapter_kind kind_of(VkPhysicalDeviceType type)
{
	switch (type) {
	case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
		return ADAPTER_INTEGRATED;
	case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
		return ADAPTER_DISCRETE;
	case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
		return ADAPTER_VIRTUAL;
	case VK_PHYSICAL_DEVICE_TYPE_CPU:
		return ADAPTER_CPU;
	default:
		return ADAPTER_OTHER;
	}
}

static uint32_t least(const uint32_t three[3])
{
	uint32_t two = three[0] < three[1] ? three[0] : three[1];

	return two < three[2] ? two : three[2];
}

static void read_limits(const VkPhysicalDeviceLimits *from, struct limits *to)
{
	*to = (struct limits){
	        .invocations = from->maxComputeWorkGroupInvocations,
	        .size_x = from->maxComputeWorkGroupSize[0],
	        .size_y = from->maxComputeWorkGroupSize[1],
	        .size_z = from->maxComputeWorkGroupSize[2],
	        .workgroups = least(from->maxComputeWorkGroupCount),
	        .workgroup_bytes = from->maxComputeSharedMemorySize,
	        .storage_buffers = from->maxPerStageDescriptorStorageBuffers,
	        .binding_bytes = from->maxStorageBufferRange,
	};
}

static bool has_extension(VkPhysicalDevice physical, const char *name)
{
	uint32_t count = 0;
	bool found = false;

	if (vkEnumerateDeviceExtensionProperties(physical, NULL, &count, NULL) || !count)
		return false;
	VkExtensionProperties *all = calloc(count, sizeof *all);
	if (all && vkEnumerateDeviceExtensionProperties(physical, NULL, &count, all) >= 0)
		for (uint32_t i = 0; i < count && !found; i++)
			found = !strcmp(all[i].extensionName, name);
	free(all);
	return found;
}

/* Where the size may vary Dawn compiles for twice the least, unless that is more than the most. */
static uint32_t web_subgroup(const VkPhysicalDeviceSubgroupSizeControlProperties *control)
{
	if (!(control->requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) ||
	        control->minSubgroupSize >= control->maxSubgroupSize)
		return 0;
	return 2 * control->minSubgroupSize <= control->maxSubgroupSize
	               ? 2 * control->minSubgroupSize
	               : 0;
}

/* Kernels swap within quads only where a quad is a subgroup. */
static VkSubgroupFeatureFlags needed_of_subgroups(const VkPhysicalDeviceSubgroupProperties *basic)
{
	VkSubgroupFeatureFlags needed = VK_SUBGROUP_FEATURE_BASIC_BIT |
	                                VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;

	return basic->subgroupSize == 4 ? needed | VK_SUBGROUP_FEATURE_QUAD_BIT : needed;
}

static void read_subgroups(struct vulkan_adapter *adapter,
        const VkPhysicalDeviceSubgroupProperties *basic,
        const VkPhysicalDeviceSubgroupSizeControlProperties *control)
{
	const VkSubgroupFeatureFlags needed = needed_of_subgroups(basic);
	struct limits *limits = &adapter->base.limits;

	if (!(basic->supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) ||
	        (basic->supportedOperations & needed) != needed)
		return;
	limits->features |= FEATURE_SUBGROUPS;
	limits->subgroup_min = control->minSubgroupSize ? control->minSubgroupSize
	                                                : basic->subgroupSize;
	limits->subgroup_max = control->maxSubgroupSize ? control->maxSubgroupSize
	                                                : basic->subgroupSize;
	adapter->web_subgroup = web_subgroup(control);
}

_Static_assert(ADAPTER_TEXT == VK_MAX_PHYSICAL_DEVICE_NAME_SIZE &&
                       ADAPTER_TEXT == VK_MAX_DRIVER_NAME_SIZE &&
                       ADAPTER_TEXT == VK_MAX_DRIVER_INFO_SIZE,
        "names fit");

static void copy_names(const struct identity *identity, struct adapter *adapter)
{
	memcpy(adapter->name, identity->basic.deviceName, ADAPTER_TEXT);
	memcpy(adapter->driver_name, identity->driver.driverName, ADAPTER_TEXT);
	memcpy(adapter->driver_info, identity->driver.driverInfo, ADAPTER_TEXT);
}

/* Everything that takes a chain of structs to ask for. */
static void read_properties(struct vulkan_adapter *adapter)
{
	VkPhysicalDeviceSubgroupSizeControlProperties control = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
	VkPhysicalDeviceSubgroupProperties subgroup = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
	struct identity identity = {.ids.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
	        .driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
	VkPhysicalDeviceProperties2 all = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &identity.ids};
	bool core13 = adapter->version >= VK_API_VERSION_1_3;

	identity.ids.pNext = &subgroup;
	/* A struct the driver does not know is left as it is: zero. */
	if (adapter->version >= VK_API_VERSION_1_2 ||
	        has_extension(adapter->physical, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME))
		subgroup.pNext = &identity.driver;
	adapter->subgroup_control_extension = !core13 &&
	                                      has_extension(adapter->physical,
	                                              VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
	if (core13 || adapter->subgroup_control_extension) {
		control.pNext = subgroup.pNext;
		subgroup.pNext = &control;
	}
	vkGetPhysicalDeviceProperties2(adapter->physical, &all);
	identity.basic = all.properties;
	identity_fill(&identity, &adapter->base);
	copy_names(&identity, &adapter->base);
	read_limits(&identity.basic.limits, &adapter->base.limits);
	read_subgroups(adapter, &subgroup, &control);
	adapter->timestamp_ns = identity.basic.limits.timestampPeriod;
}

/* Whether the driver knows the features that came with this version or this extension. */
static bool knows(const struct vulkan_adapter *adapter, uint32_t version, const char *extension,
        bool *ret_by_extension)
{
	*ret_by_extension = adapter->version < version &&
	                    has_extension(adapter->physical, extension);
	return adapter->version >= version || *ret_by_extension;
}

/* Features that decide how the web profile is opened. */
static void read_features(struct vulkan_adapter *adapter)
{
	VkPhysicalDeviceSubgroupSizeControlFeatures control = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
	VkPhysicalDeviceRobustness2FeaturesEXT robustness = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT};
	VkPhysicalDeviceZeroInitializeWorkgroupMemoryFeatures zero = {
	        .sType =
	                VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ZERO_INITIALIZE_WORKGROUP_MEMORY_FEATURES};
	VkPhysicalDeviceFeatures2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};

	if (has_extension(adapter->physical, VK_EXT_ROBUSTNESS_2_EXTENSION_NAME))
		all.pNext = &robustness;
	if (knows(adapter, VK_API_VERSION_1_3,
	            VK_KHR_ZERO_INITIALIZE_WORKGROUP_MEMORY_EXTENSION_NAME,
	            &adapter->zero_extension)) {
		zero.pNext = all.pNext;
		all.pNext = &zero;
	}
	if (adapter->web_subgroup) {
		control.pNext = all.pNext;
		all.pNext = &control;
	}
	vkGetPhysicalDeviceFeatures2(adapter->physical, &all);
	adapter->robustness2 = robustness.robustBufferAccess2;
	adapter->zeroes_workgroup = zero.shaderZeroInitializeWorkgroupMemory;
	if (!control.subgroupSizeControl)
		adapter->web_subgroup = 0;
}

/* What kernels may compute with, where the device has it. */
static void read_arithmetic(struct vulkan_adapter *adapter)
{
	VkPhysicalDeviceShaderFloat16Int8Features half = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
	VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
	VkPhysicalDevice16BitStorageFeatures storage = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES};
	VkPhysicalDeviceFeatures2 all = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &storage};

	if (knows(adapter, VK_API_VERSION_1_2, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME,
	            &adapter->f16_extension))
		storage.pNext = &half;
	if (knows(adapter, VK_API_VERSION_1_3, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME,
	            &adapter->dot4_extension)) {
		dot.pNext = storage.pNext;
		storage.pNext = &dot;
	}
	vkGetPhysicalDeviceFeatures2(adapter->physical, &all);
	if (half.shaderFloat16 && storage.storageBuffer16BitAccess)
		adapter->base.limits.features |= FEATURE_F16;
	if (dot.shaderIntegerDotProduct)
		adapter->base.limits.features |= FEATURE_DOT4;
}

/* Cooperative matrices: their kernels use f16 and subgroups as well, and Vulkan 1.2's memory model.
 */
static void read_matrices(VkInstance instance, struct vulkan_adapter *adapter)
{
	const uint32_t needed = FEATURE_F16 | FEATURE_SUBGROUPS;
	struct limits *limits = &adapter->base.limits;

	if ((limits->features & needed) == needed && adapter->version >= VK_API_VERSION_1_2 &&
	        has_extension(adapter->physical, MATRICES_EXTENSION) &&
	        matrices_find(instance, adapter->physical, limits->matrices))
		limits->features |= FEATURE_MATRIX;
}

/* A family that computes, preferably one that also draws: it is the one Dawn takes. */
static bool read_queue(struct vulkan_adapter *adapter)
{
	VkQueueFamilyProperties families[QUEUE_FAMILIES_MAX];
	uint32_t count = QUEUE_FAMILIES_MAX, chosen = QUEUE_FAMILIES_MAX;

	vkGetPhysicalDeviceQueueFamilyProperties(adapter->physical, &count, families);
	for (uint32_t i = count; i-- > 0;) {
		bool draws = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
		if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || !families[i].queueCount)
			continue;
		if (draws || chosen == QUEUE_FAMILIES_MAX ||
		        !(families[chosen].queueFlags & VK_QUEUE_GRAPHICS_BIT))
			chosen = i;
	}
	if (chosen == QUEUE_FAMILIES_MAX)
		return false;
	adapter->queue_family = chosen;
	adapter->timestamp_bits = families[chosen].timestampValidBits;
	return true;
}

static void set_basics(const VkPhysicalDeviceProperties *basic, struct vulkan_adapter *adapter)
{
	struct adapter *base = &adapter->base;
	uint32_t version = basic->apiVersion;

	adapter->version = version;
	base->api = &gpu_vulkan;
	snprintf(base->api_version, sizeof base->api_version, "%u.%u.%u",
	        VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
	        VK_API_VERSION_PATCH(version));
	base->vendor_id = basic->vendorID;
	base->device_id = basic->deviceID;
	base->kind = kind_of(basic->deviceType);
}

/* False for a device that is no use here: too old a Vulkan, or nothing that computes. */
static bool describe(
        VkInstance instance, VkPhysicalDevice physical, struct vulkan_adapter *ret_adapter)
{
	struct vulkan_adapter adapter = {.physical = physical};
	VkPhysicalDeviceProperties basic;

	vkGetPhysicalDeviceProperties(physical, &basic);
	if (basic.apiVersion < VK_API_VERSION_1_1) {
		fprintf(stderr, "nnjit-gpu: skipping %s: it has Vulkan %u.%u, 1.1 is needed\n",
		        basic.deviceName, VK_API_VERSION_MAJOR(basic.apiVersion),
		        VK_API_VERSION_MINOR(basic.apiVersion));
		return false;
	}
	set_basics(&basic, &adapter);
	if (!read_queue(&adapter)) {
		fprintf(stderr, "nnjit-gpu: skipping %s: it has no compute queue\n",
		        basic.deviceName);
		return false;
	}
	read_properties(&adapter);
	read_features(&adapter);
	read_arithmetic(&adapter);
	read_matrices(instance, &adapter);
	if (!(adapter.timestamp_ns > 0))
		adapter.timestamp_bits = 0;
	adapter.base.timestamps = adapter.timestamp_bits != 0;
	*ret_adapter = adapter;
	return true;
}

/* ---- The list. */

struct vulkan_listing {
	struct gpu_listing base;
	VkInstance instance; /* NULL where there is no driver at all */
	struct vulkan_adapter *adapters;
};

static int create_instance(VkInstance *ret_instance, struct error *err)
{
	const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
	        .pApplicationName = "nnjit-gpu",
	        .apiVersion = VK_API_VERSION_1_3};
	const VkInstanceCreateInfo info = {
	        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
	VkResult result = vkCreateInstance(&info, NULL, ret_instance);

	if (result == VK_ERROR_INCOMPATIBLE_DRIVER) /* the loader's way to say: no driver at all */
		*ret_instance = VK_NULL_HANDLE;
	else if (result)
		return result_answer(result, "starting Vulkan", err);
	return 0;
}

static int describe_all(struct vulkan_listing *listing, VkPhysicalDevice physical[], uint32_t count,
        struct error *err)
{
	struct gpu_listing *base = &listing->base;

	if (count) {
		VkResult result = vkEnumeratePhysicalDevices(listing->instance, &count, physical);
		if (result < 0)
			return result_answer(result, "listing devices", err);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct vulkan_adapter *slot = &listing->adapters[base->count];
		if (describe(listing->instance, physical[i], slot))
			base->all[base->count++] = &slot->base;
	}
	return 0;
}

static int fill(struct vulkan_listing *listing, struct error *err)
{
	uint32_t count = 0;

	int answer = create_instance(&listing->instance, err);
	if (answer)
		return answer;
	if (listing->instance)
		vkEnumeratePhysicalDevices(listing->instance, &count, NULL);
	AUTO(free_pointer) VkPhysicalDevice *physical = calloc(count + 1, sizeof *physical);
	listing->adapters = calloc(count + 1, sizeof *listing->adapters);
	listing->base.all = calloc(count + 1, sizeof *listing->base.all);
	if (!physical || !listing->adapters || !listing->base.all)
		return answer_no_memory("the device list", err);
	return describe_all(listing, physical, count, err);
}

int vulkan_list(struct gpu_listing **ret_listing, struct error *err)
{
	struct vulkan_listing *listing = calloc(1, sizeof *listing);

	if (!listing)
		return answer_no_memory("the device list", err);
	chromium_add_driver();
	int answer = fill(listing, err);
	if (answer)
		vulkan_unlist(&listing->base);
	else
		*ret_listing = &listing->base;
	return answer;
}

void vulkan_unlist(struct gpu_listing *base)
{
	struct vulkan_listing *listing = (struct vulkan_listing *)base;

	if (!listing)
		return;
	if (listing->instance)
		vkDestroyInstance(listing->instance, NULL);
	free(listing->adapters);
	free(listing->base.all);
	free(listing);
}
