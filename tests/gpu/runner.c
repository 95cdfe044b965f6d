/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening, loading, launching and reading back, each in the order in which the worker does it.
 */
#include "runner.h"

#include "base/error.h"
#include "daemon/gpu/answer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct adapters runner_adapters;

/* The drivers that this program loads leak, and no module is named once they are unloaded. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static const struct facts facts = {
        .fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true};

static void must(int answer, const struct error *err)
{
	ck_assert_msg(!answer, "%s", err->text);
}

int runner_find_devices(void)
{
	struct error err = {0};

	if (!adapters_find(&runner_adapters, &err) && runner_adapters.count)
		return 0;
	printf("skipped: there is no device: %s\n", err.text);
	return 77;
}

void runner_open(struct runner *runner, int adapter)
{
	struct error err = {0};

	*runner = (struct runner){0};
	must(device_open(runner_adapters.all[adapter], PROFILE_WEB, &runner->device, &err), &err);
	must(builder_create(runner->device, &runner->builder, &err), &err);
}

void runner_close(struct runner *runner)
{
	builder_destroy(runner->builder);
	device_close(runner->device);
}

void runner_load(struct runner *runner, const struct op *op)
{
	struct error err = {0};

	runner->op = *op;
	runner->count = op_tensors(op, runner->tensors);
	for (uint32_t i = 0; i < runner->count; i++)
		runner->data[i] = calloc(1, tensor_bytes(&runner->tensors[i]));
	must(workload_load(runner->device, op, 1, &runner->builder->workload, &err), &err);
}

void runner_send(struct runner *runner)
{
	struct workload *workload = runner->builder->workload;
	struct error err = {0};

	for (uint32_t i = 0; i + 1 < runner->count; i++)
		must(runner->device->api->buffer_write(workload->buffers[i], 0, runner->data[i],
		             tensor_bytes(&runner->tensors[i]), &err),
		        &err);
}

void runner_unload(struct runner *runner)
{
	for (uint32_t i = 0; i < runner->count; i++)
		free(runner->data[i]);
	workload_free(runner->builder->workload);
	runner->builder->workload = NULL;
}

void runner_space(struct runner *runner, struct space *ret_space)
{
	struct error err = {0};
	const struct limits *limits = &runner->device->adapter->limits;

	must(space_enumerate(&runner->op, limits, &facts, ret_space, &err), &err);
}

static void submit(struct runner *runner, struct gpu_commands *commands)
{
	struct error err = {0};

	must(runner->device->api->submit(commands, NULL, &err), &err);
	runner->device->api->commands_destroy(commands);
}

/* The output, through a buffer that the host reads. */
static void fetch(struct runner *runner)
{
	const struct gpu_api *api = runner->device->api;
	uint32_t out = runner->count - 1;
	struct gpu_region whole = {.bytes = tensor_bytes(&runner->tensors[out])};
	struct gpu_commands *commands;
	struct gpu_buffer *host;
	struct error err = {0};

	must(device_allocate(runner->device, whole.bytes, GPU_DOWNLOAD, &host, &err), &err);
	const struct gpu_copies copies = {runner->builder->workload->buffers[out], host, 1, &whole};
	must(api->record_copies(&copies, &commands, &err), &err);
	submit(runner, commands);
	memcpy(runner->data[out], host->mapped, whole.bytes);
	api->buffer_destroy(host);
}

void runner_launch(struct runner *runner, const struct schedule *schedule)
{
	struct gpu_commands *commands;
	struct built *built;
	struct error err = {0};

	must(builder_build(runner->builder, 0, schedule, &built, &err), &err);
	ck_assert_msg(!*built->verdict.why, "%s", built->verdict.why);
	const struct gpu_launch *launch = &built->trial->leg[0].launch;
	struct gpu_dispatch dispatch = {.launch = launch, .repeats = 1};
	memcpy(dispatch.count, launch->workgroups, sizeof dispatch.count);
	must(workload_poison(runner->builder->workload, 0, &err), &err);
	must(runner->device->api->record_dispatch(&dispatch, &commands, &err), &err);
	submit(runner, commands);
	fetch(runner);
	built_free(built);
}
