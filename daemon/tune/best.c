/* SPDX-License-Identifier: Apache-2.0
 *
 * The best kernel of a job while it is tuned: what is served meanwhile and kept in the store.
 * Invariant: only a schedule that was verified on this device becomes best.
 */
#include "daemon/log.h"
#include "daemon/tune/job.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define SOONER      0.8  /* of the fastest one's compile time: less is noise */
#define IMPROVEMENT 0.97 /* another schedule is served if it takes this much of the time */

/* What an earlier run left is served until this session has something at least as good. */
void best_start(struct job *job)
{
	struct tune_kernel kernel;

	job->best = (struct store_kernel){0};
	job->best_is_ours = false;
	if (kernel_stored(job->tune, &job->id, &kernel) || kernel.status == TUNE_STALE ||
	        kernel.status == TUNE_NAIVE)
		return;
	job->best = kernel.best;
	job->best_schedule = kernel.schedule;
}

/* The fastest of those verified and timed in this session, once there were finals of the finalists;
 * or count. */
static uint32_t fastest(const struct job *job)
{
	bool finals = search_timing(job->search, search_best(job->search)).final;
	uint32_t best = job->count;
	double least_ns = 0;

	for (uint32_t i = 0; i < job->count; i++) {
		struct search_timing timing = search_timing(job->search, i);
		if (!job->attempts[i].right || !job->attempts[i].timed || !timing.samples ||
		        timing.final != finals)
			continue;
		if (best == job->count || timing.median_ns < least_ns) {
			best = i;
			least_ns = timing.median_ns;
		}
	}
	return best;
}

/* The first run counts too: of those that tie with the fastest the one that compiles soonest. */
static uint32_t choose(const struct job *job)
{
	uint32_t best = fastest(job), chosen = best;

	if (best == job->count)
		return best;
	double most_ns = TUNE_TIE * search_timing(job->search, best).median_ns;
	double least_ns = SOONER * job->attempts[best].trial.pipeline_ns;
	for (uint32_t i = 0; i < job->count; i++) {
		const struct attempt *attempt = &job->attempts[i];
		struct search_timing timing = search_timing(job->search, i);
		if (!attempt->right || !attempt->timed || !timing.final ||
		        timing.median_ns > most_ns || attempt->trial.pipeline_ns >= least_ns)
			continue;
		chosen = i;
		least_ns = attempt->trial.pipeline_ns;
	}
	return chosen;
}

static void keep(struct job *job)
{
	job->best.measured = search_measured(job->search);
	job->best.of = search_goal(job->search);
	job->best.updated_s = (uint64_t)time(NULL);
	int code = store_put_kernel(job->tune->store, &job->key, &job->best);
	if (code)
		log_warning("%s: the best kernel cannot be stored: %s; it is lost at a restart",
		        job->text, strerror(-code));
	kernels_changed(job->tune);
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
	best->max_rel_err = attempt->trial.max_rel_err;
	best->checked = attempt->trial.checked;
	best->share = job->share;
	best->pipeline_ns = attempt->trial.pipeline_ns;
	best->code_bytes = attempt->trial.code_bytes;
	best->naive = false;
	job->best_schedule = attempt->schedule;
	job->best_is_ours = true;
}

/* The attempt that is served, or NULL while it is not one of this session. */
static const struct attempt *served_attempt(const struct job *job)
{
	for (uint32_t i = 0; job->best_is_ours && i < job->count; i++)
		if (!strcmp(job->best.schedule, job->attempts[i].text) && job->attempts[i].right &&
		        job->attempts[i].timed)
			return &job->attempts[i];
	return NULL;
}

/* The fastest of the batch timed last, or count. */
static uint32_t fastest_of_batch(const struct job *job)
{
	uint32_t best = job->count;

	for (uint32_t i = 0; i < job->count; i++) {
		const struct attempt *attempt = &job->attempts[i];
		if (!attempt->right || !attempt->timed || attempt->batch != job->batches)
			continue;
		if (best == job->count || attempt->batch_ns < job->attempts[best].batch_ns)
			best = i;
	}
	return best;
}

/* Pages compile what they are told of: a tie is not worth it. What was timed side by side is
 * compared by that, so that a device that slows down in between promotes nobody. */
static bool gives_way(const struct job *job, uint32_t candidate)
{
	const struct attempt *served = served_attempt(job), *rival = &job->attempts[candidate];

	if (served && served->batch == rival->batch)
		return rival->batch_ns < IMPROVEMENT * served->batch_ns;
	return !job->best.schedule[0] || !strcmp(job->best.schedule, rival->text) ||
	       search_timing(job->search, candidate).median_ns < IMPROVEMENT * job->best.median_ns;
}

bool best_update(struct job *job)
{
	const struct attempt *served = served_attempt(job);
	uint32_t candidate = fastest_of_batch(job);
	struct tune_kernel before;

	if (served) /* its figures, as they are measured on; not worth a wait for the disk */
		take(job, (uint32_t)(served - job->attempts));
	if (candidate == job->count || &job->attempts[candidate] == served ||
	        !gives_way(job, candidate))
		return false;
	kernel_of_job(job, &before);
	take(job, candidate);
	job->best.finished = false;
	keep(job);
	return strcmp(before.best.schedule, job->best.schedule) != 0;
}

int best_finish(struct job *job)
{
	const struct attempt *served = served_attempt(job);
	uint32_t candidate = choose(job);

	/* Cut short, the figures of early candidates are not of the same moment as the later ones'.
	 */
	if (served && !search_done(job->search))
		candidate = (uint32_t)(served - job->attempts);
	if (candidate < job->count)
		take(job, candidate);
	if (!job->best.schedule[0])
		return -ENOENT;
	job->best.finished = true;
	keep(job);
	return 0;
}

void best_naive(struct job *job, bool finished)
{
	struct limits limits = tune_limits(&job->device->public, job->id.features);
	struct schedule plainest = space_plainest(&job->id.op, &limits);

	job->best = (struct store_kernel){
	        .generation = nnjit_generation, .naive = true, .finished = finished};
	snprintf(job->best.op, sizeof job->best.op, "%s", job->text);
	schedule_print(&plainest, job->best.schedule);
	job->best_schedule = plainest;
	log_warning("%s on %s: no schedule could be measured; '%s', the plainest, is served "
	            "without having been verified",
	        job->text, job->device->public.name, job->best.schedule);
	keep(job);
}
