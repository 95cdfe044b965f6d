/* SPDX-License-Identifier: Apache-2.0
 *
 * One batch of a job:
 *
 *   build each that the worker does not hold -> time all side by side -> tell -> drop the losers
 *
 * Each candidate is recorded as launched before it is built, and whatever becomes of it is told to
 * the search and written down once. Invariant: `batch` holds those of the batch not told yet.
 */
#include "base/statistics.h"
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/job.h"
#include "daemon/tune/queue.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define DROP_NS     10000000000ull
#define KEPT_MAX    32  /* built candidates in the worker, but for the best and the baseline */
#define KEPT_WITHIN 3.0 /* of the best: slower ones, outliers allowed for, will not come back */

static void choose_timing(struct job *job);

static void batch_remove(struct job *job, uint32_t candidate)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < job->batch_count; i++)
		if (job->batch[i] != candidate)
			job->batch[count++] = job->batch[i];
	job->batch_count = count;
}

/* ---- Building. */

static void reject(
        struct job *job, uint32_t candidate, enum store_trial_state state, const char *why)
{
	log_debug("%s: '%s' is out: %s", job->text, job->attempts[candidate].text, why);
	trial_reject(job, candidate, state, why);
	batch_remove(job, candidate);
}

static void take_build(struct job *job, uint32_t candidate, const json_t *ok)
{
	struct attempt *attempt = &job->attempts[candidate];
	const char *why = json_string_value(json_object_get(ok, "why"));

	if (!json_is_true(json_object_get(ok, "right"))) {
		reject(job, candidate, STORE_TRIAL_WRONG, why && *why ? why : "wrong results");
		return;
	}
	attempt->twin = attempt->built;
	attempt->built = attempt->right = true;
	attempt->trial.pipeline_ns = json_number_value(json_object_get(ok, "pipeline_ns"));
	attempt->trial.code_bytes = (uint64_t)json_integer_value(json_object_get(ok, "code_bytes"));
	attempt->trial.max_rel_err = json_number_value(json_object_get(ok, "max_rel_err"));
	attempt->trial.checked = (uint32_t)json_integer_value(json_object_get(ok, "checked"));
	attempt->pilot_ns = json_number_value(json_object_get(ok, "pilot_ns"));
}

static void built(void *context, const struct worker_reply *reply)
{
	struct job *job = context;
	uint32_t candidate = job->launched;

	if (reply->asked_to_end)
		trials_undo_launch(job);
	else if (reply->answer == WORKER_LOST || device_lost(reply))
		reject(job, candidate, STORE_TRIAL_POISONED, reply->text);
	if (job_lost_worker(job, reply))
		return;
	uint64_t took_ns = loop_now_ns() - job->build_begun_ns;
	job->build_ns = job->build_ns ? (job->build_ns + took_ns) / 2 : took_ns;
	job->deaths = 0;
	job->launched = NO_CANDIDATE;
	if (reply->answer == WORKER_OK)
		take_build(job, candidate, reply->ok);
	else
		reject(job, candidate, STORE_TRIAL_REFUSED, reply->text);
	job_measure(job);
}

/* What the kernel itself may take comes on top of the worker's patience. */
static uint64_t patience_ns(const struct job *job, double kernel_ns)
{
	return job->tune->answer_ns +
	       (isfinite(kernel_ns) && kernel_ns > 0 ? (uint64_t)kernel_ns : 0);
}

/* Once the time for screening is over, or would be before the next build ends, those of the batch
 * never measured are given up. A candidate costs a build, most of it in the driver's compiler. */
static void give_up_screening(struct job *job)
{
	uint32_t count = 0;

	if (job_elapsed_ns(job) + job->build_ns < job_screening_ns(job) ||
	        search_best(job->search) == job->count)
		return;
	search_hurry(job->search);
	for (uint32_t i = 0; i < job->batch_count; i++) {
		uint32_t candidate = job->batch[i];
		if (job->attempts[candidate].built || search_timing(job->search, candidate).samples)
			job->batch[count++] = candidate;
	}
	job->batch_count = count;
}

/* On a processor the finalists run in the better of two builds, if there is time for that: where
 * code happens to lie makes a kernel up to twice as slow, in one of four by more than 8%. */
static void begin_finals(struct job *job)
{
	uint64_t builds_ns = job->build_ns * job->batch_count;

	if (job->finals || !search_in_finals(job->search))
		return;
	job->finals = true;
	job->twins = job->device->public.facts.cpu && job->batch_count > 1 &&
	             job_elapsed_ns(job) + builds_ns < job->budget_ns;
}

static bool is_ready(const struct job *job, uint32_t candidate)
{
	const struct attempt *attempt = &job->attempts[candidate];

	return attempt->built && (attempt->twin || !job->twins);
}

