/* SPDX-License-Identifier: Apache-2.0
 *
 * Running probe kernels: each is run once to warm up and to size the timed runs, and the least of
 * several times counts, because a peak is what some run reaches.
 */
#include "daemon/gpu/probe_run.h"
#include "daemon/gpu/answer.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define TRIES       3
#define BYTES_CPU   (32u << 20) /* past the last cache of most processors, twice */
#define BYTES_GPU   (256u << 20)
#define BYTES_LEAST (1u << 20)

bool probe_is_cpu(const struct probe *probe)
{
	return device_is_cpu(probe->device);
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
	int answer = device_allocate(probe->device, bytes, GPU_STORAGE, &probe->source, err);

	if (answer)
		return answer;
	answer = device_allocate(probe->device, bytes, GPU_STORAGE, &probe->target, err);
	if (answer)
		probe->device->api->buffer_destroy(TAKE(probe->source));
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
	probe->writer.length = (uint32_t)(bytes / 16);
	return answer;
}

static int bind(struct probe *probe, struct error *err)
{
	const struct gpu_bound all[] = {{.buffer = probe->source, .bytes = probe->source->bytes},
	        {.buffer = probe->target, .bytes = probe->target->bytes},
	        {.buffer = probe->word, .bytes = probe->word->bytes, .uniform = true}};
	const struct gpu_bindings_params params = {
	        .count = sizeof all / sizeof *all, .sets = 1, .bounds = all};

	return probe->device->api->bindings_create(probe->device, &params, &probe->bindings, err);
}

int probe_prepare(struct probe *probe, struct device *device, struct error *err)
{
	const struct gpu_api *api = device->api;

	probe->device = device;
	probe->writer.emit = api->emit;
	if (ir_builder_create(&probe->writer.builder))
		return answer_no_memory("the probe", err);
	int answer = allocate_most(probe, err);
	if (!answer)
		answer = device_allocate(device, 16, GPU_UNIFORM, &probe->word, err);
	/* 0.5: x -> x/2 + 1/2 stays near 1, whatever it starts from. */
	if (!answer)
		answer = api->buffer_fill(probe->source, 0x3f000000, err);
	if (!answer)
		answer = api->buffer_fill(probe->target, 0, err);
	return answer ? answer : bind(probe, err);
}

void probe_finish(struct probe *probe)
{
	const struct gpu_api *api = probe->device->api;

	api->bindings_destroy(probe->bindings);
	api->buffer_destroy(probe->source);
	api->buffer_destroy(probe->target);
	api->buffer_destroy(probe->word);
	ir_builder_destroy(probe->writer.builder);
	buffer_free(&probe->writer.code);
}

/* ---- Running one kernel. */

int probe_make(struct probe *probe, int failed, struct probe_kernel *kernel, struct error *err)
{
	const struct gpu_pipeline_params params = {.bindings = probe->bindings,
	        .code = probe->writer.code.data,
	        .code_bytes = probe->writer.code.length,
	        .entry_point = "main"};

	if (failed)
		return answer_no_memory("a probe kernel", err);
	return probe->device->api->pipeline_create(probe->device, &params, &kernel->pipeline, err);
}

void probe_drop(struct probe *probe, int answer, struct probe_kernel *kernel)
{
	if (answer != ANSWER_DEVICE_LOST)
		probe->device->api->pipeline_destroy(kernel->pipeline);
	kernel->pipeline = NULL;
}

int probe_run(struct probe *probe, const struct probe_kernel *kernel, struct error *err)
{
	const struct gpu_api *api = probe->device->api;
	const struct gpu_launch launch = {.pipeline = kernel->pipeline,
	        .bindings = probe->bindings,
	        .workgroups = {kernel->workgroups, 1, 1}};
	const struct gpu_dispatch all = {
	        .launch = &launch, .count = {kernel->workgroups, 1, 1}, .repeats = 1};
	struct gpu_commands *commands;
	int answer = api->record_dispatch(&all, &commands, err);

	if (answer)
		return answer;
	answer = api->submit(commands, NULL, err);
	if (answer != ANSWER_DEVICE_LOST)
		api->commands_destroy(commands);
	return answer;
}

static int download(struct probe *probe, struct gpu_buffer *to, struct error *err)
{
	const struct gpu_api *api = probe->device->api;
	const struct gpu_region region = {.bytes = to->bytes};
	const struct gpu_copies copies = {
	        .from = probe->target, .to = to, .count = 1, .regions = &region};
	struct gpu_commands *commands;
	int answer = api->record_copies(&copies, &commands, err);

	if (answer)
		return answer;
	answer = api->submit(commands, NULL, err);
	if (answer != ANSWER_DEVICE_LOST)
		api->commands_destroy(commands);
	return answer;
}

int probe_read(struct probe *probe, float *ret_value, struct error *err)
{
	struct gpu_buffer *copy = NULL;
	int answer = 0;

	if (probe->target->mapped) {
		memcpy(ret_value, probe->target->mapped, sizeof *ret_value);
		return 0;
	}
	answer = device_allocate(probe->device, 16, GPU_DOWNLOAD, &copy, err);
	if (!answer)
		answer = download(probe, copy, err);
	if (!answer)
		memcpy(ret_value, copy->mapped, sizeof *ret_value);
	if (answer != ANSWER_DEVICE_LOST)
		probe->device->api->buffer_destroy(copy);
	return answer;
}

/* The least time of one launch over TRIES submissions of that size. */
static int least_ns(struct probe *probe, const struct probe_kernel *kernel,
        const struct run_size *size, double *ret_ns, struct error *err)
{
	const struct gpu_launch launch = {.pipeline = kernel->pipeline,
	        .bindings = probe->bindings,
	        .workgroups = {kernel->workgroups, 1, 1}};
	struct run run = {0};
	double best_ns = INFINITY, ns;
	int answer = run_record(&launch, size, &run, err);

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
	const struct run_size once = {PROBE_SAMPLE_NS, PROBE_SAMPLE_NS};
	double ns;
	int answer = least_ns(probe, kernel, &once, &ns, err);

	/* Sized twice: the first time may have been all launch overhead. */
	for (int i = 0; !answer && i < 2 && ns < PROBE_SAMPLE_NS / 2; i++) {
		uint32_t more = probe_at_most(
		        kernel->workgroups * PROBE_SAMPLE_NS / (ns + 1), kernel->workgroups_max);
		if (more <= kernel->workgroups)
			break;
		kernel->workgroups = more;
		answer = least_ns(probe, kernel, &once, &ns, err);
	}
	if (!answer)
		*ret_ns = ns;
	return answer;
}

int probe_time_repeated(struct probe *probe, const struct probe_kernel *kernel, uint32_t repeats,
        double *ret_ns, struct error *err)
{
	const struct run_size size = {.launch_ns = 1, .target_ns = repeats};

	return least_ns(probe, kernel, &size, ret_ns, err);
}
