/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of one candidate, step by step. Some drivers compile only when a kernel is first
 * launched, so an empty launch belongs to compiling. Invariant: a kernel that was not verified is
 * never timed.
 */
#include "daemon/gpu/trial.h"
#include "daemon/gpu/allocator.h"
#include "daemon/gpu/fault.h"
#include "daemon/gpu/threads.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "emit/spirv/spirv.h"
#include "reference/reference.h"
#include "space/space.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_STEPS    1e9  /* from here a launch on a slow device may outlast a submission */
#define TIME_BUDGET_NS 20e9 /* of one trial_time */
#define WARM_BELOW_NS  20e6 /* a sample shorter than this is preceded by an untimed one */

/* A candidate on its way. */
struct attempt {
	const struct bench *bench; /* `shared` */
	enum fault fault;
	struct buffer endless; /* the planted kernel's words */
	struct kernel kernel;  /* its code only while it is made */
	struct trial *trial;
	struct verdict *verdict; /* `own` */
	struct bench shared;
	struct verdict own;
};

static void refuse(struct attempt *attempt, const char *why)
{
	snprintf(attempt->verdict->why, sizeof attempt->verdict->why, "%.159s", why);
}

/* ---- Building. */

/* The words that the profile asks for. Without the means to zero workgroup memory as Tint does
 * there is no telling what a page would run, and a native kernel is the nearest. */
static nnjit_emitter *emitter_of(const struct device *device)
{
	if (device->profile == PROFILE_NATIVE || !device->adapter->zeroes_workgroup)
		return emit_spirv;
	return device->adapter->robustness2 ? emit_spirv_web : emit_spirv_web_clamped;
}

static int generate(struct attempt *attempt, const struct schedule *schedule, struct error *err)
{
	const struct bench *bench = attempt->bench;
	const struct op *op = &bench->workload->op;
	struct kernel *kernel = &attempt->kernel;
	struct error why;

	if (space_check(op, schedule, &bench->device->adapter->limits, &why))
		return error_set(err, ANSWER_BAD_REQUEST, "schedule",
		        "the schedule is not legal here: %s", why.text);
	double start_ns = device_now_ns();
	int failure = nnjit_generate(bench->nnjit, op, schedule, emitter_of(bench->device), kernel);
	attempt->verdict->generate_ns = device_now_ns() - start_ns;
	if (failure)
		return answer_no_memory("the kernel", err);
	if (attempt->fault != FAULT_HANG)
		return 0;
	if (fault_endless_kernel(kernel->tensors, kernel->tensor_count, &attempt->endless))
		return answer_no_memory("the planted kernel", err);
	kernel->code = attempt->endless.data;
	kernel->code_bytes = attempt->endless.length;
	return 0;
}

static double steps_of(const struct point *point, uint32_t output)
{
	return reference_steps(&point->op) * (double)point->tensors[output].elements;
}

static bool is_long(const struct workload *workload)
{
	for (uint32_t p = 0; p < workload->point_count; p++)
		if (steps_of(&workload->points[p], workload->output) >= SLICE_STEPS)
			return true;
	return false;
}

/* The launch at one point. False, and a verdict, where the device allows no such dispatch. */
static bool set_launch(struct attempt *attempt, uint32_t p, bool sliceable)
{
	const struct workload *workload = attempt->bench->workload;
	uint32_t most = attempt->bench->device->adapter->limits.workgroups;
	struct launch *launch = &attempt->trial->leg[p].launch;

	*launch = (struct launch){
	        .bindings = &workload->bindings, .set = p, .sliceable = sliceable};
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t count = extent_at(&attempt->kernel.grid[i], workload->points[p].dims);
		if (count > most) {
			snprintf(attempt->verdict->why, sizeof attempt->verdict->why,
			        "within its range it needs %" PRIu64
			        " workgroups in one dimension and the device allows %u",
			        count, most);
			return false;
		}
		launch->workgroups[i] = (uint32_t)count;
	}
	if (attempt->fault == FAULT_HANG)
		fault_endless_workgroups(launch->workgroups);
	return true;
}

