/* SPDX-License-Identifier: Apache-2.0
 *
 * A job from its start to its end, around the measuring of batches in measure.c:
 *
 *   device ready -> unload -> load -> next: ask the search -> measure the batch -> next
 *
 * A worker that dies sends the job back to `device ready`; the search keeps what it was told and
 * asks again for what it was not. Invariant: between two steps exactly one request is with the
 * worker, so a job is only freed in job_end, or by its owner when it does not run.
 */
#include "daemon/tune/job.h"

#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/queue.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>

#define S_NS      1000000000ull
#define LOAD_NS   (60 * S_NS) /* includes the reference's sampled elements */
#define UNLOAD_NS (10 * S_NS)

static void job_ready(void *context, const struct worker_reply *failure);

/* ---- Beginning and end. */

void job_free(struct job *job)
{
	search_destroy(job->search);
	free(job);
}

uint64_t job_elapsed_ns(const struct job *job)
{
	return job->spent_ns + (job->running ? loop_now_ns() - job->started_ns : 0);
}

/* A quarter is left to tell the leaders apart. */
uint64_t job_screening_ns(const struct job *job)
{
	return job->budget_ns - job->budget_ns / 4;
}

/* The device is free again; what was told stays in the store. */
static void job_stop(struct job *job)
{
	trials_undo_launch(job);
	job->spent_ns = job_elapsed_ns(job);
	job->running = false;
	job->device->job = NULL;
	device_rest(job->device);
	queue_kick(job->tune);
}

static void job_end(struct job *job, enum tune_event event, const char *why)
{
	struct tune *tune = job->tune;
	int code = store_delete_job(tune->store, &job->key);

	if (code)
		log_warning("%s: cannot be taken off the stored jobs: %s; looked at again at the "
		            "next start",
		        job->text, strerror(-code));
	budget_leave(job);
	job_stop(job);
	queue_remove(job);
	tune->stats.jobs_finished += event == TUNE_FINISHED;
	tune->stats.jobs_failed += event == TUNE_FAILED && !job->cancelled;
	kernels_changed(tune);
	queue_tell(job, event, why);
	job_free(job);
}

void job_fail(struct job *job, const char *why)
{
	log_warning("%s on %s: tuning failed: %s", job->text, job->device->public.name, why);
	job_end(job, TUNE_FAILED, why);
}

static void job_finish(struct job *job)
{
	char why[256];

	if (search_done(job->search))
		trials_settled(job);
	if (best_finish(job)) {
		snprintf(why, sizeof why, "none of %u schedules could be measured%s%s", job->count,
		        job->refusal[0] ? "; the last one: " : "", job->refusal);
		best_naive(job, search_measured(job->search) == job->count);
		job_fail(job, why);
		return;
	}
	log_info("%s on %s: %.3f ms (baseline %.3f ms), %u of %u schedules in %.1f s: %s",
	        job->text, job->device->public.name, job->best.median_ns / 1e6,
	        job->best.baseline_ns / 1e6, job->best.measured, job->best.of,
	        (double)job_elapsed_ns(job) / 1e9, job->best.schedule);
	device_calibrate(job->device);
	job_end(job, TUNE_FINISHED, NULL);
}

void job_start(struct job *job)
{
	budget_take(job);
	job->running = true;
	job->started_ns = loop_now_ns();
	job->device->job = job;
	job->deaths = 0;
	device_ready(job->device, job_ready, job);
}

void job_cancel(struct job *job)
{
	job->cancelled = true;
	if (job->running) /* ends at its next step */
		return;
	store_delete_job(job->tune->store, &job->key);
	queue_remove(job);
	kernels_changed(job->tune);
	job_free(job);
}

void job_abandon(struct job *job)
{
	trials_undo_launch(job);
	job->device->job = NULL;
}

/* Something more urgent waits: what was told is in the store, the rest is done again later. */
static void job_park(struct job *job)
{
	log_debug("%s: makes room for something more urgent", job->text);
	search_destroy(job->search);
	job->search = NULL;
	job_stop(job);
}

/* ---- A worker that died. */

