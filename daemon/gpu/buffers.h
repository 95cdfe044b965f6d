/* SPDX-License-Identifier: Apache-2.0
 *
 * Device memory. Kernels read and write STORAGE buffers; the host reaches those through staging
 * ones, or directly where the memory is one and cached, as on devices that are the processor. What
 * a kernel reads once at its start lies in a UNIFORM one, which the host writes directly.
 */
#pragma once

#include "daemon/gpu/device.h"

enum placement { PLACE_STORAGE, PLACE_UNIFORM, PLACE_UPLOAD, PLACE_DOWNLOAD };

struct gpu_buffer {
	VkBuffer vk;
	VkDeviceMemory memory;
	VkDeviceSize bytes;
	void *mapped; /* coherent; NULL where the host cannot reach it, or only slowly */
};

int buffers_create(struct device *device, VkDeviceSize bytes, enum placement placement,
        struct gpu_buffer *ret_buffer, struct error *err);
void buffers_destroy(struct device *device, struct gpu_buffer *buffer); /* zeroed is fine */

/* Memory the host could still give without swapping; UINT64_MAX where it does not say. */
uint64_t buffers_host_free_bytes(void);
/* Copies from the host into a STORAGE buffer, through staging where it must. */
int buffers_write(
        struct device *device, struct gpu_buffer *buffer, const void *from, struct error *err);
/* Sets every word. bytes must be a multiple of 4. */
int buffers_fill(
        struct device *device, struct gpu_buffer *buffer, uint32_t word, struct error *err);
