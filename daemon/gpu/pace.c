/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel of multiply-adds, the probe's, is timed beside the candidates: it takes as long as it
 * ever did, or the device is not at its working clock. Must not know what else runs. Invariant:
 * best_ns is the least time that the kernel was seen to take at its present size, or, on a device
 * that no longer gets there, the least of the last attempt to.
 */
#include "daemon/gpu/pace.h"
#include "base/cleanup.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/fault.h"
#include "daemon/gpu/probe_kernels.h"
#include "daemon/gpu/timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define READING_NS  200e3 /* what one run of the kernel should take, at the working clock */
#define FIRST_NS    60e6  /* at least, for the first time: nobody knows how fast it can be */
#define PATIENCE_NS 300e6 /* at most */
#define NEAR        1.03  /* of the best: the same clock */
#define HELD        4     /* readings near the best, one after another, until it counts */
#define WORKGROUPS  4096

static const struct fma_shape shape = {
        .invocations = 64, .chains = 8, .unroll = 16, .turns = 64, .fused = true};

struct pace {
	struct device *device;
	struct gpu_buffer *source, *target, *word;
	struct gpu_bindings *bindings;
	struct gpu_pipeline *pipeline;
	struct run run;
	uint32_t workgroups;
	double best_ns; /* INFINITY: never run */
	bool known;     /* it was raised once */
};

/* ---- Making the kernel. */

static int create_buffers(struct pace *pace, struct error *err)
{
	struct device *device = pace->device;
	const uint64_t bytes = 16ull * WORKGROUPS * shape.invocations;

	int answer = device_allocate(device, bytes, GPU_STORAGE, &pace->source, err);
	if (!answer)
		answer = device_allocate(device, bytes, GPU_STORAGE, &pace->target, err);
	if (!answer)
		answer = device_allocate(device, 16, GPU_UNIFORM, &pace->word, err);
	if (!answer) /* 0.5: x -> x/2 + 1/2 stays near 1, whatever it starts from */
		answer = device->api->buffer_fill(pace->source, 0x3f000000, err);
	if (answer)
		return answer;
	const struct gpu_bound bounds[] = {{.buffer = pace->source, .bytes = bytes},
	        {.buffer = pace->target, .bytes = bytes},
	        {.buffer = pace->word, .bytes = 16, .uniform = true}};
	const struct gpu_bindings_params params = {
	        .count = sizeof bounds / sizeof *bounds, .sets = 1, .bounds = bounds};
	return device->api->bindings_create(device, &params, &pace->bindings, err);
}

static int create_pipeline(struct pace *pace, struct error *err)
{
	const struct gpu_api *api = pace->device->api;
	struct probe_writer writer = {.emit = api->emit, .length = WORKGROUPS * shape.invocations};
	int answer;

	if (ir_builder_create(&writer.builder) || probe_fma_kernel(&writer, &shape)) {
		answer = answer_no_memory("the pace's kernel", err);
	} else {
		const struct gpu_pipeline_params params = {.bindings = pace->bindings,
		        .code = writer.code.data,
		        .code_bytes = writer.code.length,
		        .entry_point = "main"};
		answer = api->pipeline_create(pace->device, &params, &pace->pipeline, err);
	}
	ir_builder_destroy(writer.builder);
	buffer_free(&writer.code);
	return answer;
}

int pace_create(struct device *device, struct pace **ret_pace, struct error *err)
{
	bool minds = (!device_is_cpu(device) && timing_has_timestamps(device)) ||
	             fault_planted(FAULT_ASLEEP, &(uint64_t){0});
	struct pace *pace = minds ? calloc(1, sizeof *pace) : NULL;

	if (!minds) {
		*ret_pace = NULL;
		return 0;
	}
	if (!pace)
		return answer_no_memory("the pace", err);
	*pace = (struct pace){.device = device, .workgroups = 16, .best_ns = INFINITY};
	int answer = create_buffers(pace, err);
	if (!answer)
		answer = create_pipeline(pace, err);
	if (answer == ANSWER_DEVICE_LOST)
		return answer;
	if (answer) {
		fprintf(stderr, "nnjit-gpu: the pace of %s cannot be minded: %s\n",
		        device->adapter->name, err->text);
		pace_destroy(TAKE(pace));
	}
	*ret_pace = pace;
	return 0;
}