static int compile(struct attempt *attempt, struct error *err)
{
	const struct bench *bench = attempt->bench;
	const struct kernel *kernel = &attempt->kernel;
	struct trial *trial = attempt->trial;
	bool sliceable = is_long(bench->workload);

	for (uint32_t p = 0; p < bench->workload->point_count; p++)
		if (!set_launch(attempt, p, sliceable))
			return 0;
	if (attempt->fault == FAULT_COMPILE)
		abort();
	double start_ns = device_now_ns();
	int answer = pipeline_create(bench->device, &bench->workload->bindings, kernel->code,
	        kernel->code_bytes, kernel->entry_point, sliceable, &trial->pipeline, err);
	attempt->verdict->create_ns = device_now_ns() - start_ns;
	for (uint32_t p = 0; p < bench->workload->point_count; p++)
		trial->leg[p].launch.pipeline = trial->pipeline;
	attempt->verdict->pipeline_ns = device_now_ns() - start_ns;
	return answer;
}

/* False, and a verdict, for words that are no SPIR-V a driver may see. */
static bool validate(struct attempt *attempt)
{
	struct error why;
	double start_ns = device_now_ns();
	int failure = validator_check(
	        attempt->bench->validator, attempt->kernel.code, attempt->kernel.code_bytes, &why);

	attempt->verdict->validate_ns = device_now_ns() - start_ns;
	attempt->verdict->code_bytes = attempt->kernel.code_bytes;
	if (failure)
		refuse(attempt, why.text);
	return !failure;
}

/* Of drivers that compile only then, most of the compiling. */
static int compile_at_launch(struct attempt *attempt, struct error *err)
{
	double start_ns = device_now_ns();
	int answer = launch_nothing(attempt->bench->device, &attempt->trial->leg[0].launch, err);

	attempt->verdict->pipeline_ns += device_now_ns() - start_ns;
	return answer;
}

/* ---- Verifying. */

static int launch_fault(enum fault fault, struct error *err)
{
	if (fault == FAULT_CRASH)
		abort();
	if (fault == FAULT_LOST)
		return error_set(err, ANSWER_DEVICE_LOST, "", "the device was lost (planted)");
	return 0;
}

/* One launch in the smallest pieces there are: nothing is known of its time yet. */
static int run_once(struct attempt *attempt, uint32_t p, uint32_t round, struct error *err)
{
	struct device *device = attempt->bench->device;
	struct leg *leg = &attempt->trial->leg[p];
	double ns;

	int answer = workload_poison(device, attempt->bench->workload, round, err);
	if (!answer && !leg->run.slices)
		answer = run_record(device, &leg->launch, INFINITY, 0, &leg->run, err);
	if (!answer)
		answer = launch_fault(attempt->fault, err);
	if (answer)
		return answer;
	double start_ns = device_now_ns();
	answer = run_time(device, &leg->run, &ns, err);
	if (!attempt->verdict->first_ns)
		attempt->verdict->first_ns = device_now_ns() - start_ns;
	if (!answer && attempt->fault == FAULT_WRONG)
		answer = workload_spoil(device, attempt->bench->workload, p, err);
	return answer;
}

/* "m=129: ", or "" for a static operator. */
static void name_point(const struct workload *workload, uint32_t p, char text[static 96])
{
	size_t at = 0;
	char name[24];

	text[0] = '\0';
	for (uint32_t i = 0; i < workload->op.dynamic_count && at < 96; i++) {
		op_dynamic_name(&workload->op, i, name);
		at += (size_t)snprintf(text + at, 96 - at, "%s=%u%s", name,
		        workload->points[p].dims[i],
		        i + 1 < workload->op.dynamic_count ? " " : ": ");
	}
}

static void judge(struct attempt *attempt, uint32_t p, const struct comparison *seen)
{
	const struct workload *workload = attempt->bench->workload;
	struct verdict *verdict = attempt->verdict;
	char where[96], what[160] = "";

	if (!(seen->max_rel_err <= verdict->max_rel_err))
		verdict->max_rel_err = seen->max_rel_err;
	if (seen->unwritten)
		snprintf(what, sizeof what,
		        "%" PRIu64 " of the elements looked at were never written",
		        seen->unwritten);
	else if (seen->trespassed)
		snprintf(what, sizeof what,
		        "%" PRIu64 " elements between the output's rows were written",
		        seen->trespassed);
	else if (!(seen->max_rel_err <= workload->points[p].samples.tolerance))
		snprintf(what, sizeof what,
		        "element %" PRIu64
		        " is %.9g and must be %.9g; the error is %.3g of the scale",
		        seen->worst, seen->worst_value, seen->worst_reference, seen->max_rel_err);
	if (!*what)
		return;
	name_point(workload, p, where);
	snprintf(verdict->why, sizeof verdict->why, "%.44s%.112s", where, what);
}

