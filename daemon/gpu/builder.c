/* SPDX-License-Identifier: Apache-2.0
 *
 * Building one candidate, step by step. Must not submit anything to the device: other threads
 * build while the main one times. Invariant: no driver sees SPIR-V that is not valid.
 */
#include "daemon/gpu/builder.h"
#include "base/buffer.h"
#include "daemon/gpu/answer.h"
#include "reference/reference.h"
#include "space/space.h"

#include <inttypes.h>
#include <stdlib.h>

#define SLICE_STEPS 1e9 /* from here a launch on a slow device may outlast a submission */

/* A candidate on its way. */
struct making {
	struct builder *builder;
	struct built *built;
	struct kernel kernel;
	struct buffer endless; /* the planted kernel's code */
};

int builder_create(struct device *device, struct builder **ret_builder, struct error *err)
{
	struct builder *builder = calloc(1, sizeof *builder);

	if (!builder)
		return answer_no_memory("a builder", err);
	builder->device = device;
	if (nnjit_create(&builder->nnjit) ||
	        validator_create(device->api->spirv_environment, &builder->validator)) {
		builder_destroy(builder);
		return answer_no_memory("a builder", err);
	}
	*ret_builder = builder;
	return 0;
}

void builder_destroy(struct builder *builder)
{
	if (!builder)
		return;
	validator_destroy(builder->validator);
	nnjit_destroy(builder->nnjit);
	free(builder);
}

/* ---- Generating. */

static int plant_endless(struct making *making, struct error *err)
{
	struct kernel *kernel = &making->kernel;

	if (fault_endless_kernel(making->builder->device->api, kernel->tensors,
	            kernel->tensor_count, &making->endless))
		return answer_no_memory("the planted kernel", err);
	kernel->code = making->endless.data;
	kernel->code_bytes = making->endless.length;
	return 0;
}

static int generate(struct making *making, const struct schedule *schedule, struct error *err)
{
	const struct builder *builder = making->builder;
	const struct device *device = builder->device;
	const struct op *op = &builder->workload->op;
	struct error why;

	if (space_check(op, schedule, &device->adapter->limits, &why))
		return error_set(err, ANSWER_BAD_REQUEST, "schedule",
		        "the schedule is not legal here: %s", why.text);
	double start_ns = device_now_ns();
	int failure = nnjit_generate(builder->nnjit, op, schedule, device->emit, &making->kernel);
	making->built->verdict.generate_ns = device_now_ns() - start_ns;
	if (failure)
		return answer_no_memory("the kernel", err);
	return making->built->fault == FAULT_HANG ? plant_endless(making, err) : 0;
}

/* ---- Validating. */

/* False, and a verdict, for words that are no SPIR-V a driver may see. */
static bool validate(struct making *making)
{
	struct verdict *verdict = &making->built->verdict;
	struct error why;
	double start_ns = device_now_ns();
	int failure = validator_check(
	        making->builder->validator, making->kernel.code, making->kernel.code_bytes, &why);

	verdict->validate_ns = device_now_ns() - start_ns;
	verdict->code_bytes = making->kernel.code_bytes;
	if (failure)
		snprintf(verdict->why, sizeof verdict->why, "%.159s", why.text);
	return !failure;
}

/* ---- Compiling. */

static bool is_long(const struct workload *workload)
{
	for (uint32_t p = 0; p < workload->point_count; p++)
		if (workload_steps(workload, p) >= SLICE_STEPS)
			return true;
	return false;
}

/* The launch at one point. False, and a verdict, where the device allows no such dispatch. */
static bool set_launch(struct making *making, uint32_t p)
{
	const struct workload *workload = making->builder->workload;
	uint32_t most = making->builder->device->adapter->limits.workgroups;
	struct verdict *verdict = &making->built->verdict;
	struct gpu_launch *launch = &making->built->trial->leg[p].launch;

	*launch = (struct gpu_launch){.bindings = workload->bindings, .set = p};
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t count = extent_at(&making->kernel.grid[i], workload->points[p].dims);
		if (count > most) {
			snprintf(verdict->why, sizeof verdict->why,
			        "within its range it needs %" PRIu64
			        " workgroups in one dimension and the device allows %u",
			        count, most);
			return false;
		}
		launch->workgroups[i] = (uint32_t)count;
	}
	if (making->built->fault == FAULT_HANG)
		fault_endless_workgroups(launch->workgroups);
	return true;
}

static int compile(struct making *making, struct error *err)
{
	struct device *device = making->builder->device;
	const struct workload *workload = making->builder->workload;
	struct verdict *verdict = &making->built->verdict;
	struct trial *trial = making->built->trial;
	const struct gpu_pipeline_params params = {.bindings = workload->bindings,
	        .code = making->kernel.code,
	        .code_bytes = making->kernel.code_bytes,
	        .entry_point = making->kernel.entry_point,
	        .sliceable = is_long(workload)};

	for (uint32_t p = 0; p < workload->point_count; p++)
		if (!set_launch(making, p))
			return 0;
	if (making->built->fault == FAULT_COMPILE)
		abort();
	double start_ns = device_now_ns();
	int answer = device->api->pipeline_create(device, &params, &trial->pipeline, err);
	verdict->create_ns = verdict->pipeline_ns = device_now_ns() - start_ns;
	for (uint32_t p = 0; p < workload->point_count; p++)
		trial->leg[p].launch.pipeline = trial->pipeline;
	return answer;
}

/* ---- A candidate from start to end. */

static int begin(
        struct builder *builder, enum fault fault, struct making *ret_making, struct error *err)
{
	struct built *built = calloc(1, sizeof *built);

	if (built)
		built->trial = calloc(1, sizeof *built->trial);
	if (!built || !built->trial) {
		free(built);
		return answer_no_memory("a trial", err);
	}
	built->trial->device = builder->device;
	built->workload = builder->workload;
	built->fault = fault;
	*ret_making = (struct making){.builder = builder, .built = built};
	return 0;
}

/* Hands over what was built, or frees it. */
static int finish(struct making *making, int answer, struct built **ret_built)
{
	buffer_free(&making->endless);
	if (!answer)
		*ret_built = making->built;
	else if (answer != ANSWER_DEVICE_LOST)
		built_free(making->built);
	return answer;
}

static int build(struct builder *builder, enum fault fault, const struct schedule *schedule,
        struct built **ret_built, struct error *err)
{
	struct making making;
	int answer = begin(builder, fault, &making, err);

	if (answer)
		return answer;
	answer = generate(&making, schedule, err);
	if (!answer && validate(&making))
		answer = compile(&making, err);
	return finish(&making, answer, ret_built);
}

int builder_build(struct builder *builder, uint32_t candidate, const struct schedule *schedule,
        struct built **ret_built, struct error *err)
{
	return build(builder, fault_of(candidate), schedule, ret_built, err);
}

int builder_build_here(struct builder *builder, const struct schedule *schedule,
        struct built **ret_built, struct error *err)
{
	return build(builder, FAULT_NONE, schedule, ret_built, err);
}

int builder_build_kernel(struct builder *builder, const struct kernel *kernel,
        struct built **ret_built, struct error *err)
{
	struct making making;
	int answer = begin(builder, FAULT_NONE, &making, err);

	if (answer)
		return answer;
	making.kernel = *kernel;
	if (validate(&making))
		answer = compile(&making, err);
	return finish(&making, answer, ret_built);
}

void built_free(struct built *built)
{
	if (built)
		trial_free(built->trial);
	free(built);
}
