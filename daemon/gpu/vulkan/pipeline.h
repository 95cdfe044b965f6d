/* SPDX-License-Identifier: Apache-2.0
 *
 * What a dispatch needs: a pipeline out of SPIR-V words, and descriptor sets of group 0.
 */
#pragma once

#include "daemon/gpu/vulkan/device.h"

/* Sets of buffers at bindings 0, 1, ..., and the layout that every pipeline over any of them has.
 */
struct vulkan_bindings {
	struct gpu_bindings base;
	VkDescriptorSetLayout set_layout;
	VkPipelineLayout layout;
	VkDescriptorPool pool;
	VkDescriptorSet sets[GPU_SETS_MAX];
};

static inline const struct vulkan_bindings *vulkan_bindings(const struct gpu_bindings *bindings)
{
	return (const struct vulkan_bindings *)bindings;
}

struct vulkan_pipeline {
	struct gpu_pipeline base;
	VkPipeline vk;
};

static inline const struct vulkan_pipeline *vulkan_pipeline(const struct gpu_pipeline *pipeline)
{
	return (const struct vulkan_pipeline *)pipeline;
}

int vulkan_bindings_create(struct device *device, const struct gpu_bindings_params *params,
        struct gpu_bindings **ret_bindings, struct error *err);
void vulkan_bindings_destroy(struct gpu_bindings *bindings);
int vulkan_pipeline_create(struct device *device, const struct gpu_pipeline_params *params,
        struct gpu_pipeline **ret_pipeline, struct error *err);
void vulkan_pipeline_destroy(struct gpu_pipeline *pipeline);