/* At one point; the verdict's `why` says what is wrong. */
static int verify_point(struct attempt *attempt, uint32_t p, struct error *err)
{
	struct workload *workload = attempt->bench->workload;
	struct comparison seen;
	int answer = 0;

	for (uint32_t round = 0;
	        !answer && round < workload_rounds(workload) && !attempt->verdict->why[0];
	        round++) {
		answer = run_once(attempt, p, round, err);
		if (!answer)
			answer = workload_compare(
			        attempt->bench->device, workload, p, round, &seen, err);
		if (!answer)
			judge(attempt, p, &seen);
	}
	if (!answer)
		attempt->verdict->checked += seen.checked;
	return answer;
}

static int verify(struct attempt *attempt, struct error *err)
{
	double start_ns = device_now_ns();
	int answer = 0;

	for (uint32_t p = 0;
	        !answer && p < attempt->bench->workload->point_count && !attempt->verdict->why[0];
	        p++)
		answer = verify_point(attempt, p, err);
	attempt->verdict->right = !answer && !attempt->verdict->why[0];
	attempt->verdict->verify_ns = device_now_ns() - start_ns;
	return answer;
}

/* ---- Sizing. */

/* Records the run anew for the pilot's time; *ret_same: it is of the same form as the last one. */
static int record_again(struct device *device, struct leg *leg, bool *ret_same, struct error *err)
{
	uint32_t repeats = leg->run.repeats, slices = leg->run.slices;

	run_free(device, &leg->run);
	int answer = run_record(
	        device, &leg->launch, leg->pilot_ns, timing_target_ns(device), &leg->run, err);
	*ret_same = leg->run.repeats == repeats && leg->run.slices == slices;
	return answer;
}

/* Sizes a sample. A single short launch is mostly overhead, and so are many slices of one; so a
 * sizing is checked by a run of that size until it holds. */
static int size_leg(struct device *device, struct leg *leg, struct error *err)
{
	bool same = false;
	int answer = run_time(device, &leg->run, &leg->pilot_ns, err);

	for (int i = 0; !answer && !same && i < 3; i++) {
		answer = record_again(device, leg, &same, err);
		if (!answer && !same)
			answer = run_time(device, &leg->run, &leg->pilot_ns, err);
	}
	return answer;
}

static int pilot(struct attempt *attempt, struct error *err)
{
	const struct bench *bench = attempt->bench;
	struct trial *trial = attempt->trial;
	int answer = 0;

	for (uint32_t p = bench->workload->timed_count; p < POINTS_MAX; p++)
		run_free(bench->device, &trial->leg[p].run);
	trial->legs = bench->workload->timed_count;
	trial->target_ns = timing_target_ns(bench->device);
	for (uint32_t p = 0; !answer && p < trial->legs; p++) {
		answer = size_leg(bench->device, &trial->leg[p], err);
		trial->pilot_ns += trial->leg[p].pilot_ns / trial->legs;
	}
	attempt->verdict->pilot_ns = trial->pilot_ns;
	return answer;
}

/* ---- A candidate from start to end. */

static int attempt_create(const struct bench *bench, enum fault fault, struct attempt **ret_attempt,
        struct error *err)
{
	struct attempt *attempt = calloc(1, sizeof *attempt);

	if (attempt)
		attempt->trial = calloc(1, sizeof *attempt->trial);
	if (!attempt || !attempt->trial) {
		free(attempt);
		return answer_no_memory("a trial", err);
	}
	attempt->shared = *bench;
	attempt->bench = &attempt->shared;
	attempt->verdict = &attempt->own;
	attempt->fault = fault;
	*ret_attempt = attempt;
	return 0;
}

/* Hands the attempt over, or frees it. */
static int attempt_end(struct attempt *attempt, int answer, struct attempt **ret_attempt)
{
	buffer_free(&attempt->endless);
	if (!answer)
		*ret_attempt = attempt;
	else if (answer != ANSWER_DEVICE_LOST)
		attempt_free(attempt);
	return answer;
}

int trial_make(const struct bench *bench, uint32_t candidate, const struct schedule *schedule,
        struct attempt **ret_attempt, struct error *err)
{
	struct attempt *attempt = NULL;
	int answer = attempt_create(bench, fault_of(candidate), &attempt, err);

	if (answer)
		return answer;
	answer = generate(attempt, schedule, err);
	if (!answer && validate(attempt))
		answer = compile(attempt, err);
	return attempt_end(attempt, answer, ret_attempt);
}

