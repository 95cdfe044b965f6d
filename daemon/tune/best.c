/* SPDX-License-Identifier: Apache-2.0
 *
 * The best kernel of a session: what is served meanwhile and kept in the store.
 * Invariant: only a schedule that was verified on this device becomes best.
 */
#include "daemon/log.h"
#include "daemon/tune/session.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define SOONER      0.8  /* of the fastest one's compile time: less is noise */
#define IMPROVEMENT 0.97 /* another schedule is served if it takes this much of the time */

/* What an earlier run left is served until this session has something at least as good. */
void best_start(struct session *session)
{
	const struct job *job = session->job;
	struct tune_kernel kernel;

	session->best.kernel = (struct store_kernel){0};
	session->best.ours = false;
	if (kernel_stored(job->tune, &job->id, &kernel) || kernel.status == TUNE_STALE)
		return;
	session->best.anew = kernel.status == TUNE_NAIVE && kernel.best.finished;
	if (session->best.anew)
		log_info("%s on %s: every schedule failed %u times before; all are tried again",
		        job->text, job->device->public.name, kernel.best.failures);
	if (kernel.status == TUNE_NAIVE)
		return;
	session->best.kernel = kernel.best;
	session->best.schedule = kernel.schedule;
	session->best.predicted_ns = kernel.predicted_ns;
}

/* The fastest of those verified and timed in this session, once there were finals of the finalists;
 * or count. */
static uint32_t fastest(const struct session *session)
{
	bool finals = search_timing(session->search, search_best(session->search)).final;
	uint32_t best = session->count;
	double least_ns = 0;

	for (uint32_t i = 0; i < session->count; i++) {
		struct search_timing timing = search_timing(session->search, i);
		if (!session->attempts[i].right || !session->attempts[i].timed || !timing.samples ||
		        timing.final != finals)
			continue;
		if (best == session->count || timing.median_ns < least_ns) {
			best = i;
			least_ns = timing.median_ns;
		}
	}
	return best;
}

/* The first run counts too: of those that tie with the fastest the one that compiles soonest. */
static uint32_t choose(const struct session *session)
{
	uint32_t best = fastest(session), chosen = best;

	if (best == session->count)
		return best;
	double most_ns = TUNE_TIE * search_timing(session->search, best).median_ns;
	double least_ns = SOONER * session->attempts[best].trial.pipeline_ns;
	for (uint32_t i = 0; i < session->count; i++) {
		const struct attempt *attempt = &session->attempts[i];
		struct search_timing timing = search_timing(session->search, i);
		if (!attempt->right || !attempt->timed || !timing.final ||
		        timing.median_ns > most_ns || attempt->trial.pipeline_ns >= least_ns)
			continue;
		chosen = i;
		least_ns = attempt->trial.pipeline_ns;
	}
	return chosen;
}

static void keep(struct session *session)
{
	const struct job *job = session->job;
	struct store_kernel *best = &session->best.kernel;

	best->measured = search_measured(session->search);
	best->of = search_goal(session->search);
	best->updated_s = (uint64_t)time(NULL);
	int code = store_put_kernel(job->tune->store, &job->key, best);
	if (code)
		log_warning("%s: the best kernel cannot be stored: %s; it is lost at a restart",
		        job->text, strerror(-code));
	kernels_changed(job->tune);
}

static void set_schedule(struct session *session, const struct schedule *schedule)
{
	const struct kernel_id *id = &session->job->id;

	session->best.schedule = *schedule;
	session->best.predicted_ns = space_predict_ns(&id->op, schedule, &id->device->facts);
}

static void take(struct session *session, uint32_t candidate)
{
	const struct attempt *attempt = &session->attempts[candidate];
	struct search_timing timing = search_timing(session->search, candidate);
	struct store_kernel *best = &session->best.kernel;

	snprintf(best->op, sizeof best->op, "%s", session->job->text);
	snprintf(best->schedule, sizeof best->schedule, "%s", attempt->text);
	best->generation = nnjit_generation;
	best->median_ns = timing.median_ns;
	best->mad_ns = timing.mad_ns;
	best->samples = timing.samples;
	best->baseline_ns = search_timing(session->search, session->baseline).median_ns;
	best->wall_clock = session->wall_clock;
	best->max_rel_err = attempt->trial.max_rel_err;
	best->checked = attempt->trial.checked;
	best->share = session->share;
	best->pipeline_ns = attempt->trial.pipeline_ns;
	best->code_bytes = attempt->trial.code_bytes;
	best->naive = false;
	best->failures = 0;
	memset(best->reach, 0, sizeof best->reach);
	set_schedule(session, &attempt->schedule);
	session->best.ours = true;
}