static void job_lost(struct job *job, const struct worker_reply *reply)
{
	struct tune *tune = job->tune;
	char why[256];

	for (uint32_t i = 0; i < job->count; i++)
		job->attempts[i].built = job->attempts[i].twin = false;
	job->device->loaded = false;
	job->timing_count = 0;
	ahead_undo(job);
	if (job->cancelled) {
		job_end(job, TUNE_FAILED, "cancelled");
		return;
	}
	if (++job->deaths < DEATHS_MAX) {
		log_warning("%s on %s: %s; the worker is started again and the search goes on",
		        job->text, job->device->public.name, reply->text);
		tune->stats.worker_restarts++;
		device_ready(job->device, job_ready, job);
		return;
	}
	if (job->search && job->best_is_ours) {
		log_warning("%s on %s: %s, %u times in a row; the search ends with the best so far",
		        job->text, job->device->public.name, reply->text, job->deaths);
		job_finish(job);
		return;
	}
	snprintf(why, sizeof why, "%.180s, %u times in a row", reply->text, job->deaths);
	if (job->search && !job->best.schedule[0])
		best_naive(job, false);
	job_fail(job, why);
}

bool device_lost(const struct worker_reply *reply)
{
	return reply->answer == WORKER_ERROR && !strcmp(reply->code, "device-lost");
}

bool job_lost_worker(struct job *job, const struct worker_reply *reply)
{
	if (reply->answer != WORKER_LOST && !device_lost(reply))
		return false;
	worker_stop(job->device->worker);
	job_lost(job, reply);
	return true;
}

/* ---- The device is ready: the space, what is remembered of it, the operator's buffers. */

/* A driver that changed moves the job to its new key. */
static void take_key(struct job *job)
{
	struct store_key key = kernel_key(&job->id);

	if (job->key.driver == key.driver)
		return;
	store_delete_job(job->tune->store, &job->key);
	job->key = key;
	store_put_job(job->tune->store, &key, job->text, job->priority);
	search_destroy(job->search);
	job->search = NULL;
}

static int job_prepare(struct job *job, struct error *err)
{
	const struct tune_device *device = &job->device->public;
	struct limits limits = tune_limits(device, job->id.features);
	struct space space;
	int code = space_enumerate(&job->id.op, &limits, &device->facts, &space, err);

	if (code)
		return code;
	code = candidates_take(job, &space);
	if (code)
		return error_set(err, code, "", "out of memory");
	best_start(job);
	code = trials_remember(job, 0);
	if (code)
		log_warning("%s: earlier trials cannot be read: %s; they are done again", job->text,
		        strerror(-code));
	return 0;
}

static void loaded(void *context, const struct worker_reply *reply)
{
	struct job *job = context;

	if (job_lost_worker(job, reply))
		return;
	if (reply->answer != WORKER_OK) {
		job_fail(job, reply->text);
		return;
	}
	job->device->loaded = true;
	double share = json_number_value(json_object_get(reply->ok, "share"));
	job->share = share > 0 && share < 1 ? share : 1;
	if (job->share < 1)
		log_info("%s on %s: memory is short; its schedules are tried on %.0f%% of it",
		        job->text, job->device->public.name, 100 * share);
	job_next(job);
}

static void job_load(struct job *job)
{
	json_t *request = json_pack("{s:s,s:s,s:I}", "do", "load", "op", job->text, "seed",
	        (json_int_t)(job->key.op >> 33));

	worker_call(job->device->worker, request, LOAD_NS, loaded, job);
}

static void unloaded(void *context, const struct worker_reply *reply)
{
	struct job *job = context;

	if (job_lost_worker(job, reply))
		return;
	job->device->loaded = false;
	job_load(job);
}

static void job_ready(void *context, const struct worker_reply *failure)
{
	struct job *job = context;
	struct error err = {0};

	if (failure) {
		if (!job_lost_worker(job, failure))
			job_fail(job, failure->text);
		return;
	}
	take_key(job);
	if (!job->search && job_prepare(job, &err))
		job_fail(job, err.text);
	else if (job->device->loaded)
		worker_call(job->device->worker, json_pack("{s:s}", "do", "unload"), UNLOAD_NS,
		        unloaded, job);
	else
		job_load(job);
}

/* ---- Asking the search. */

void job_next(struct job *job)
{
	uint64_t elapsed_ns = job_elapsed_ns(job);
	bool timed = search_best(job->search) < job->count;

	if (job->cancelled) {
		job_end(job, TUNE_FAILED, "cancelled");
		return;
	}
	if (queue_overtaken(job)) {
		job_park(job);
		return;
	}
	if (elapsed_ns > job_screening_ns(job))
		search_hurry(job->search);
	candidates_expand(job);
	job->batch_count = 0;
	if (elapsed_ns + job->time_ns < (timed ? job->budget_ns : 4 * job->budget_ns))
		job->batch_count = search_ask(job->search, job->batch, &job->samples);
	if (job->batch_count)
		job_measure(job);
	else
		job_finish(job);
}
