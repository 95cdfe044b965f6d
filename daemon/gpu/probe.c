/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe: several shapes of each kernel, the best counts, because a peak is what some kernel
 * reaches. Each shape is run once to warm up and to size the timed runs. Invariant: a shape that
 * fails is passed over; only a lost device ends the probe.
 */
#include "daemon/gpu/probe.h"
#include "daemon/gpu/probe_kernels.h"
#include "daemon/gpu/timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BUDGET_NS      1.8e9
#define TRIES          3
#define SAMPLE_NS      8e6 /* long enough for a GPU to raise its clock, short on a processor */
#define BYTES_CPU      (32u << 20) /* past the last cache of most processors, twice */
#define BYTES_GPU      (256u << 20)
#define BYTES_LEAST    (1u << 20)
#define LAUNCHES       100
#define WORKGROUPS_MAX 65535

#define SHAPES_MAX   8 /* rows of any table of shapes below */
#define COUNT(table) (sizeof(table) / sizeof *(table))

struct probe {
	struct device *device;
	struct ir_builder *builder;
	struct gpu_buffer source, target;
	struct bindings bindings;
	uint32_t length; /* vec4s in each buffer */
	double deadline_ns;
};

static bool is_cpu(const struct probe *probe)
{
	return probe->device->adapter->kind == ADAPTER_CPU;
}

/* ---- Setting up. */

static int allocate(struct probe *probe, uint64_t bytes, struct error *err)
{
	int answer = buffers_create(probe->device, bytes, PLACE_STORAGE, &probe->source, err);

	if (!answer)
		answer = buffers_create(probe->device, bytes, PLACE_STORAGE, &probe->target, err);
	if (answer)
		buffers_destroy(probe->device, &probe->source);
	return answer;
}

/* As large as is sensible, halved until the device gives it. */
static int allocate_most(struct probe *probe, struct error *err)
{
	uint64_t bytes = is_cpu(probe) ? BYTES_CPU : BYTES_GPU;
	const struct limits *limits = &probe->device->adapter->limits;
	int answer;

	while (bytes > limits->binding_bytes && bytes > BYTES_LEAST)
		bytes /= 2;
	while ((answer = allocate(probe, bytes, err)) == ANSWER_OUT_OF_MEMORY &&
	        bytes > BYTES_LEAST)
		bytes /= 2;
	probe->length = (uint32_t)(bytes / 16);
	return answer;
}

static void finish(struct probe *probe)
{
	bindings_destroy(probe->device, &probe->bindings);
	buffers_destroy(probe->device, &probe->source);
	buffers_destroy(probe->device, &probe->target);
	ir_builder_destroy(probe->builder);
}

static int prepare(struct probe *probe, struct error *err)
{
	if (ir_builder_create(&probe->builder))
		return answer_no_memory("the probe", err);
	int answer = allocate_most(probe, err);
	/* 0.5: x -> x/2 + 1/2 stays near 1, whatever it starts from. */
	if (!answer)
		answer = buffers_fill(probe->device, &probe->source, 0x3f000000, err);
	if (!answer)
		answer = buffers_fill(probe->device, &probe->target, 0, err);
	const struct bound both[2] = {{.buffer = &probe->source, .bytes = probe->source.bytes},
	        {.buffer = &probe->target, .bytes = probe->target.bytes}};
	if (!answer)
		answer = bindings_create(probe->device, both, 2, 1, &probe->bindings, err);
	return answer;
}

/* ---- Running one kernel. */

static uint32_t at_most(double value, uint32_t most)
{
	return value < 1 ? 1 : value < most ? (uint32_t)value : most;
}

