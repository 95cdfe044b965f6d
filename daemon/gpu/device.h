/* SPDX-License-Identifier: Apache-2.0
 *
 * An opened device: one queue, one fence, one submission at a time. Everything waits with a limit.
 */
#pragma once

#include "daemon/gpu/adapter.h"

enum profile { PROFILE_NATIVE, PROFILE_WEB };

struct device {
	const struct adapter *adapter; /* borrowed */
	enum profile profile;
	VkDevice vk;
	VkQueue queue;
	VkCommandPool pool;
	VkFence fence;
	VkQueryPool queries; /* before and after; NULL where there are no timestamps */
	VkPhysicalDeviceMemoryProperties memory;
	uint64_t timed;       /* runs so far */
	uint32_t clock_odd;   /* timestamps that could not be */
	bool clock_untrusted; /* too many of them, or none are wanted: the host's clock is used */
};

/* web: as Dawn opens it, robust buffer access on; native: without. */
int device_open(const struct adapter *adapter, enum profile profile, struct device **ret_device,
        struct error *err);
void device_close(struct device *device); /* NULL is fine; nothing may be running */

/* A command buffer, begun; it may be submitted again and again. */
int device_begin(struct device *device, VkCommandBuffer *ret_commands, struct error *err);
void device_free_commands(struct device *device, VkCommandBuffer commands); /* NULL is fine */
/* Ends the recording. */
int device_end(VkCommandBuffer commands, struct error *err);
/* Submits and waits. What does not end within DEVICE_PATIENCE_S is a lost device.
 * ret_wall_ns may be NULL. */
#define DEVICE_PATIENCE_S  10
#define COMPILE_PATIENCE_S 20 /* no page waits longer for a kernel */
#define COMPILE_TOO_LONG   "the driver did not compile the kernel within 20 s"
int device_submit(
        struct device *device, VkCommandBuffer commands, double *ret_wall_ns, struct error *err);
/* The same for commands that only make the driver compile: with COMPILE_PATIENCE_S. */
int device_submit_compile(struct device *device, VkCommandBuffer commands, struct error *err);
/* device_end, device_submit, device_free_commands. */
int device_submit_once(struct device *device, VkCommandBuffer commands, struct error *err);

/* Makes what compute or a transfer wrote visible to compute, transfers and the host. */
void device_barrier(VkCommandBuffer commands);

double device_now_ns(void); /* CLOCK_MONOTONIC */