/* The first of the batch that is not built; all built: time them. */
void job_measure(struct job *job)
{
	uint32_t next = 0;

	if (job->cancelled) {
		job_next(job);
		return;
	}
	give_up_screening(job);
	begin_finals(job);
	while (next < job->batch_count && is_ready(job, job->batch[next]))
		next++;
	if (next == job->batch_count) {
		choose_timing(job);
		return;
	}
	uint32_t candidate = job->batch[next];
	const struct attempt *attempt = &job->attempts[candidate];
	if (job->ahead != NO_CANDIDATE && job->ahead != candidate) {
		ahead_drop(job);
		return;
	}
	bool ahead = job->ahead == candidate;
	int code = ahead ? 0 : trial_launch(job, candidate);
	job->tune->stats.built_ahead += ahead;
	job->ahead = NO_CANDIDATE;
	job->launched = candidate;
	if (code) { /* never launched unrecorded */
		job_fail(job, code == -ENOSPC ? "the disk with the state folder is full"
		                              : "the store cannot be written");
		return;
	}
	json_t *request = json_pack("{s:s,s:I,s:s,s:b}", "do", "build", "candidate",
	        (json_int_t)candidate, "schedule", attempt->text, "twin", (int)attempt->built);
	job->build_begun_ns = loop_now_ns();
	worker_call(job->device->worker, request, patience_ns(job, 8 * attempt->predicted_ns),
	        built, job);
}

/* ---- Timing. */

/* The best and the baseline are never among them. */
static json_t *losers(struct job *job)
{
	uint32_t best = search_best(job->search), kept = 0;
	double best_ns = search_timing(job->search, best).median_ns;
	json_t *array = json_array();

	for (uint32_t i = 0; i < job->count; i++) {
		struct attempt *attempt = &job->attempts[i];
		double ns = search_timing(job->search, i).median_ns;
		if (!attempt->built || i == job->baseline || i == best)
			continue;
		if (ns <= KEPT_WITHIN * best_ns && kept++ < KEPT_MAX)
			continue;
		attempt->built = attempt->twin = false;
		json_array_append_new(array, json_integer((json_int_t)i));
	}
	return array;
}

static void dropped(void *context, const struct worker_reply *reply)
{
	struct job *job = context;

	if (!job_lost_worker(job, reply))
		job_next(job);
}

/* The batch is told: the best of it is served, the losers leave the worker. */
static void job_told(struct job *job)
{
	job->alone = false;
	bool improved = best_update(job);
	kernels_changed(job->tune);
	queue_tell(job, improved ? TUNE_IMPROVED : TUNE_PROGRESS, NULL);
	json_t *array = losers(job);
	if (json_array_size(array)) {
		json_t *request = json_pack("{s:s,s:o}", "do", "drop", "candidates", array);
		worker_call(job->device->worker, request, DROP_NS, dropped, job);
		return;
	}
	json_decref(array);
	job_next(job);
}

static void take_samples(struct job *job, uint32_t candidate, const json_t *samples_ns)
{
	double ns[64];
	uint32_t count = 0;
	char name[16];

	snprintf(name, sizeof name, "%u", candidate);
	const json_t *array = json_object_get(samples_ns, name);
	while (count < json_array_size(array) && count < sizeof ns / sizeof ns[0]) {
		ns[count] = json_number_value(json_array_get(array, count));
		count++;
	}
	if (count) {
		job->attempts[candidate].batch_ns = statistics_median(ns, count);
		job->attempts[candidate].batch = job->batches;
		search_tell(job->search, candidate, SEARCH_TIMED, ns, count);
		batch_remove(job, candidate);
	} else {
		reject(job, candidate, STORE_TRIAL_REFUSED, "the worker gave no times");
	}
}

static void timed(void *context, const struct worker_reply *reply)
{
	struct job *job = context;
	const char *clock = json_string_value(json_object_get(reply->ok, "clock"));
	bool gone = reply->answer == WORKER_LOST || device_lost(reply);

	/* Which of several was at fault shows when each is timed alone. */
	if (reply->answer != WORKER_OK && !reply->asked_to_end && job->timing_count == 1 &&
	        job->ahead == NO_CANDIDATE)
		reject(job, job->timing[0], gone ? STORE_TRIAL_POISONED : STORE_TRIAL_REFUSED,
		        reply->text);
	job->alone |= reply->answer != WORKER_OK;
	if (job_lost_worker(job, reply))
		return;
	job->deaths = 0;
	job->time_ns = loop_now_ns() - job->time_begun_ns;
	if (reply->answer == WORKER_OK) {
		job->batches++;
		job->wall_clock = clock && !strcmp(clock, "wall");
		for (uint32_t i = 0; i < job->timing_count; i++)
			take_samples(job, job->timing[i], json_object_get(reply->ok, "samples_ns"));
		trials_timed(job);
	}
	choose_timing(job);
}

/* All that is left of the batch, or the first of it; none: it is told. */
static void choose_timing(struct job *job)
{
	job->timing_count = 0;
	for (uint32_t i = 0; i < job->batch_count && !(job->alone && i); i++)
		job->timing[job->timing_count++] = job->batch[i];
	if (job->timing_count)
		ahead_begin(job);
	else
		job_told(job);
}

void job_time(struct job *job)
{
	json_t *candidates = json_array();
	double sum_ns = 0;

	for (uint32_t i = 0; i < job->timing_count; i++) {
		json_array_append_new(candidates, json_integer((json_int_t)job->timing[i]));
		sum_ns += job->attempts[job->timing[i]].pilot_ns;
	}
	json_t *request = json_pack("{s:s,s:o,s:I}", "do", "time", "candidates", candidates,
	        "samples", (json_int_t)job->samples);
	job->time_begun_ns = loop_now_ns();
	if (job->twins)
		sum_ns *= 2;
	worker_call(job->device->worker, request, patience_ns(job, 8 * sum_ns * job->samples),
	        timed, job);
}