/* The least time of one launch, over TRIES submissions. */
static int least_ns(struct probe *probe, const struct launch *launch, double launch_ns,
        double target_ns, double *ret_ns, struct error *err)
{
	struct run run = {0};
	double best_ns = INFINITY, ns;
	int answer = run_record(probe->device, launch, launch_ns, target_ns, &run, err);

	for (int i = 0; !answer && i < TRIES; i++) {
		if (i && device_now_ns() > probe->deadline_ns)
			break;
		answer = run_time(probe->device, &run, &ns, err);
		if (!answer && ns < best_ns)
			best_ns = ns;
	}
	if (answer != ANSWER_DEVICE_LOST)
		run_free(probe->device, &run);
	if (!answer)
		*ret_ns = best_ns;
	return answer;
}

/* Runs the kernel in `code` over `workgroups`; where more are allowed than were asked for, over as
 * many as fill a sample. Returns nanoseconds a workgroup. */
static int time_kernel(struct probe *probe, const struct buffer *code, uint32_t workgroups,
        uint32_t workgroups_max, double *ret_ns, struct error *err)
{
	struct launch launch = {.bindings = &probe->bindings, .workgroups = {workgroups, 1, 1}};
	double ns;
	int answer = pipeline_create(probe->device, &probe->bindings, code->data, code->length,
	        "main", false, &launch.pipeline, err);

	if (answer)
		return answer;
	answer = least_ns(probe, &launch, SAMPLE_NS, SAMPLE_NS, &ns, err);
	if (!answer && workgroups_max > workgroups && ns < SAMPLE_NS) {
		launch.workgroups[0] = at_most(workgroups * SAMPLE_NS / (ns + 1), workgroups_max);
		/* Twice: the first sizing may have been all launch overhead. */
		answer = least_ns(probe, &launch, SAMPLE_NS, SAMPLE_NS, &ns, err);
		double again = launch.workgroups[0] * SAMPLE_NS / (ns + 1);
		if (!answer && ns < SAMPLE_NS / 2) {
			launch.workgroups[0] = at_most(again, workgroups_max);
			answer = least_ns(probe, &launch, SAMPLE_NS, SAMPLE_NS, &ns, err);
		}
	}
	if (answer != ANSWER_DEVICE_LOST)
		pipeline_destroy(probe->device, launch.pipeline);
	if (!answer)
		*ret_ns = ns / launch.workgroups[0];
	return answer;
}

/* ---- The three measures. */

static const struct fma_shape fma_cpu[] = {
        {16, 4, 8, 64, true},
        {16, 4, 8, 64, false},
        {16, 2, 16, 64, true},
        {16, 2, 16, 64, false},
        {16, 3, 8, 64, false},
        {16, 8, 4, 64, false},
        {16, 1, 32, 64, false},
};
static const struct fma_shape fma_gpu[] = {
        {256, 4, 8, 64, true},
        {256, 8, 8, 64, true},
        {128, 4, 16, 64, true},
        {64, 8, 4, 64, true},
        {256, 2, 16, 64, true},
        {256, 4, 8, 64, false},
        {256, 8, 8, 64, false},
};

static int measure_fma(
        struct probe *probe, const struct fma_shape *shape, double *best_gflops, struct error *err)
{
	AUTO(buffer_free) struct buffer code = {0};
	double flops = 2.0 * 4 * shape->chains * shape->unroll * shape->turns * shape->invocations,
	       ns;
	uint32_t most = probe->length / shape->invocations;

	if (shape->invocations > probe->device->adapter->limits.invocations)
		return 0;
	if (probe_fma_kernel(probe->builder, shape, probe->length, &code))
		return answer_no_memory("a probe kernel", err);
	most = most < WORKGROUPS_MAX ? most : WORKGROUPS_MAX;
	int answer = time_kernel(probe, &code, is_cpu(probe) ? 16 : 256, most, &ns, err);
	if (!answer && flops / ns > *best_gflops)
		*best_gflops = flops / ns;
	return answer;
}

static const struct copy_shape copy_cpu[] = {{16, 16}, {64, 1}, {4, 64}};
static const struct copy_shape copy_gpu[] = {{256, 1}, {256, 4}, {128, 8}, {64, 4}};

