/* SPDX-License-Identifier: Apache-2.0
 *
 * Compute pipelines and the descriptor sets they read. Under the web profile a pipeline is asked
 * for as Dawn would ask. Must not know where the words come from.
 */
#include "daemon/gpu/vulkan/pipeline.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/vulkan/buffers.h"
#include "daemon/gpu/vulkan/result.h"
#include "daemon/gpu/watchdog.h"

#include <assert.h>
#include <stdlib.h>

/* ---- Bindings. */

static VkDescriptorType type_of(const struct gpu_bound *bound)
{
	return bound->uniform ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
	                      : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
}

static VkResult create_layouts(
        VkDevice device, const struct gpu_bindings_params *params, struct vulkan_bindings *bindings)
{
	VkDescriptorSetLayoutBinding slots[GPU_BOUNDS_MAX];
	const VkDescriptorSetLayoutCreateInfo set = {
	        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
	        .bindingCount = params->count,
	        .pBindings = slots};

	for (uint32_t i = 0; i < params->count; i++)
		slots[i] = (VkDescriptorSetLayoutBinding){.binding = i,
		        .descriptorType = type_of(&params->bounds[i]),
		        .descriptorCount = 1,
		        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
	VkResult result = vkCreateDescriptorSetLayout(device, &set, NULL, &bindings->set_layout);
	if (result)
		return result;
	const VkPipelineLayoutCreateInfo layout = {
	        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
	        .setLayoutCount = 1,
	        .pSetLayouts = &bindings->set_layout};
	return vkCreatePipelineLayout(device, &layout, NULL, &bindings->layout);
}

static VkResult allocate_sets(
        VkDevice device, const struct gpu_bindings_params *params, struct vulkan_bindings *bindings)
{
	const VkDescriptorPoolSize sizes[] = {
	        {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, params->count * params->sets},
	        {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, params->sets}};
	const VkDescriptorPoolCreateInfo pool = {
	        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
	        .maxSets = params->sets,
	        .poolSizeCount = 2,
	        .pPoolSizes = sizes};
	VkDescriptorSetLayout layouts[GPU_SETS_MAX];
	VkResult result = vkCreateDescriptorPool(device, &pool, NULL, &bindings->pool);

	if (result)
		return result;
	for (uint32_t i = 0; i < params->sets; i++)
		layouts[i] = bindings->set_layout;
	const VkDescriptorSetAllocateInfo info = {
	        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
	        .descriptorPool = bindings->pool,
	        .descriptorSetCount = params->sets,
	        .pSetLayouts = layouts};
	return vkAllocateDescriptorSets(device, &info, bindings->sets);
}

static void write_set(
        VkDevice device, const struct gpu_bound bounds[], uint32_t count, VkDescriptorSet set)
{
	VkDescriptorBufferInfo infos[GPU_BOUNDS_MAX];
	VkWriteDescriptorSet writes[GPU_BOUNDS_MAX];

	for (uint32_t i = 0; i < count; i++) {
		infos[i] = (VkDescriptorBufferInfo){.buffer = vulkan_buffer(bounds[i].buffer)->vk,
		        .offset = bounds[i].at,
		        .range = bounds[i].bytes};
		writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
		        .dstSet = set,
		        .dstBinding = i,
		        .descriptorCount = 1,
		        .descriptorType = type_of(&bounds[i]),
		        .pBufferInfo = &infos[i]};
	}
	vkUpdateDescriptorSets(device, count, writes, 0, NULL);
}

int vulkan_bindings_create(struct device *base, const struct gpu_bindings_params *params,
        struct gpu_bindings **ret_bindings, struct error *err)
{
	struct vulkan_bindings *bindings = calloc(1, sizeof *bindings);
	VkDevice device = vulkan_device(base)->vk;

	assert(params->count && params->count <= GPU_BOUNDS_MAX);
	assert(params->sets && params->sets <= GPU_SETS_MAX);
	if (!bindings)
		return answer_no_memory("the bindings", err);
	bindings->base.device = base;
	VkResult result = create_layouts(device, params, bindings);
	if (!result)
		result = allocate_sets(device, params, bindings);
	if (result) {
		vulkan_bindings_destroy(&bindings->base);
		return result_answer(result, "binding buffers", err);
	}
	for (uint32_t i = 0; i < params->sets; i++)
		write_set(device, params->bounds + (size_t)i * params->count, params->count,
		        bindings->sets[i]);
	*ret_bindings = &bindings->base;
	return 0;
}

void vulkan_bindings_destroy(struct gpu_bindings *base)
{
	struct vulkan_bindings *bindings = (struct vulkan_bindings *)base;

	if (!bindings)
		return;
	VkDevice device = vulkan_device(base->device)->vk;
	vkDestroyDescriptorPool(device, bindings->pool, NULL);
	vkDestroyPipelineLayout(device, bindings->layout, NULL);
	vkDestroyDescriptorSetLayout(device, bindings->set_layout, NULL);
	free(bindings);
}

/* ---- Pipelines. */

static VkResult compile(struct vulkan_device *device, const struct gpu_pipeline_params *params,
        VkShaderModule module, VkPipeline *ret_pipeline)
{
	const uint32_t subgroup = device->base.profile == PROFILE_WEB
	                                  ? vulkan_adapter(device->base.adapter)->web_subgroup
	                                  : 0;
	const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo required = {
	        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
	        .requiredSubgroupSize = subgroup};
	const VkComputePipelineCreateInfo info = {
	        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
	        .flags = params->sliceable ? VK_PIPELINE_CREATE_DISPATCH_BASE_BIT : 0,
	        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
	                .pNext = subgroup ? &required : NULL,
	                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
	                .module = module,
	                .pName = params->entry_point},
	        .layout = vulkan_bindings(params->bindings)->layout};

	return vkCreateComputePipelines(device->vk, VK_NULL_HANDLE, 1, &info, NULL, ret_pipeline);
}

static VkResult create(struct vulkan_device *device, const struct gpu_pipeline_params *params,
        VkPipeline *ret_pipeline)
{
	const VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
	        .codeSize = params->code_bytes,
	        .pCode = params->code};
	VkShaderModule module = VK_NULL_HANDLE;

	watchdog_expect(GPU_COMPILE_PATIENCE_S, GPU_COMPILE_TOO_LONG);
	VkResult result = vkCreateShaderModule(device->vk, &info, NULL, &module);
	if (!result)
		result = compile(device, params, module, ret_pipeline);
	vkDestroyShaderModule(device->vk, module, NULL);
	watchdog_rest();
	return result;
}

int vulkan_pipeline_create(struct device *base, const struct gpu_pipeline_params *params,
        struct gpu_pipeline **ret_pipeline, struct error *err)
{
	struct vulkan_pipeline *pipeline = calloc(1, sizeof *pipeline);

	if (!pipeline)
		return answer_no_memory("a pipeline", err);
	pipeline->base = (struct gpu_pipeline){.device = base, .sliceable = params->sliceable};
	VkResult result = create(vulkan_device(base), params, &pipeline->vk);
	if (result) {
		free(pipeline);
		return result_answer(result, "compiling the kernel", err);
	}
	*ret_pipeline = &pipeline->base;
	return 0;
}

void vulkan_pipeline_destroy(struct gpu_pipeline *base)
{
	struct vulkan_pipeline *pipeline = (struct vulkan_pipeline *)base;

	if (!pipeline)
		return;
	vkDestroyPipeline(vulkan_device(base->device)->vk, pipeline->vk, NULL);
	free(pipeline);
}
