/* SPDX-License-Identifier: Apache-2.0
 *
 * The best kernel of a job while it is tuned: what is served meanwhile and kept in the store.
 * Invariant: only a schedule that was verified on this device becomes best.
 */
#include "daemon/log.h"
#include "daemon/tune/job.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* What an earlier run left is served until this session has something at least as good. */
void best_start(struct job *job)
{
	struct tune_kernel kernel;

	job->best = (struct store_kernel){0};
	job->best_is_ours = false;
	if (kernel_stored(job->tune, &job->device->public, &job->op, job->features, &kernel) ||
	        kernel.status == TUNE_STALE)
		return;
	job->best = kernel.best;
	job->best_schedule = kernel.schedule;
}

/* The fastest of those verified and timed in this session, or count. */
static uint32_t fastest(const struct job *job)
{
	uint32_t best = job->count;
	double least_ns = 0;

	for (uint32_t i = 0; i < job->count; i++) {
		struct search_timing timing = search_timing(job->search, i);
		if (!job->attempts[i].right || !job->attempts[i].timed || !timing.samples)
			continue;
		if (best == job->count || timing.median_ns < least_ns) {
			best = i;
			least_ns = timing.median_ns;
		}
	}
	return best;
}

static void keep(struct job *job)
{
	struct tune *tune = job->tune;
	int code;

	job->best.measured = search_measured(job->search);
	job->best.of = job->count;
	job->best.updated_s = (uint64_t)time(NULL);
	code = store_put_kernel(tune->store, &job->key, &job->best);
	if (code)
		log_warning("%s: the best kernel cannot be stored: %s; it is lost at a restart",
		        job->text, strerror(-code));
	kernels_changed(tune);
}

static void take(struct job *job, uint32_t candidate)
{
	const struct attempt *attempt = &job->attempts[candidate];
	struct search_timing timing = search_timing(job->search, candidate);
	struct store_kernel *best = &job->best;

	snprintf(best->op, sizeof best->op, "%s", job->text);
	snprintf(best->schedule, sizeof best->schedule, "%s", attempt->text);
	best->generation = nnjit_generation;
	best->median_ns = timing.median_ns;
	best->mad_ns = timing.mad_ns;
	best->samples = timing.samples;
	best->baseline_ns = search_timing(job->search, job->baseline).median_ns;
	best->wall_clock = job->wall_clock;
	best->max_rel_err = attempt->max_rel_err;
	best->checked = attempt->checked;
	job->best_schedule = attempt->schedule;
	job->best_is_ours = true;
}

/* An earlier session's figure is not quite comparable: it gives way to its own schedule measured
 * anew, and to anything faster. */
static bool gives_way(const struct job *job, uint32_t candidate)
{
	return job->best_is_ours || !job->best.schedule[0] ||
	       !strcmp(job->best.schedule, job->attempts[candidate].text) ||
	       search_timing(job->search, candidate).median_ns < job->best.median_ns;
}

bool best_update(struct job *job)
{
	uint32_t candidate = fastest(job);
	struct tune_kernel served;

	if (candidate == job->count || !gives_way(job, candidate))
		return false;
	kernel_of_job(job, &served);
	take(job, candidate);
	job->best.finished = false;
	keep(job);
	return strcmp(served.best.schedule, job->best.schedule) != 0;
}

int best_finish(struct job *job)
{
	uint32_t candidate = fastest(job);

	if (candidate < job->count)
		take(job, candidate);
	if (!job->best.schedule[0])
		return -ENOENT;
	job->best.finished = true;
	keep(job);
	return 0;
}
