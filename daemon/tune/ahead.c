/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiling ahead: while the worker times a batch on a GPU, its second thread makes the pipeline of
 * the candidate that comes next. Not on processors, where the two would share the cores and the
 * times would be wrong. The candidate is recorded as launched before the worker gets it, as always;
 * when the worker dies meanwhile nobody can tell which of the two was at fault, so nobody is
 * blamed, and from then on this job does one thing at a time. Invariant: `ahead` is the candidate
 * that the worker's second thread holds, and its record is taken back if it is not built.
 */
#include "daemon/loop/loop.h"
#include "daemon/tune/job.h"

#define ASK_NS 30000000000ull /* answered at once, unless an earlier compile is waited for */

static bool worth_it(const struct job *job, uint32_t next)
{
	return !job->device->public.facts.cpu && !job->cautious && job->ahead == NO_CANDIDATE &&
	       next < job->count && !job->attempts[next].built && job->timing_count > 1 &&
	       job_elapsed_ns(job) + job->build_ns < job_screening_ns(job);
}

static void begun(void *context, const struct worker_reply *reply)
{
	struct job *job = context;

	if (reply->answer != WORKER_OK)
		ahead_undo(job);
	if (!job_lost_worker(job, reply))
		job_time(job);
}

void ahead_begin(struct job *job)
{
	uint32_t next = search_next(job->search);

	if (!worth_it(job, next) || trial_launch(job, next)) {
		job_time(job);
		return;
	}
	job->ahead = next;
	json_t *request = json_pack("{s:s,s:I,s:s}", "do", "prepare", "candidate", (json_int_t)next,
	        "schedule", job->attempts[next].text);
	worker_call(job->device->worker, request, ASK_NS, begun, job);
}

void ahead_undo(struct job *job)
{
	uint32_t candidate = job->ahead;

	if (candidate == NO_CANDIDATE)
		return;
	job->ahead = NO_CANDIDATE;
	job->cautious = true;
	trial_take_back(job, candidate);
}

static void dropped(void *context, const struct worker_reply *reply)
{
	struct job *job = context;

	if (!job_lost_worker(job, reply))
		job_measure(job);
}

void ahead_drop(struct job *job)
{
	json_t *request = json_pack(
	        "{s:s,s:[I]}", "do", "drop", "candidates", (json_int_t)job->ahead);

	trial_take_back(job, job->ahead);
	job->ahead = NO_CANDIDATE;
	worker_call(job->device->worker, request, ASK_NS, dropped, job);
}
