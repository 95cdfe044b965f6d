/* SPDX-License-Identifier: Apache-2.0
 *
 * Command buffers: recorded, submitted, waited for. The functions of the API's table, and those
 * beneath them for what this room itself has the device do.
 */
#pragma once

#include "daemon/gpu/vulkan/device.h"

struct vulkan_commands {
	struct gpu_commands base;
	VkCommandBuffer vk;
	bool stamped; /* two timestamps enclose what is timed */
};

int vulkan_record_dispatch(
        const struct gpu_dispatch *dispatch, struct gpu_commands **ret_commands, struct error *err);
int vulkan_record_copies(
        const struct gpu_copies *copies, struct gpu_commands **ret_commands, struct error *err);
void vulkan_commands_destroy(struct gpu_commands *commands);
int vulkan_submit(
        struct gpu_commands *commands, struct gpu_elapsed *ret_elapsed, struct error *err);
int vulkan_pipeline_warm(const struct gpu_launch *launch, struct error *err);

/* A command buffer, begun. */
int commands_begin(struct vulkan_device *device, VkCommandBuffer *ret_commands, struct error *err);
/* Makes what compute or a transfer wrote visible to compute, transfers and the host. */
void commands_barrier(VkCommandBuffer commands);
/* Ends the recording, submits, waits and frees. */
int commands_run_once(struct vulkan_device *device, VkCommandBuffer commands, struct error *err);
