/* SPDX-License-Identifier: Apache-2.0
 *
 * A budget for many kernels. Each job has its part of it; what one leaves goes to the next one, and
 * what one takes too much, as a slow compiler makes it, is taken from the next, which keeps half of
 * its own. Invariant: nothing is left once no such job waits.
 */
#include "daemon/tune/job.h"

void budget_take(struct job *job)
{
	struct tune *tune = job->tune;

	if (!job->shared || job->spent_ns)
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
		others |= other != job && other->shared;
	if (job->shared)
		tune->spare_ns += (int64_t)job->budget_ns - (int64_t)job_elapsed_ns(job);
	if (!others)
		tune->spare_ns = 0;
}