int trial_make_kernel(const struct bench *bench, const struct kernel *kernel,
        struct attempt **ret_attempt, struct error *err)
{
	struct attempt *attempt = NULL;
	int answer = attempt_create(bench, FAULT_NONE, &attempt, err);

	if (answer)
		return answer;
	attempt->kernel = *kernel;
	if (validate(attempt))
		answer = compile(attempt, err);
	return attempt_end(attempt, answer, ret_attempt);
}

int trial_try(struct attempt *attempt, struct trial **ret_trial, struct verdict *ret_verdict,
        struct error *err)
{
	bool made = !attempt->verdict->why[0];
	int answer = made ? compile_at_launch(attempt, err) : 0;

	if (!answer && made)
		answer = verify(attempt, err);
	if (!answer && attempt->verdict->right)
		answer = pilot(attempt, err);
	if (answer == ANSWER_DEVICE_LOST)
		return answer; /* what hangs on the device cannot be freed; the process ends */
	if (!answer) {
		*ret_verdict = attempt->own;
		*ret_trial = attempt->own.right ? TAKE(attempt->trial) : NULL;
	}
	attempt_free(attempt);
	return answer;
}

void attempt_free(struct attempt *attempt)
{
	if (attempt)
		trial_free(attempt->bench->device, attempt->trial);
	free(attempt);
}

void trial_free(struct device *device, struct trial *trial)
{
	if (!trial)
		return;
	trial_free(device, trial->twin);
	for (uint32_t p = 0; p < POINTS_MAX; p++)
		run_free(device, &trial->leg[p].run);
	pipeline_destroy(device, trial->pipeline);
	free(trial);
}

/* ---- Timing. */

/* The mean over the points. */
static int time_legs(
        struct device *device, const struct trial *trial, double *ret_ns, struct error *err)
{
	double sum_ns = 0, ns;
	int answer = 0;

	for (uint32_t p = 0; !answer && p < trial->legs; p++) {
		answer = run_time(device, &trial->leg[p].run, &ns, err);
		if (!answer)
			sum_ns += ns;
	}
	*ret_ns = sum_ns / trial->legs;
	return answer;
}

/* One sample. */
static int time_once(
        struct device *device, const struct trial *trial, double *ret_ns, struct error *err)
{
	double twin_ns = INFINITY;
	uint64_t times;
	int answer = time_legs(device, trial, ret_ns, err);

	if (fault_planted(FAULT_LAME, &times))
		*ret_ns *= (double)times;
	if (!answer && trial->twin)
		answer = time_legs(device, trial->twin, &twin_ns, err);
	*ret_ns = fmin(*ret_ns, twin_ns);
	return answer;
}

static int warm(
        struct device *device, struct trial *const trials[], uint32_t count, struct error *err)
{
	int answer = 0;
	double ns;

	for (uint32_t i = 0; !answer && i < count; i++)
		if (trials[i]->pilot_ns < WARM_BELOW_NS)
			answer = time_once(device, trials[i], &ns, err);
	return answer;
}

/* The clock they were sized for has turned out to be of no use. */
static int size_again(struct device *device, struct trial *trial, struct error *err)
{
	int answer = trial->twin ? size_again(device, trial->twin, err) : 0;
	bool same;

	if (answer || trial->target_ns == timing_target_ns(device))
		return answer;
	trial->target_ns = timing_target_ns(device);
	for (uint32_t p = 0; !answer && p < trial->legs; p++)
		answer = record_again(device, &trial->leg[p], &same, err);
	return answer;
}

int trial_time(struct device *device, struct trial *const trials[], uint32_t count,
        uint32_t samples, double *ret_ns, uint32_t *ret_rounds, struct error *err)
{
	double deadline_ns = device_now_ns() + TIME_BUDGET_NS;
	uint32_t round = 0;
	int answer = 0;

	bool computes_here = device->adapter->kind == ADAPTER_CPU;
	if (computes_here)
		threads_spread();
	allocator_writes(computes_here && device->profile == PROFILE_WEB);
	for (uint32_t i = 0; !answer && i < count; i++)
		answer = size_again(device, trials[i], err);
	if (!answer)
		answer = warm(device, trials, count, err);

	while (!answer && round < samples && (!round || device_now_ns() < deadline_ns)) {
		double *row = ret_ns + (size_t)round * count;
		for (uint32_t i = 0; !answer && i < count; i++)
			answer = time_once(device, trials[i], &row[i], err);
		round++;
	}
	allocator_writes(false);
	if (!answer)
		*ret_rounds = round;
	return answer;
}
