/* SPDX-License-Identifier: Apache-2.0
 *
 * VK_KHR_cooperative_matrix (revision 2, registered extension 507) for headers that lack it, which
 * those before 1.3.255 do: names of our own, values and layouts from the Vulkan registry.
 */
#pragma once

#include "device/limits.h"

#include <stdbool.h>
#include <vulkan/vulkan.h>

#define MATRICES_EXTENSION "VK_KHR_cooperative_matrix"

enum {
	MATRICES_FEATURES_TYPE = 1000506000, /* VkStructureType */
	MATRICES_PROPERTIES_TYPE = 1000506001,
	MATRICES_FLOAT16 = 0, /* VkComponentTypeKHR */
	MATRICES_FLOAT32 = 1,
	MATRICES_SUBGROUP = 3, /* VkScopeKHR */
};

/* VkPhysicalDeviceCooperativeMatrixFeaturesKHR */
struct matrices_features {
	VkStructureType sType;
	void *pNext;
	VkBool32 cooperativeMatrix;
	VkBool32 cooperativeMatrixRobustBufferAccess;
};

/* VkCooperativeMatrixPropertiesKHR */
struct matrices_properties {
	VkStructureType sType;
	void *pNext;
	uint32_t MSize, NSize, KSize;
	uint32_t AType, BType, CType, ResultType; /* VkComponentTypeKHR */
	VkBool32 saturatingAccumulation;
	uint32_t scope; /* VkScopeKHR */
};

/* The shapes in which the device multiplies f16 by f16 in a subgroup and sums in f32, those it
 * prefers first; the rest are zeros. False: none, or it lacks what such kernels need besides. */
bool matrices_find(VkInstance instance, VkPhysicalDevice physical,
        struct matrix_shape ret_shapes[static MATRIX_SHAPES_MAX]);
