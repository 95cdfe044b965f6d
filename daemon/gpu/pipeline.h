/* SPDX-License-Identifier: Apache-2.0
 *
 * What a dispatch needs: a pipeline out of SPIR-V words, and buffers bound to group 0.
 */
#pragma once

#include "daemon/gpu/buffers.h"

/* Storage buffers at bindings 0, 1, ... of group 0, and the layout every pipeline over them has. */
struct bindings {
	VkDescriptorSetLayout set_layout;
	VkPipelineLayout layout;
	VkDescriptorPool pool;
	VkDescriptorSet set;
};
int bindings_create(struct device *device, const struct gpu_buffer *const buffers[], uint32_t count,
        struct bindings *ret_bindings, struct error *err);
void bindings_destroy(struct device *device, struct bindings *bindings); /* zeroed is fine */

/* Makes the pipeline of entry point `entry`. `sliceable`: it may be dispatched in parts. No cache
 * is used, so that the time it takes is what a first visitor would pay. */
int pipeline_create(struct device *device, const struct bindings *bindings, const void *words,
        size_t bytes, const char *entry, bool sliceable, VkPipeline *ret_pipeline,
        struct error *err);
void pipeline_destroy(struct device *device, VkPipeline pipeline); /* NULL is fine */
