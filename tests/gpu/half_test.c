/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of tests/libjit/half_cases.c on every device that is here, by the worker's own parts:
 * of each the cheapest kernel that reads f16 as words, and where the device has it as a feature the
 * cheapest that reads it natively. Compiling is nearly all of its time, so a run takes one case in
 * STRIDE; NNJIT_HALVES_STRIDE=1 takes all. Prints what it covered.
 */
#include "tests/libjit/half_cases.h"

#include "base/error.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/builder.h"
#include "space/space.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRIDE 3

static struct adapters adapters;

/* The drivers that this program loads leak, and no module is named once they are unloaded. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static uint32_t stride = STRIDE;

static const struct facts facts = {
        .fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true};

static void must(int answer, const struct error *err)
{
	ck_assert_msg(!answer, "%s", err->text);
}

/* One case on one device. */
struct half_run {
	const struct half_case *row;
	struct op op;
	struct builder *builder;
	struct tensor tensors[OP_TENSORS_MAX];
	void *inputs[OP_TENSORS_MAX];
	uint32_t count, out; /* tensors; which of them is written */
	uint32_t *expected, *got;
};

static void fill(struct half_run *run)
{
	struct workload *workload = run->builder->workload;
	struct error err = {0};

	run->count = op_tensors(&run->op, run->tensors);
	run->out = run->count - 1;
	for (uint32_t i = 0; i < run->count; i++) {
		uint64_t bytes = tensor_bytes(&run->tensors[i]);
		run->inputs[i] = calloc(1, bytes);
		if (i == run->out)
			continue;
		half_fill(&run->op, run->tensors, i, run->inputs[i]);
		must(workload->device->api->buffer_write(
		             workload->buffers[i], 0, run->inputs[i], bytes, &err),
		        &err);
	}
	run->expected = malloc(run->tensors[run->out].elements * sizeof *run->expected);
	half_expect(run->row, &run->op, run->inputs, run->expected);
}

/* The output, through a buffer that the host reads. */
static void fetch(struct half_run *run)
{
	struct workload *workload = run->builder->workload;
	const struct gpu_api *api = workload->device->api;
	struct gpu_region whole = {.bytes = tensor_bytes(&run->tensors[run->out])};
	struct gpu_buffer *host;
	struct gpu_commands *commands;
	struct error err = {0};

	must(device_allocate(workload->device, whole.bytes, GPU_DOWNLOAD, &host, &err), &err);
	const struct gpu_copies copies = {workload->buffers[run->out], host, 1, &whole};
	must(api->record_copies(&copies, &commands, &err), &err);
	must(api->submit(commands, NULL, &err), &err);
	memcpy(run->inputs[run->out], host->mapped, whole.bytes);
	api->commands_destroy(commands);
	api->buffer_destroy(host);
}

static void launch(struct half_run *run, const struct schedule *schedule)
{
	struct workload *workload = run->builder->workload;
	const struct gpu_api *api = workload->device->api;
	struct gpu_commands *commands;
	struct built *built;
	struct error err = {0};

	must(builder_build(run->builder, 0, schedule, &built, &err), &err);
	ck_assert_msg(!*built->verdict.why, "%s: %s", run->row->op, built->verdict.why);
	const struct gpu_launch *launch = &built->trial->leg[0].launch;
	struct gpu_dispatch dispatch = {.launch = launch, .repeats = 1};
	memcpy(dispatch.count, launch->workgroups, sizeof dispatch.count);
	must(workload_poison(workload, 0, &err), &err);
	must(api->record_dispatch(&dispatch, &commands, &err), &err);
	must(api->submit(commands, NULL, &err), &err);
	api->commands_destroy(commands);
	fetch(run);
	built_free(built);
}

static void check_kernel(struct half_run *run, const struct schedule *schedule)
{
	const struct tensor *out = &run->tensors[run->out];
	char text[SCHEDULE_TEXT_BYTES];

	launch(run, schedule);
	schedule_print(schedule, text);
	for (uint32_t i = 0; i < out->elements; i++)
		ck_assert_msg(half_is_right(run->row, out, run->inputs[run->out], i,
		                      run->expected[i], schedule->axis[AXIS_F16]),
		        "%s on %s [%s]: element %u is %#x, not %#x", run->row->op,
		        run->builder->device->adapter->name, text, i,
		        half_bits_at(out->dtype, run->inputs[run->out], i), run->expected[i]);
}

/* The first kernel of the space that reads f16 so, if there is one. */
static uint32_t check_first(struct half_run *run, const struct space *space, bool native)
{
	for (uint32_t i = 0; i < space->count; i++)
		if (space->candidates[i].schedule.axis[AXIS_F16] == native) {
			check_kernel(run, &space->candidates[i].schedule);
			return 1;
		}
	return 0;
}

static uint32_t check_case(struct builder *builder, const struct half_case *row)
{
	struct half_run run = {.row = row, .builder = builder};
	static struct space space;
	struct error err = {0};
	uint32_t checked = 0;

	ck_assert_int_eq(op_parse(row->op, &run.op, NULL), 0);
	must(workload_load(builder->device, &run.op, 1, &builder->workload, &err), &err);
	fill(&run);
	must(space_enumerate(&run.op, &builder->device->adapter->limits, &facts, &space, &err),
	        &err);
	for (int native = 0; native <= 1; native++)
		checked += check_first(&run, &space, native);
	for (uint32_t i = 0; i < run.count; i++)
		free(run.inputs[i]);
	free(run.expected);
	workload_free(builder->workload);
	builder->workload = NULL;
	return checked;
}

START_TEST(kernels_are_right)
{
	struct device *device;
	struct builder *builder;
	struct error err = {0};
	uint32_t checked = 0;

	must(device_open(adapters.all[_i], PROFILE_WEB, &device, &err), &err);
	must(builder_create(device, &builder, &err), &err);
	for (uint32_t i = (uint32_t)_i % stride; i < half_case_count; i += stride)
		checked += check_case(builder, &half_cases[i]);
	builder_destroy(builder);
	device_close(device);
	printf("%s: %u kernels of narrow types right (every %u. case)\n", adapters.all[_i]->name,
	        checked, stride);
}
END_TEST

int main(void)
{
	const char *every = getenv("NNJIT_HALVES_STRIDE");
	struct error err = {0};

	stride = every && atoi(every) > 0 ? (uint32_t)atoi(every) : STRIDE;
	if (adapters_find(&adapters, &err) || !adapters.count) {
		printf("skipped: there is no device: %s\n", err.text);
		return 77;
	}
	Suite *suite = suite_create("half");
	TCase *kernels = tcase_create("kernels");
	tcase_set_timeout(kernels, 600);
	tcase_add_loop_test(kernels, kernels_are_right, 0, (int)adapters.count);
	suite_add_tcase(suite, kernels);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	adapters_free(&adapters);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
