/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between the worker and an API that reaches GPUs. Each API is a room of its own and one
 * `struct gpu_api`: facts, and functions that the rest of the worker calls. What a function hands
 * out is the first member of a struct of the API's own, so that the worker sees what it may know.
 *
 *	list -> adapter -> open -> device -> buffers -> bindings -.
 *	                             |                            |
 *	                             '-> pipeline <- code --------+-> launch -> commands -> submit
 *
 * Rules for an API:
 * - Errors are enum answer (answer.h). After ANSWER_DEVICE_LOST nothing of the device is freed.
 * - A driver call that may not return is announced to the watchdog (watchdog.h).
 * - Everything is called from the main thread, but for pipeline_create and pipeline_destroy: those
 *   may run on other threads meanwhile, several at once, and submit nothing.
 * - When submit, buffer_write or buffer_fill returns, the device is idle.
 * - destroy functions accept NULL.
 */
#pragma once

#include "base/error.h"
#include "emit/emit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adapter;
struct device;

enum profile { PROFILE_NATIVE, PROFILE_WEB };

/* The devices of one API, in the order in which its driver lists them. */
struct gpu_listing {
	uint32_t count;
	struct adapter **all; /* owned by the listing */
};

/* ---- Memory. */

enum gpu_place {
	GPU_STORAGE,  /* kernels read and write it */
	GPU_UNIFORM,  /* kernels read it once, at their start */
	GPU_DOWNLOAD, /* the host reads it; kernels do not see it */
	GPU_PLACE_COUNT
};

struct gpu_buffer {
	struct device *device;
	uint64_t bytes;
	/* What the host may read and write while the device is idle; NULL where it cannot, or only
	 * slowly. Never NULL for GPU_DOWNLOAD. */
	void *mapped;
};

/* Copies between two buffers. */
struct gpu_copies {
	struct gpu_buffer *from, *to;
	uint32_t count;
	const struct gpu_region {
		uint64_t from, to, bytes;
	} * regions;
};

/* ---- Kernels. */

/* A stretch of a buffer that a kernel takes as one argument; `at` is a multiple of 256. */
struct gpu_bound {
	const struct gpu_buffer *buffer;
	uint64_t at, bytes;
	bool uniform; /* of a GPU_UNIFORM buffer; else of a GPU_STORAGE one */
};

/* Arguments 0, 1, ... of a kernel, several sets of them: of what kind an argument is, is the same
 * in all. */
#define GPU_BOUNDS_MAX 16
#define GPU_SETS_MAX   8
struct gpu_bindings_params {
	uint32_t count, sets;           /* arguments of each set; sets */
	const struct gpu_bound *bounds; /* set after set */
};
struct gpu_bindings {
	struct device *device;
};

struct gpu_pipeline_params {
	const struct gpu_bindings *bindings; /* what the kernel's arguments are like */
	const void *code;                    /* of the form that the API wants; says itself how */
	size_t code_bytes;                   /* many invocations a workgroup has */
	const char *entry_point;
	bool sliceable; /* asks that it may be dispatched from any workgroup on */
};
struct gpu_pipeline {
	struct device *device;
	bool sliceable; /* it may, which was asked for */
};

/* A kernel with its arguments, over so many workgroups. */
struct gpu_launch {
	const struct gpu_pipeline *pipeline;
	const struct gpu_bindings *bindings;
	uint32_t set; /* of the bindings */
	uint32_t workgroups[3];
};

/* Some of a launch's workgroups, `repeats` times, one after the other. */
struct gpu_dispatch {
	const struct gpu_launch *launch;
	uint32_t base[3], count[3]; /* base: 0, or the pipeline is sliceable */
	uint32_t repeats;
};

/* ---- Submissions. */

/* Recorded; may be submitted again and again. */
struct gpu_commands {
	struct device *device;
};

struct gpu_elapsed {
	double wall_ns;    /* on the host, from submitting to the end of waiting */
	double stamped_ns; /* of the dispatches alone, by the device's clock; negative: unknown */
};

/* ---- The table. */

struct gpu_api {
	const char *name;       /* as the wire and the devices' ids have it */
	const char *none_found; /* for people: what to do where it lists no device */
	/* What its code is to SPIRV-Tools, for spvParseTargetEnv; NULL: it is no SPIR-V. */
	const char *spirv_environment;
	/* Of kernels that are no operator's: probes, planted faults. */
	nnjit_emitter *emit;

	/* Loads the drivers and looks at every device. No device at all is no error. */
	int (*list)(struct gpu_listing **ret_listing, struct error *err);
	void (*unlist)(struct gpu_listing *listing);
	/* Fills what device.h lists under "the API's". */
	int (*open)(const struct adapter *adapter, enum profile profile, struct device **ret_device,
	        struct error *err);
	void (*close)(struct device *device);

	int (*buffer_create)(struct device *device, uint64_t bytes, enum gpu_place place,
	        struct gpu_buffer **ret_buffer, struct error *err);
	void (*buffer_destroy)(struct gpu_buffer *buffer);
	/* Copies from the host. GPU_STORAGE or GPU_UNIFORM; `at` and `bytes` are multiples of 4. */
	int (*buffer_write)(struct gpu_buffer *buffer, uint64_t at, const void *from,
	        uint64_t bytes, struct error *err);
	/* Sets every word of a GPU_STORAGE buffer, whose bytes are a multiple of 4. */
	int (*buffer_fill)(struct gpu_buffer *buffer, uint32_t word, struct error *err);

	int (*bindings_create)(struct device *device, const struct gpu_bindings_params *params,
	        struct gpu_bindings **ret_bindings, struct error *err);
	void (*bindings_destroy)(struct gpu_bindings *bindings);
	/* Compiles. No cache is used, so that the time it takes is what a first visitor would pay.
	 */
	int (*pipeline_create)(struct device *device, const struct gpu_pipeline_params *params,
	        struct gpu_pipeline **ret_pipeline, struct error *err);
	void (*pipeline_destroy)(struct gpu_pipeline *pipeline);
	/* Compiles what the driver puts off until a kernel's first launch. */
	int (*pipeline_warm)(const struct gpu_launch *launch, struct error *err);

	/* The launch need not outlive the call; its pipeline and bindings outlive the commands. */
	int (*record_dispatch)(const struct gpu_dispatch *dispatch,
	        struct gpu_commands **ret_commands, struct error *err);
	int (*record_copies)(const struct gpu_copies *copies, struct gpu_commands **ret_commands,
	        struct error *err);
	void (*commands_destroy)(struct gpu_commands *commands);
	/* Submits and waits. What does not end within GPU_PATIENCE_S is a lost device. ret_elapsed
	 * may be NULL. */
	int (*submit)(
	        struct gpu_commands *commands, struct gpu_elapsed *ret_elapsed, struct error *err);
};

#define GPU_PATIENCE_S         10
#define GPU_COMPILE_PATIENCE_S 20 /* no page waits longer for a kernel */
#define GPU_COMPILE_TOO_LONG   "the driver did not compile the kernel within 20 s"

/* One row an API; adapters.c lists them. */
extern const struct gpu_api gpu_vulkan;
#define GPU_API_COUNT 1
extern const struct gpu_api *const gpu_apis[GPU_API_COUNT];
