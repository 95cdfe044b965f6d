/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of one candidate on the device, step by step. Some drivers compile only when a
 * kernel is first launched, so an empty launch belongs to compiling. Must not build: a pipeline is
 * there or was refused. Invariant: a kernel that was not verified is never timed.
 */
#include "daemon/gpu/trial.h"
#include "base/cleanup.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/builder.h"
#include "daemon/gpu/pace.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define SLOW_STEP_NS 0.32 /* 3e9 steps a second: what a bad kernel does on a slow GPU */

/* Of drivers that compile only then, most of the compiling. */
static int compile_at_launch(struct built *built, struct error *err)
{
	const struct trial *trial = built->trial;
	double start_ns = device_now_ns();
	int answer = trial->device->api->pipeline_warm(&trial->leg[0].launch, err);

	built->verdict.pipeline_ns += device_now_ns() - start_ns;
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

/* Of a launch that never ran: as long as the worst kernels on a slow GPU take. On a processor
 * nobody knows. */
static double guess_ns(const struct built *built, uint32_t p)
{
	return device_is_cpu(built->trial->device)
	               ? INFINITY
	               : SLOW_STEP_NS * workload_steps(built->workload, p);
}

/* One launch in small pieces: nothing is known of its time yet. */
static int run_once(struct built *built, uint32_t p, uint32_t round, struct error *err)
{
	const struct run_size careful = {.launch_ns = guess_ns(built, p), .target_ns = 0};
	struct leg *leg = &built->trial->leg[p];
	double ns;

	int answer = workload_poison(built->workload, round, err);
	if (!answer && !leg->run.slices)
		answer = run_record(&leg->launch, &careful, &leg->run, err);
	if (!answer)
		answer = launch_fault(built->fault, err);
	if (answer)
		return answer;
	double start_ns = device_now_ns();
	answer = run_time(built->trial->device, &leg->run, &ns, err);
	if (!built->verdict.first_ns)
		built->verdict.first_ns = device_now_ns() - start_ns;
	if (!answer && built->fault == FAULT_WRONG)
		answer = workload_spoil(built->workload, p, err);
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

static void judge(struct built *built, uint32_t p, const struct comparison *seen)
{
	const struct workload *workload = built->workload;
	struct verdict *verdict = &built->verdict;
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
	else if (!(seen->max_rel_err <= workload->points[p].samples.rule.tolerance))
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
static int verify_point(struct built *built, uint32_t p, struct error *err)
{
	struct workload *workload = built->workload;
	struct comparison seen;
	int answer = 0;

	for (uint32_t round = 0;
	        !answer && round < workload_rounds(workload) && !built->verdict.why[0]; round++) {
		answer = run_once(built, p, round, err);
		if (!answer)
			answer = workload_compare(workload, p, round, &seen, err);
		if (!answer)
			judge(built, p, &seen);
	}
	if (!answer)
		built->verdict.checked += seen.checked;
	return answer;
}

/* Once more over special inputs: the same pipeline, other buffers, a run that is not kept. */
static int verify_special(struct built *built, struct error *err)
{
	struct workload *ordinary = built->workload;
	struct leg *leg = &built->trial->leg[0], kept = *leg;

	built->workload = ordinary->special;
	leg->launch.bindings = ordinary->special->bindings;
	leg->run = (struct run){0};
	int answer = verify_point(built, 0, err);
	if (answer != ANSWER_DEVICE_LOST)
		run_free(built->trial->device, &leg->run);
	*leg = kept;
	built->workload = ordinary;
	return answer;
}

static int verify(struct built *built, struct error *err)
{
	double start_ns = device_now_ns();
	int answer = 0;

	for (uint32_t p = 0; !answer && p < built->workload->point_count && !built->verdict.why[0];
	        p++)
		answer = verify_point(built, p, err);
	if (!answer && !built->verdict.why[0] && built->workload->special)
		answer = verify_special(built, err);
	built->verdict.right = !answer && !built->verdict.why[0];
	built->verdict.verify_ns = device_now_ns() - start_ns;
	return answer;
}

/* ---- Sizing. */

/* Records the run anew for the pilot's time; *ret_same: it is of the same form as the last one. */
static int record_again(struct device *device, struct leg *leg, bool *ret_same, struct error *err)
{
	const struct run_size size = {leg->pilot_ns, timing_target_ns(device)};
	uint32_t repeats = leg->run.repeats, slices = leg->run.slices;

	run_free(device, &leg->run);
	int answer = run_record(&leg->launch, &size, &leg->run, err);
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

static int pilot(struct built *built, struct error *err)
{
	struct trial *trial = built->trial;
	int answer = pace_raise(trial->device->pace, err);

	trial->legs = built->workload->timed_count;
	for (uint32_t p = trial->legs; p < POINTS_MAX; p++)
		run_free(trial->device, &trial->leg[p].run);
	trial->target_ns = timing_target_ns(trial->device);
	for (uint32_t p = 0; !answer && p < trial->legs; p++) {
		answer = size_leg(trial->device, &trial->leg[p], err);
		trial->pilot_ns += trial->leg[p].pilot_ns / trial->legs;
	}
	built->verdict.pilot_ns = trial->pilot_ns;
	return answer;
}

int trial_size_again(struct trial *trial, struct error *err)
{
	double target_ns = timing_target_ns(trial->device);
	int answer = 0;
	bool same;

	if (trial->target_ns == target_ns)
		return 0;
	trial->target_ns = target_ns;
	for (uint32_t p = 0; !answer && p < trial->legs; p++)
		answer = record_again(trial->device, &trial->leg[p], &same, err);
	return answer;
}

/* ---- From the first launch on. */

int trial_try(struct built *built, struct trial **ret_trial, struct verdict *ret_verdict,
        struct error *err)
{
	bool made = !built->verdict.why[0];
	int answer = made ? compile_at_launch(built, err) : 0;

	if (!answer && made)
		answer = verify(built, err);
	if (!answer && built->verdict.right)
		answer = pilot(built, err);
	if (answer == ANSWER_DEVICE_LOST)
		return answer; /* what hangs on the device cannot be freed; the process ends */
	if (!answer) {
		*ret_verdict = built->verdict;
		*ret_trial = built->verdict.right ? TAKE(built->trial) : NULL;
	}
	built_free(built);
	return answer;
}

int trial_verify(struct built *built, struct verdict *ret_verdict, struct error *err)
{
	bool made = !built->verdict.why[0];
	int answer = made ? compile_at_launch(built, err) : 0;

	if (!answer && made)
		answer = verify(built, err);
	if (answer == ANSWER_DEVICE_LOST)
		return answer;
	if (!answer)
		*ret_verdict = built->verdict;
	built_free(built);
	return answer;
}

void trial_free(struct trial *trial)
{
	if (!trial)
		return;
	for (uint32_t p = 0; p < POINTS_MAX; p++)
		run_free(trial->device, &trial->leg[p].run);
	trial->device->api->pipeline_destroy(trial->pipeline);
	free(trial);
}

int trial_time(const struct trial *trial, double *ret_ns, struct error *err)
{
	double sum_ns = 0, ns;
	int answer = 0;

	for (uint32_t p = 0; !answer && p < trial->legs; p++) {
		answer = run_time(trial->device, &trial->leg[p].run, &ns, err);
		if (!answer)
			sum_ns += ns;
	}
	*ret_ns = sum_ns / trial->legs;
	return answer;
}
