/* SPDX-License-Identifier: Apache-2.0
 *
 * An opened device: one queue, one submission at a time. Everything waits with a limit. What the
 * worker does with it goes through device->api; the functions here are those that add something.
 */
#pragma once

#include "daemon/gpu/adapter.h"

/* An API embeds it as the first member of its own struct. */
struct device {
	/* The API's: */
	const struct gpu_api *api;
	const struct adapter *adapter; /* borrowed */
	enum profile profile;
	nnjit_emitter *emit;   /* of operators' kernels */
	struct pace *pace;     /* serve.c's; NULL: none is minded */
	bool keeps_infinities; /* special.c's: kernels are tried with them, too */
	/* timing.c's: */
	uint64_t timed;       /* runs so far */
	uint32_t clock_odd;   /* timestamps that could not be */
	bool clock_untrusted; /* too many of them, or none are wanted: the host's clock is used */
	double ran_ns;        /* when the last run ended, and how many will */
	uint64_t asleep;      /* be slow yet, where a test lets the device sleep */
};

/* web: as Dawn opens it, robust buffer access on; native: without. */
int device_open(const struct adapter *adapter, enum profile profile, struct device **ret_device,
        struct error *err);
void device_close(struct device *device); /* NULL is fine; nothing may be running */

/* api->buffer_create, short of memory where a test says so. */
int device_allocate(struct device *device, uint64_t bytes, enum gpu_place place,
        struct gpu_buffer **ret_buffer, struct error *err);
/* Processors' time since the host started, of all of them: with what others than this process took.
 * All 0 where it does not say. */
struct host_time {
	double all_s, others_s;
};
struct host_time device_host_time(void);
/* Memory the host could still give without swapping; UINT64_MAX where it does not say. */
uint64_t device_host_free_bytes(void);

bool device_is_cpu(const struct device *device); /* it computes on the processor */

double device_now_ns(void); /* CLOCK_MONOTONIC */
