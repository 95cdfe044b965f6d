/* SPDX-License-Identifier: Apache-2.0
 *
 * Which cooperative matrices a device multiplies. The device must have the extension; this only
 * asks. A shape counts if a schedule can name it: eighths of one digit.
 */
#include "daemon/gpu/vulkan/matrices.h"

#define PROPERTIES_MAX 128

typedef VkResult(VKAPI_PTR *get_properties)(
        VkPhysicalDevice, uint32_t *, struct matrices_properties *);

static bool has_features(VkPhysicalDevice physical)
{
	VkPhysicalDeviceVulkanMemoryModelFeatures model = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};
	struct matrices_features matrices = {
	        .sType = (VkStructureType)MATRICES_FEATURES_TYPE, .pNext = &model};
	VkPhysicalDeviceFeatures2 all = {
	        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &matrices};

	vkGetPhysicalDeviceFeatures2(physical, &all);
	return matrices.cooperativeMatrix && model.vulkanMemoryModel;
}

static bool is_size(uint32_t size)
{
	return size && size % 8 == 0 && size < 80;
}

static bool counts(const struct matrices_properties *p)
{
	return p->AType == MATRICES_FLOAT16 && p->BType == MATRICES_FLOAT16 &&
	       p->CType == MATRICES_FLOAT32 && p->ResultType == MATRICES_FLOAT32 &&
	       p->scope == MATRICES_SUBGROUP && !p->saturatingAccumulation && is_size(p->MSize) &&
	       is_size(p->NSize) && is_size(p->KSize);
}

bool matrices_find(VkInstance instance, VkPhysicalDevice physical,
        struct matrix_shape ret_shapes[static MATRIX_SHAPES_MAX])
{
	struct matrices_properties all[PROPERTIES_MAX] = {0};
	uint32_t count = PROPERTIES_MAX, found = 0;
	get_properties get = (get_properties)vkGetInstanceProcAddr(
	        instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");

	for (uint32_t i = 0; i < PROPERTIES_MAX; i++)
		all[i].sType = (VkStructureType)MATRICES_PROPERTIES_TYPE;
	if (!get || !has_features(physical) || get(physical, &count, all) < 0)
		return false;
	for (uint32_t i = 0; i < count && found < MATRIX_SHAPES_MAX; i++)
		if (counts(&all[i]))
			ret_shapes[found++] = (struct matrix_shape){(uint16_t)all[i].MSize,
			        (uint16_t)all[i].NSize, (uint16_t)all[i].KSize};
	return found > 0;
}
