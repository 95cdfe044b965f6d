/* SPDX-License-Identifier: Apache-2.0
 *
 * Compute pipelines and the descriptor sets they read. Under the web profile a pipeline is asked
 * for as Dawn would ask. Must not know where the words come from.
 */
#include "daemon/gpu/pipeline.h"
#include "daemon/gpu/watchdog.h"
#include "nnjit.h"

#include <assert.h>

#define BINDINGS_MAX (OP_TENSORS_MAX + 1) /* the tensors and the uniform block */

static VkDescriptorType type_of(const struct bound *bound)
{
	return bound->uniform ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
	                      : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
}

static VkResult create_layouts(struct device *device, const struct bound bounds[], uint32_t count,
        struct bindings *bindings)
{
	VkDescriptorSetLayoutBinding slots[BINDINGS_MAX];
	const VkDescriptorSetLayoutCreateInfo set = {
	        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
	        .bindingCount = count,
	        .pBindings = slots};

	for (uint32_t i = 0; i < count; i++)
		slots[i] = (VkDescriptorSetLayoutBinding){.binding = i,
		        .descriptorType = type_of(&bounds[i]),
		        .descriptorCount = 1,
		        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
	VkResult result = vkCreateDescriptorSetLayout(
	        device->vk, &set, NULL, &bindings->set_layout);
	if (result)
		return result;
	const VkPipelineLayoutCreateInfo layout = {
	        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
	        .setLayoutCount = 1,
	        .pSetLayouts = &bindings->set_layout};
	return vkCreatePipelineLayout(device->vk, &layout, NULL, &bindings->layout);
}

static VkResult allocate_sets(
        struct device *device, uint32_t count, uint32_t sets, struct bindings *bindings)
{
	const VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count * sets},
	        {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, sets}};
	const VkDescriptorPoolCreateInfo pool = {
	        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
	        .maxSets = sets,
	        .poolSizeCount = 2,
	        .pPoolSizes = sizes};
	VkDescriptorSetLayout layouts[BINDINGS_SETS_MAX];
	VkResult result = vkCreateDescriptorPool(device->vk, &pool, NULL, &bindings->pool);

	if (result)
		return result;
	for (uint32_t i = 0; i < sets; i++)
		layouts[i] = bindings->set_layout;
	const VkDescriptorSetAllocateInfo info = {
	        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
	        .descriptorPool = bindings->pool,
	        .descriptorSetCount = sets,
	        .pSetLayouts = layouts};
	return vkAllocateDescriptorSets(device->vk, &info, bindings->sets);
}

static void write_set(
        struct device *device, const struct bound bounds[], uint32_t count, VkDescriptorSet set)
{
	VkDescriptorBufferInfo infos[BINDINGS_MAX];
	VkWriteDescriptorSet writes[BINDINGS_MAX];

	for (uint32_t i = 0; i < count; i++) {
		infos[i] = (VkDescriptorBufferInfo){.buffer = bounds[i].buffer->vk,
		        .offset = bounds[i].at,
		        .range = bounds[i].bytes};
		writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
		        .dstSet = set,
		        .dstBinding = i,
		        .descriptorCount = 1,
		        .descriptorType = type_of(&bounds[i]),
		        .pBufferInfo = &infos[i]};
	}
	vkUpdateDescriptorSets(device->vk, count, writes, 0, NULL);
}

int bindings_create(struct device *device, const struct bound bounds[], uint32_t count,
        uint32_t sets, struct bindings *ret_bindings, struct error *err)
{
	struct bindings bindings = {0};

	assert(count && count <= BINDINGS_MAX && sets && sets <= BINDINGS_SETS_MAX);
	VkResult result = create_layouts(device, bounds, count, &bindings);
	if (!result)
		result = allocate_sets(device, count, sets, &bindings);
	if (result) {
		bindings_destroy(device, &bindings);
		return answer_of(result, "binding buffers", err);
	}
	for (uint32_t i = 0; i < sets; i++)
		write_set(device, bounds + (size_t)i * count, count, bindings.sets[i]);
	*ret_bindings = bindings;
	return 0;
}

void bindings_destroy(struct device *device, struct bindings *bindings)
{
	vkDestroyDescriptorPool(device->vk, bindings->pool, NULL);
	vkDestroyPipelineLayout(device->vk, bindings->layout, NULL);
	vkDestroyDescriptorSetLayout(device->vk, bindings->set_layout, NULL);
	*bindings = (struct bindings){0};
}

static VkResult compile(struct device *device, VkPipelineLayout layout, VkShaderModule module,
        const char *entry, bool sliceable, VkPipeline *ret_pipeline)
{
	const uint32_t subgroup = device->profile == PROFILE_WEB ? device->adapter->web_subgroup
	                                                         : 0;
	const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo required = {
	        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
	        .requiredSubgroupSize = subgroup};
	const VkComputePipelineCreateInfo info = {
	        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
	        .flags = sliceable ? VK_PIPELINE_CREATE_DISPATCH_BASE_BIT : 0,
	        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
	                .pNext = subgroup ? &required : NULL,
	                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
	                .module = module,
	                .pName = entry},
	        .layout = layout};

	return vkCreateComputePipelines(device->vk, VK_NULL_HANDLE, 1, &info, NULL, ret_pipeline);
}

int pipeline_create(struct device *device, const struct bindings *bindings, const void *words,
        size_t bytes, const char *entry, bool sliceable, VkPipeline *ret_pipeline,
        struct error *err)
{
	const VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
	        .codeSize = bytes,
	        .pCode = words};
	VkShaderModule module = VK_NULL_HANDLE;
	VkPipeline pipeline = VK_NULL_HANDLE;

	watchdog_expect(COMPILE_PATIENCE_S, COMPILE_TOO_LONG);
	VkResult result = vkCreateShaderModule(device->vk, &info, NULL, &module);
	if (!result)
		result = compile(device, bindings->layout, module, entry, sliceable, &pipeline);
	vkDestroyShaderModule(device->vk, module, NULL);
	watchdog_rest();
	if (result)
		return answer_of(result, "compiling the kernel", err);
	*ret_pipeline = pipeline;
	return 0;
}

void pipeline_destroy(struct device *device, VkPipeline pipeline)
{
	vkDestroyPipeline(device->vk, pipeline, NULL);
}
