/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of one candidate, step by step. Some drivers compile only when a kernel is first
 * launched, so an empty launch belongs to compiling. Invariant: a kernel that was not verified is
 * never timed.
 */
#include "daemon/gpu/trial.h"
#include "daemon/gpu/fault.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_FLOPS    2e9  /* from here a launch on a slow device may outlast a submission */
#define TIME_BUDGET_NS 20e9 /* of one trial_time */
#define WARM_BELOW_NS  20e6 /* a sample shorter than this is preceded by an untimed one */

/* A candidate on its way. */
struct attempt {
	const struct bench *bench;
	enum fault fault;
	struct buffer endless; /* the planted kernel's words */
	struct trial *trial;
	struct verdict *verdict;
};

static void refuse(struct attempt *attempt, const char *why)
{
	snprintf(attempt->verdict->why, sizeof attempt->verdict->why, "%.159s", why);
}

static int generate(struct attempt *attempt, const struct schedule *schedule,
        struct kernel *ret_kernel, struct error *err)
{
	const struct bench *bench = attempt->bench;
	const struct op *op = &bench->workload->op;
	struct error why;

	if (space_check(op, schedule, &bench->device->adapter->limits, &why))
		return error_set(err, ANSWER_BAD_REQUEST, "schedule",
		        "the schedule is not legal here: %s", why.text);
	double start_ns = device_now_ns();
	int failure = nnjit_generate(bench->nnjit, op, schedule, NNJIT_SPIRV, ret_kernel);
	attempt->verdict->generate_ns = device_now_ns() - start_ns;
	if (failure)
		return answer_no_memory("the kernel", err);
	attempt->verdict->code_bytes = ret_kernel->code_bytes;
	if (attempt->fault != FAULT_HANG)
		return 0;
	if (fault_endless_kernel(
	            bench->workload->tensors, bench->workload->tensor_count, &attempt->endless))
		return answer_no_memory("the planted kernel", err);
	ret_kernel->code = attempt->endless.data;
	ret_kernel->code_bytes = attempt->endless.length;
	fault_endless_workgroups(ret_kernel->workgroups);
	return 0;
}

static int compile(struct attempt *attempt, const struct kernel *kernel, struct error *err)
{
	const struct bench *bench = attempt->bench;
	struct launch *launch = &attempt->trial->launch;

	launch->bindings = &bench->workload->bindings;
	memcpy(launch->workgroups, kernel->workgroups, sizeof launch->workgroups);
	launch->sliceable = op_flops(&bench->workload->op) >= SLICE_FLOPS;
	double start_ns = device_now_ns();
	int answer = pipeline_create(bench->device, launch->bindings, kernel->code,
	        kernel->code_bytes, kernel->entry_point, launch->sliceable, &launch->pipeline, err);
	if (!answer)
		answer = launch_nothing(bench->device, launch, err);
	attempt->verdict->pipeline_ns = device_now_ns() - start_ns;
	return answer;
}

static int launch_fault(enum fault fault, struct error *err)
{
	if (fault == FAULT_CRASH)
		abort();
	if (fault == FAULT_LOST)
		return error_set(err, ANSWER_DEVICE_LOST, "", "the device was lost (planted)");
	return 0;
}

/* One launch in the smallest pieces there are: nothing is known of its time yet. */
static int run_first(struct attempt *attempt, struct error *err)
{
	struct device *device = attempt->bench->device;
	struct trial *trial = attempt->trial;

	int answer = workload_poison(device, attempt->bench->workload, err);
	if (!answer)
		answer = run_record(device, &trial->launch, INFINITY, 0, &trial->run, err);
	if (!answer)
		answer = launch_fault(attempt->fault, err);
	if (answer)
		return answer;
	double start_ns = device_now_ns(), ns;
	answer = run_time(device, &trial->run, &ns, err);
	attempt->verdict->first_ns = device_now_ns() - start_ns;
	if (!answer && attempt->fault == FAULT_WRONG)
		answer = workload_spoil(device, attempt->bench->workload, err);
	return answer;
}

static int verify(struct attempt *attempt, struct error *err)
{
	struct workload *workload = attempt->bench->workload;
	struct verdict *verdict = attempt->verdict;
	struct comparison seen;

	int answer = workload_compare(attempt->bench->device, workload, &seen, err);
	if (answer)
		return answer;
	verdict->max_rel_err = seen.max_rel_err;
	verdict->checked = seen.checked;
	if (seen.unwritten)
		snprintf(verdict->why, sizeof verdict->why,
		        "%" PRIu64 " of the elements looked at were never written", seen.unwritten);
	else if (!(seen.max_rel_err <= workload->samples.tolerance))
		snprintf(verdict->why, sizeof verdict->why,
		        "element %" PRIu64
		        " is %.9g and must be %.9g; the error is %.3g of the scale",
		        seen.worst, seen.worst_value, seen.worst_reference, seen.max_rel_err);
	else
		verdict->right = true;
	return 0;
}

