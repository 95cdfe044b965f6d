/* SPDX-License-Identifier: Apache-2.0
 *
 * The time that a job may take. Of a budget for many kernels each job has its part, and all of them
 * are one pool: what one leaves goes to the next, and what one takes too much, as a slow compiler
 * makes it, is taken from the next, which keeps half of its own. Invariant: the pool holds nothing
 * once no such job waits.
 */
#include "daemon/loop/loop.h"
#include "daemon/tune/job.h"

uint64_t budget_spent_ns(const struct job *job)
{
	return job->spent_ns + (job->started_ns ? loop_now_ns() - job->started_ns : 0);
}

/* A quarter is left to tell the leaders apart. */
uint64_t budget_screening_ns(const struct job *job)
{
	return job->budget_ns - job->budget_ns / 4;
}

void budget_take(struct job *job)
{
	struct tune *tune = job->tune;

	if (!job->pooled || job->spent_ns)
		return;
	int64_t least_ns = (int64_t)job->budget_ns / 2;
	int64_t budget_ns = (int64_t)job->budget_ns + tune->spare_ns;
	job->budget_ns = (uint64_t)(budget_ns < least_ns ? least_ns : budget_ns);
	tune->spare_ns = budget_ns - (int64_t)job->budget_ns;
}

void budget_leave(struct job *job)
{
	struct tune *tune = job->tune;
	bool others = false;

	for (const struct job *other = tune->jobs; other; other = other->next)
		others |= other != job && other->pooled;
	if (job->pooled)
		tune->spare_ns += (int64_t)job->budget_ns - (int64_t)budget_spent_ns(job);
	if (!others)
		tune->spare_ns = 0;
}
