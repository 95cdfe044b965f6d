/* SPDX-License-Identifier: Apache-2.0
 *
 * What a dispatch needs: a pipeline out of SPIR-V words, and buffers bound to group 0.
 */
#pragma once

#include "daemon/gpu/buffers.h"

/* A stretch of a buffer, for one binding. */
struct bound {
	const struct gpu_buffer *buffer;
	VkDeviceSize at, bytes;
	bool uniform; /* a uniform block; else storage */
};

/* Sets of buffers at bindings 0, 1, ... of group 0, and the layout every pipeline over any of them
 * has. */
#define BINDINGS_SETS_MAX 8
struct bindings {
	VkDescriptorSetLayout set_layout;
	VkPipelineLayout layout;
	VkDescriptorPool pool;
	VkDescriptorSet sets[BINDINGS_SETS_MAX];
};
/* bounds: `count` for each of `sets` sets, whose kinds are the same in all. */
int bindings_create(struct device *device, const struct bound bounds[], uint32_t count,
        uint32_t sets, struct bindings *ret_bindings, struct error *err);
void bindings_destroy(struct device *device, struct bindings *bindings); /* zeroed is fine */

/* Makes the pipeline of entry point `entry`. `sliceable`: it may be dispatched in parts. No cache
 * is used, so that the time it takes is what a first visitor would pay. */
int pipeline_create(struct device *device, const struct bindings *bindings, const void *words,
        size_t bytes, const char *entry, bool sliceable, VkPipeline *ret_pipeline,
        struct error *err);
void pipeline_destroy(struct device *device, VkPipeline pipeline); /* NULL is fine */