void pace_destroy(struct pace *pace)
{
	if (!pace)
		return;
	const struct gpu_api *api = pace->device->api;
	run_free(pace->device, &pace->run);
	api->pipeline_destroy(pace->pipeline);
	api->bindings_destroy(pace->bindings);
	api->buffer_destroy(pace->source);
	api->buffer_destroy(pace->target);
	api->buffer_destroy(pace->word);
	free(pace);
}

/* ---- Reading. */

static int read_once(struct pace *pace, double *ret_ns, struct error *err)
{
	const struct gpu_launch launch = {.pipeline = pace->pipeline,
	        .bindings = pace->bindings,
	        .workgroups = {pace->workgroups, 1, 1}};
	const struct run_size once = {.launch_ns = READING_NS, .target_ns = READING_NS};
	int answer = pace->run.slices ? 0 : run_record(&launch, &once, &pace->run, err);

	return answer ? answer : run_time(pace->device, &pace->run, ret_ns, err);
}

/* Reads until the device is at the least time it was seen to take, and has been for some readings,
 * but `least_ns` at least and `most_ns` at most. */
static int settle(struct pace *pace, double least_ns, double most_ns, struct error *err)
{
	double start_ns = device_now_ns(), seen_ns = INFINITY, spent_ns = 0, ns;
	uint32_t held = 0;

	while (spent_ns < most_ns && (held < HELD || spent_ns < least_ns)) {
		int answer = read_once(pace, &ns, err);
		if (answer)
			return answer;
		held = ns * NEAR < pace->best_ns || ns > NEAR * pace->best_ns ? 0 : held + 1;
		pace->best_ns = fmin(pace->best_ns, ns);
		seen_ns = fmin(seen_ns, ns);
		spent_ns = device_now_ns() - start_ns;
	}
	if (held < HELD)
		pace->best_ns = seen_ns;
	return 0;
}

/* Sizes the kernel for the clock there is. */
static int size(struct pace *pace, struct error *err)
{
	double ns;
	int answer = read_once(pace, &ns, err);

	while (!answer && ns < READING_NS / 2 && pace->workgroups < WORKGROUPS) {
		double more = pace->workgroups * fmin(8, READING_NS / fmax(ns, 1));
		run_free(pace->device, &pace->run);
		pace->workgroups = more < WORKGROUPS ? (uint32_t)more : WORKGROUPS;
		pace->best_ns = INFINITY;
		answer = read_once(pace, &ns, err);
	}
	return answer;
}

static int raise_first(struct pace *pace, struct error *err)
{
	int answer = size(pace, err);

	if (!answer)
		answer = settle(pace, FIRST_NS, PATIENCE_NS, err);
	if (!answer)
		answer = size(pace, err);
	if (!answer)
		answer = settle(pace, 0, PATIENCE_NS, err);
	pace->known = !answer;
	return answer;
}

int pace_raise(struct pace *pace, struct error *err)
{
	if (!pace)
		return 0;
	return pace->known ? settle(pace, 0, PATIENCE_NS, err) : raise_first(pace, err);
}

/* The better of two readings: a submission that comes late looks long. */
int pace_check(struct pace *pace, bool *ret_held, struct error *err)
{
	bool held = !pace;
	int answer = 0;
	double ns;

	for (int i = 0; !answer && !held && i < 2; i++) {
		answer = read_once(pace, &ns, err);
		held = !answer && ns <= NEAR * pace->best_ns;
	}
	if (!answer)
		*ret_held = held;
	return answer;
}

int pace_keep(struct pace *pace, struct error *err)
{
	double ns;

	return pace->known ? read_once(pace, &ns, err) : raise_first(pace, err);
}