/* The attempt that is served, or NULL while it is not one of this session. */
static const struct attempt *served_attempt(const struct session *session)
{
	for (uint32_t i = 0; session->best.ours && i < session->count; i++) {
		const struct attempt *attempt = &session->attempts[i];
		if (!strcmp(session->best.kernel.schedule, attempt->text) && attempt->right &&
		        attempt->timed)
			return attempt;
	}
	return NULL;
}

/* The fastest of the batch timed last, or count. */
static uint32_t fastest_of_batch(const struct session *session)
{
	uint32_t best = session->count;

	for (uint32_t i = 0; i < session->count; i++) {
		const struct attempt *attempt = &session->attempts[i];
		if (!attempt->right || !attempt->timed || attempt->batch != session->batches)
			continue;
		if (best == session->count || attempt->batch_ns < session->attempts[best].batch_ns)
			best = i;
	}
	return best;
}

/* Pages compile what they are told of: a tie is not worth it. What was timed side by side is
 * compared by that, so that a device that slows down in between promotes nobody. */
static bool gives_way(const struct session *session, uint32_t candidate)
{
	const struct attempt *served = served_attempt(session);
	const struct attempt *rival = &session->attempts[candidate];
	const struct store_kernel *best = &session->best.kernel;

	if (served && served->batch == rival->batch)
		return rival->batch_ns < IMPROVEMENT * served->batch_ns;
	return !best->schedule[0] || !strcmp(best->schedule, rival->text) ||
	       search_timing(session->search, candidate).median_ns < IMPROVEMENT * best->median_ns;
}

bool best_update(struct session *session)
{
	const struct attempt *served = served_attempt(session);
	uint32_t candidate = fastest_of_batch(session);
	struct tune_kernel before;

	if (served) /* its figures, as they are measured on; not worth a wait for the disk */
		take(session, (uint32_t)(served - session->attempts));
	if (candidate == session->count || &session->attempts[candidate] == served ||
	        !gives_way(session, candidate))
		return false;
	kernel_of_job(session->job, &before);
	take(session, candidate);
	session->best.kernel.finished = false;
	keep(session);
	return strcmp(before.best.schedule, session->best.kernel.schedule) != 0;
}

/* Cut short, the figures of early candidates are not of the same moment as the later ones'. */
uint32_t best_candidate(const struct session *session)
{
	const struct attempt *served = served_attempt(session);

	if (served && !search_done(session->search))
		return (uint32_t)(served - session->attempts);
	return choose(session);
}

int best_finish(struct session *session)
{
	uint32_t candidate = best_candidate(session);

	if (candidate < session->count) {
		take(session, candidate);
		reach_keep(session, candidate, &session->best.kernel);
	}
	if (!session->best.kernel.schedule[0])
		return -ENOENT;
	session->best.kernel.finished = true;
	keep(session);
	return 0;
}

void best_naive(struct session *session, bool finished)
{
	const struct job *job = session->job;
	struct limits limits = tune_limits(&job->id);
	struct schedule plainest = space_plainest(&job->id.op, &limits);
	struct store_kernel *best = &session->best.kernel;
	struct tune_kernel before = {0};
	bool again = !kernel_stored(job->tune, &job->id, &before) && before.best.naive;

	*best = (struct store_kernel){.generation = nnjit_generation,
	        .naive = true,
	        .finished = finished,
	        .failures = again ? before.best.failures + 1 : 1};
	snprintf(best->op, sizeof best->op, "%s", job->text);
	schedule_print(&plainest, best->schedule);
	set_schedule(session, &plainest);
	log_warning("%s on %s: no schedule could be measured; '%s', the plainest, is served "
	            "without having been verified; all are tried again later",
	        job->text, job->device->public.name, best->schedule);
	keep(session);
}
