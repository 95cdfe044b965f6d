/* SPDX-License-Identifier: Apache-2.0
 *
 * A job from the moment its device is free: it owns a session (session.c), passes on to those who
 * wait what the session says, and leaves the queue and the store when it is over. Must not know
 * what a session does. Invariant: a job is freed in job_end, or by its owner while it has no
 * session.
 */
#include "daemon/tune/job.h"

#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/queue.h"
#include "daemon/tune/session.h"

#include <string.h>

void job_free(struct job *job)
{
	session_destroy(job->session);
	free(job);
}

/* The device is free again; what was told stays in the store. */
static void job_stop(struct job *job)
{
	job->spent_ns = budget_spent_ns(job);
	job->started_ns = 0;
	job->device->job = NULL;
	device_rest(job->device);
	queue_kick(job->tune);
}

static void job_end(struct job *job, enum tune_event event, const char *why)
{
	struct tune *tune = job->tune;
	int code = queue_forget(job);

	if (code)
		log_warning("%s: cannot be taken off the stored jobs: %s; looked at again at the "
		            "next start",
		        job->text, strerror(-code));
	budget_leave(job);
	job_stop(job);
	queue_remove(job);
	tune->metrics->tuning_jobs_finished += event == TUNE_FINISHED;
	tune->metrics->tuning_jobs_failed += event == TUNE_FAILED && !job->cancelled;
	kernels_changed(tune);
	queue_tell(job, event, why);
	job_free(job);
}

static void job_fail(struct job *job, const char *why)
{
	log_warning("%s on %s: tuning failed: %s", job->text, job->device->public.name, why);
	job_end(job, TUNE_FAILED, why);
}

/* What was told is in the store, the rest is done again later. */
static void job_park(struct job *job)
{
	log_debug("%s: makes room for something more urgent", job->text);
	session_destroy(job->session);
	job->session = NULL;
	job_stop(job);
}

static void heard(struct job *job, enum session_news news, const char *why)
{
	switch (news) {
	case SESSION_PROGRESS:
		queue_tell(job, TUNE_PROGRESS, NULL);
		break;
	case SESSION_IMPROVED:
		queue_tell(job, TUNE_IMPROVED, NULL);
		break;
	case SESSION_FINISHED:
		job_end(job, TUNE_FINISHED, NULL);
		break;
	case SESSION_FAILED:
		job_fail(job, why);
		break;
	case SESSION_CANCELLED:
		job_end(job, TUNE_FAILED, "cancelled");
		break;
	case SESSION_PARKED:
		job_park(job);
		break;
	}
}

void job_start(struct job *job)
{
	budget_take(job);
	job->started_ns = loop_now_ns();
	job->device->job = job;
	if (!job->device->public.present)
		job_fail(job, "the device is not there any more");
	else if (session_create(job, heard, &job->session))
		job_fail(job, "out of memory");
	else
		session_start(job->session);
}

void job_cancel(struct job *job)
{
	job->cancelled = true;
	if (job->session) /* ends at its next step */
		return;
	queue_forget(job);
	queue_remove(job);
	kernels_changed(job->tune);
	job_free(job);
}

void job_abandon(struct job *job)
{
	job->device->job = NULL;
	queue_remove(job);
	job_free(job);
}