static int measure_copy(
        struct probe *probe, const struct copy_shape *shape, double *best_gbps, struct error *err)
{
	AUTO(buffer_free) struct buffer code = {0};
	uint32_t per_workgroup = shape->invocations * shape->each;
	uint32_t workgroups = at_most(probe->length / per_workgroup, WORKGROUPS_MAX);
	double ns;

	if (shape->invocations > probe->device->adapter->limits.invocations)
		return 0;
	if (probe_copy_kernel(probe->builder, shape, probe->length, &code))
		return answer_no_memory("a probe kernel", err);
	int answer = time_kernel(probe, &code, workgroups, workgroups, &ns, err);
	if (!answer && 32.0 * per_workgroup / ns > *best_gbps)
		*best_gbps = 32.0 * per_workgroup / ns;
	return answer;
}

static int measure_launch(struct probe *probe, double *ret_ns, struct error *err)
{
	AUTO(buffer_free) struct buffer code = {0};
	struct launch launch = {.bindings = &probe->bindings, .workgroups = {1, 1, 1}};

	if (probe_empty_kernel(probe->builder, probe->length, &code))
		return answer_no_memory("a probe kernel", err);
	int answer = pipeline_create(probe->device, &probe->bindings, code.data, code.length,
	        "main", false, &launch.pipeline, err);
	if (answer)
		return answer;
	answer = least_ns(probe, &launch, 1, LAUNCHES, ret_ns, err);
	if (answer != ANSWER_DEVICE_LOST)
		pipeline_destroy(probe->device, launch.pipeline);
	return answer;
}

/* ---- All of it. */

/* Whether to go on with the next shape after this answer: the device works and there is time. */
static bool goes_on(const struct probe *probe, int answer, const struct error *why)
{
	if (answer)
		fprintf(stderr, "nnjit-gpu: a probe kernel was passed over: %s\n", why->text);
	return answer != ANSWER_DEVICE_LOST && device_now_ns() < probe->deadline_ns;
}

/* Shape number `i` of both kernels in turn, so that running out of time costs each the same. */
static int measure_shape(struct probe *probe, size_t i, struct facts *facts, struct error *err)
{
	bool cpu = is_cpu(probe);
	size_t fma_count = cpu ? COUNT(fma_cpu) : COUNT(fma_gpu);
	size_t copy_count = cpu ? COUNT(copy_cpu) : COUNT(copy_gpu);
	int answer = 0;

	if (i < fma_count)
		answer = measure_fma(
		        probe, cpu ? &fma_cpu[i] : &fma_gpu[i], &facts->fma_gflops, err);
	if (i >= copy_count || !goes_on(probe, answer, err))
		return answer;
	return measure_copy(probe, cpu ? &copy_cpu[i] : &copy_gpu[i], &facts->memory_gbps, err);
}

static int measure(struct probe *probe, struct facts *facts, struct error *err)
{
	int answer = measure_launch(probe, &facts->launch_ns, err);
	bool more = goes_on(probe, answer, err);

	for (size_t i = 0; more && i < SHAPES_MAX; i++) {
		answer = measure_shape(probe, i, facts, err);
		more = goes_on(probe, answer, err);
	}
	return answer == ANSWER_DEVICE_LOST ? answer : 0;
}

int probe_facts(struct device *device, struct facts *ret_facts, struct error *err)
{
	struct probe probe = {.device = device, .deadline_ns = device_now_ns() + BUDGET_NS};
	struct facts facts = {.cpu = device->adapter->kind == ADAPTER_CPU};
	int answer = prepare(&probe, err);

	if (!answer)
		answer = measure(&probe, &facts, err);
	if (answer != ANSWER_DEVICE_LOST)
		finish(&probe);
	if (!answer)
		*ret_facts = facts;
	return answer;
}
