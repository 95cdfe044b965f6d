/* SPDX-License-Identifier: Apache-2.0
 *
 * Running probe kernels: each is run once to warm up and to size the timed runs, and the least of
 * several times counts, because a peak is what some run reaches.
 */
#include "daemon/gpu/probe_run.h"

#include <math.h>
#include <stdarg.h>

#define TRIES       3
#define BYTES_CPU   (32u << 20) /* past the last cache of most processors, twice */
#define BYTES_GPU   (256u << 20)
#define BYTES_LEAST (1u << 20)

bool probe_is_cpu(const struct probe *probe)
{
	return probe->device->adapter->kind == ADAPTER_CPU;
}

bool probe_has_time(const struct probe *probe)
{
	return device_now_ns() < probe->deadline_ns;
}

uint32_t probe_at_most(double value, uint32_t most)
{
	return value < 1 ? 1 : value < most ? (uint32_t)value : most;
}

void probe_tell(const struct probe *probe, const char *format, ...)
{
	va_list arguments;

	if (!probe->trace)
		return;
	va_start(arguments, format);
	vfprintf(probe->trace, format, arguments);
	va_end(arguments);
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
	uint64_t bytes = probe_is_cpu(probe) ? BYTES_CPU : BYTES_GPU;
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

static int bind(struct probe *probe, struct error *err)
{
	const struct bound all[3] = {{.buffer = &probe->source, .bytes = probe->source.bytes},
	        {.buffer = &probe->target, .bytes = probe->target.bytes},
	        {.buffer = &probe->word, .bytes = 16, .uniform = true}};

	return bindings_create(probe->device, all, 3, 1, &probe->bindings, err);
}

int probe_prepare(struct probe *probe, struct device *device, struct error *err)
{
	probe->device = device;
	if (ir_builder_create(&probe->builder))
		return answer_no_memory("the probe", err);
	int answer = allocate_most(probe, err);
	if (!answer)
		answer = buffers_create(device, 16, PLACE_UNIFORM, &probe->word, err);
	/* 0.5: x -> x/2 + 1/2 stays near 1, whatever it starts from. */
	if (!answer)
		answer = buffers_fill(device, &probe->source, 0x3f000000, err);
	if (!answer)
		answer = buffers_fill(device, &probe->target, 0, err);
	if (!answer)
		answer = bind(probe, err);
	return answer;
}

void probe_finish(struct probe *probe)
{
	bindings_destroy(probe->device, &probe->bindings);
	buffers_destroy(probe->device, &probe->source);
	buffers_destroy(probe->device, &probe->target);
	buffers_destroy(probe->device, &probe->word);
	ir_builder_destroy(probe->builder);
}

/* ---- Running one kernel. */

int probe_make(struct probe *probe, bool failed, const struct buffer *code,
        struct probe_kernel *kernel, struct error *err)
{
	if (failed)
		return answer_no_memory("a probe kernel", err);
	return pipeline_create(probe->device, &probe->bindings, code->data, code->length, "main",
	        false, &kernel->pipeline, err);
}

void probe_drop(struct probe *probe, int answer, struct probe_kernel *kernel)
{
	if (answer != ANSWER_DEVICE_LOST)
		pipeline_destroy(probe->device, kernel->pipeline);
	kernel->pipeline = NULL;
}

/* The least time of one launch over TRIES submissions of target_ns, of launches that take
 * launch_ns. */
static int least_ns(struct probe *probe, const struct probe_kernel *kernel, double launch_ns,
        double target_ns, double *ret_ns, struct error *err)
{
	const struct launch launch = {.pipeline = kernel->pipeline,
	        .bindings = &probe->bindings,
	        .workgroups = {kernel->workgroups, 1, 1}};
	struct run run = {0};
	double best_ns = INFINITY, ns;
	int answer = run_record(probe->device, &launch, launch_ns, target_ns, &run, err);

	for (int i = 0; !answer && i < TRIES; i++) {
		if (i && !probe_has_time(probe))
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

int probe_time(struct probe *probe, struct probe_kernel *kernel, double *ret_ns, struct error *err)
{
	double ns;
	int answer = least_ns(probe, kernel, PROBE_SAMPLE_NS, PROBE_SAMPLE_NS, &ns, err);

	/* Sized twice: the first time may have been all launch overhead. */
	for (int i = 0; !answer && i < 2 && ns < PROBE_SAMPLE_NS / 2; i++) {
		uint32_t more = probe_at_most(
		        kernel->workgroups * PROBE_SAMPLE_NS / (ns + 1), kernel->workgroups_max);
		if (more <= kernel->workgroups)
			break;
		kernel->workgroups = more;
		answer = least_ns(probe, kernel, PROBE_SAMPLE_NS, PROBE_SAMPLE_NS, &ns, err);
	}
	if (!answer)
		*ret_ns = ns;
	return answer;
}

int probe_time_repeated(struct probe *probe, const struct probe_kernel *kernel, uint32_t repeats,
        double *ret_ns, struct error *err)
{
	return least_ns(probe, kernel, 1, repeats, ret_ns, err);
}