/* Records the run anew for the pilot's time; *ret_same: it is of the same form as the last one. */
static int record_again(
        struct device *device, struct trial *trial, bool *ret_same, struct error *err)
{
	uint32_t repeats = trial->run.repeats, slices = trial->run.slices;

	run_free(device, &trial->run);
	int answer = run_record(device, &trial->launch, trial->pilot_ns, timing_target_ns(device),
	        &trial->run, err);
	*ret_same = trial->run.repeats == repeats && trial->run.slices == slices;
	return answer;
}

/* Sizes a sample. A single short launch is mostly overhead, and so are many slices of one; so a
 * sizing is checked by a run of that size until it holds. */
static int pilot(struct device *device, struct trial *trial, struct error *err)
{
	bool same = false;
	int answer = run_time(device, &trial->run, &trial->pilot_ns, err);

	for (int i = 0; !answer && !same && i < 3; i++) {
		answer = record_again(device, trial, &same, err);
		if (!answer && !same)
			answer = run_time(device, &trial->run, &trial->pilot_ns, err);
	}
	return answer;
}

static int run_steps(struct attempt *attempt, const struct schedule *schedule, struct error *err)
{
	struct kernel kernel;
	struct error why;
	int answer = generate(attempt, schedule, &kernel, err);

	if (answer)
		return answer;
	if (validator_check(attempt->bench->validator, kernel.code, kernel.code_bytes, &why)) {
		refuse(attempt, why.text);
		return 0;
	}
	answer = compile(attempt, &kernel, err);
	if (!answer)
		answer = run_first(attempt, err);
	if (!answer)
		answer = verify(attempt, err);
	if (!answer && attempt->verdict->right)
		answer = pilot(attempt->bench->device, attempt->trial, err);
	attempt->verdict->pilot_ns = attempt->trial->pilot_ns;
	return answer;
}

int trial_build(const struct bench *bench, uint32_t candidate, const struct schedule *schedule,
        struct trial **ret_trial, struct verdict *ret_verdict, struct error *err)
{
	struct verdict verdict = {0};
	struct attempt attempt = {.bench = bench,
	        .fault = fault_of(candidate),
	        .trial = calloc(1, sizeof *attempt.trial),
	        .verdict = &verdict};

	if (!attempt.trial)
		return answer_no_memory("a trial", err);
	int answer = run_steps(&attempt, schedule, err);
	buffer_free(&attempt.endless);
	if (answer == ANSWER_DEVICE_LOST)
		return answer; /* what hangs on the device cannot be freed; the process ends */
	if (answer || !verdict.right) {
		trial_free(bench->device, attempt.trial);
		attempt.trial = NULL;
	}
	if (!answer) {
		*ret_trial = attempt.trial;
		*ret_verdict = verdict;
	}
	return answer;
}

void trial_free(struct device *device, struct trial *trial)
{
	if (!trial)
		return;
	run_free(device, &trial->run);
	pipeline_destroy(device, trial->launch.pipeline);
	free(trial);
}

static int warm(
        struct device *device, struct trial *const trials[], uint32_t count, struct error *err)
{
	int answer = 0;
	double ns;

	for (uint32_t i = 0; !answer && i < count; i++)
		if (trials[i]->pilot_ns < WARM_BELOW_NS)
			answer = run_time(device, &trials[i]->run, &ns, err);
	return answer;
}

int trial_time(struct device *device, struct trial *const trials[], uint32_t count,
        uint32_t samples, double *ret_ns, uint32_t *ret_rounds, struct error *err)
{
	double deadline_ns = device_now_ns() + TIME_BUDGET_NS;
	int answer = warm(device, trials, count, err);
	uint32_t round = 0;

	while (!answer && round < samples && (!round || device_now_ns() < deadline_ns)) {
		double *row = ret_ns + (size_t)round * count;
		for (uint32_t i = 0; !answer && i < count; i++)
			answer = run_time(device, &trials[i]->run, &row[i], err);
		round++;
	}
	if (!answer)
		*ret_rounds = round;
	return answer;
}
