/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a batch that the search asked for: which of it is given up, built and timed, what
 * the worker's verdicts and times mean, and which built candidates are kept afterwards. Must not
 * ask the worker: session.c does. Invariant: `asked` holds those of the batch that the search was
 * not told of yet.
 */
#include "base/statistics.h"
#include "daemon/log.h"
#include "daemon/tune/session.h"

#define KEPT_MAX    32  /* built candidates in the worker, but for the best and the baseline */
#define KEPT_WITHIN 3.0 /* of the best: slower ones, outliers allowed for, will not come back */

bool batch_has(const struct batch *batch, uint32_t candidate)
{
	for (uint32_t i = 0; i < batch->count; i++)
		if (batch->candidate[i] == candidate)
			return true;
	return false;
}

void batch_remove(struct batch *batch, uint32_t candidate)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < batch->count; i++)
		if (batch->candidate[i] != candidate)
			batch->candidate[count++] = batch->candidate[i];
	batch->count = count;
}

/* ---- Building. */

/* Whether another build would end within the time for screening. */
static bool may_screen(const struct session *session)
{
	return budget_spent_ns(session->job) + session->pace.build_ns <
	       budget_screening_ns(session->job);
}

/* Once the time for screening is over, or would be before the next build ends, those of the batch
 * never measured are given up. A candidate costs a build, most of it in the driver's compiler. */
static void give_up_screening(struct session *session)
{
	const struct batch asked = session->asked;

	if (may_screen(session) || search_best(session->search) == session->count)
		return;
	search_hurry(session->search);
	for (uint32_t i = 0; i < asked.count; i++) {
		uint32_t candidate = asked.candidate[i];
		if (!session->attempts[candidate].builds &&
		        !search_timing(session->search, candidate).samples)
			batch_remove(&session->asked, candidate);
	}
}

/* On a processor the finalists run in the better of two builds, if there is time for that: where
 * code happens to lie makes a kernel slower. */
static void enter_finals(struct session *session)
{
	const struct job *job = session->job;
	uint64_t builds_ns = session->pace.build_ns * session->asked.count;

	if (session->finals || !search_in_finals(session->search))
		return;
	session->finals = true;
	if (job->device->public.facts.cpu && session->asked.count > 1 &&
	        budget_spent_ns(job) + builds_ns < job->budget_ns)
		session->builds = 2;
}

void batch_prepare(struct session *session)
{
	if (!session->asked.count)
		return;
	give_up_screening(session);
	enter_finals(session);
}

uint32_t batch_unbuilt(const struct session *session)
{
	for (uint32_t i = 0; i < session->asked.count; i++) {
		uint32_t candidate = session->asked.candidate[i];
		if (session->attempts[candidate].builds < session->builds)
			return candidate;
	}
	return NO_CANDIDATE;
}

void batch_reject(
        struct session *session, uint32_t candidate, enum store_trial_state state, const char *why)
{
	log_debug(
	        "%s: '%s' is out: %s", session->job->text, session->attempts[candidate].text, why);
	journal_reject(session, candidate, state, why);
	batch_remove(&session->asked, candidate);
}

void batch_take_verdict(
        struct session *session, uint32_t candidate, const struct wire_built *verdict)
{
	struct attempt *attempt = &session->attempts[candidate];

	session->job->tune->metrics->tuning_built_ahead += verdict->ahead;
	if (!verdict->right) {
		batch_reject(session, candidate, STORE_TRIAL_WRONG,
		        *verdict->why ? verdict->why : "wrong results");
		return;
	}
	attempt->builds++;
	attempt->right = true;
	attempt->trial.pipeline_ns = verdict->pipeline_ns;
	attempt->trial.code_bytes = verdict->code_bytes;
	attempt->trial.max_rel_err = verdict->max_rel_err;
	attempt->trial.checked = verdict->checked;
	attempt->pilot_ns = verdict->pilot_ns;
	if (!batch_has(&session->asked, candidate))
		session->ahead = candidate;
}

/* Not on processors: building and timing would share the cores and the times would be wrong. */
static bool works_ahead(const struct session *session)
{
	return !session->job->device->public.facts.cpu && !session->job->cautious &&
	       session->timing.count > 1 && may_screen(session);
}

uint32_t batch_next_ahead(const struct session *session)
{
	uint32_t next = search_next(session->search);
	bool worth_it = next < session->count && !session->attempts[next].builds &&
	                works_ahead(session);

	return worth_it ? next : NO_CANDIDATE;
}

uint32_t batch_coming(const struct session *session, uint32_t ret_candidates[COMING_MAX])
{
	uint32_t coming[1 + COMING_MAX], count = 0;
	uint32_t all = works_ahead(session) ? search_coming(session->search, 1 + COMING_MAX, coming)
	                                    : 0;

	for (uint32_t i = 1; i < all; i++) {
		const struct attempt *attempt = &session->attempts[coming[i]];
		if (!attempt->coming && !attempt->builds)
			ret_candidates[count++] = coming[i];
	}
	return count;
}

/* ---- Timing. */

void batch_choose_timing(struct session *session)
{
	session->timing = session->asked;
	if (session->alone)
		session->timing.count = 1;
}

/* The candidate's median, or 0 where it has no times. */
static double tell(struct session *session, uint32_t candidate, const struct wire_samples *samples)
{
	double ns[WIRE_SAMPLES_MAX];
	uint32_t i = 0;

	while (i < samples->count && samples->candidates[i] != candidate)
		i++;
	if (i == samples->count || !samples->rounds)
		return 0;
	for (uint32_t round = 0; round < samples->rounds; round++)
		ns[round] = samples->ns[round * samples->count + i];
	search_tell(session->search, candidate, SEARCH_TIMED, ns, samples->rounds);
	return statistics_median(ns, samples->rounds);
}

static void take_samples(struct session *session, const struct wire_samples *samples)
{
	for (uint32_t i = 0; i < session->timing.count; i++) {
		uint32_t candidate = session->timing.candidate[i];
		double median_ns = tell(session, candidate, samples);
		batch_remove(&session->asked, candidate);
		if (median_ns > 0) {
			session->attempts[candidate].batch_ns = median_ns;
			session->attempts[candidate].batch = session->batches;
		} else {
			journal_reject(session, candidate, STORE_TRIAL_REFUSED,
			        "the worker gave no times");
		}
	}
}

void batch_take_times(struct session *session, struct wire_timed *timed)
{
	session->batches++;
	session->wall_clock = timed->clock == WIRE_WALL;
	take_samples(session, &timed->samples_ns);
	wire_samples_free(&timed->samples_ns);
	journal_times(session);
}

/* Which of several was at fault shows when each is timed alone. */
void batch_refuse_times(struct session *session, const char *why)
{
	session->alone = true;
	if (session->timing.count == 1)
		batch_reject(session, session->timing.candidate[0], STORE_TRIAL_REFUSED, why);
}

/* The best and the baseline are never among them, nor is one not asked for yet. */
struct wire_candidates batch_losers(struct session *session)
{
	uint32_t best = search_best(session->search), kept = 0;
	double best_ns = search_timing(session->search, best).median_ns;
	struct wire_candidates losers = {0};

	for (uint32_t i = 0; i < session->count; i++) {
		struct attempt *attempt = &session->attempts[i];
		double ns = search_timing(session->search, i).median_ns;
		if (!attempt->builds || i == session->baseline || i == best || i == session->ahead)
			continue;
		if (ns <= KEPT_WITHIN * best_ns && kept++ < KEPT_MAX)
			continue;
		attempt->builds = 0;
		losers.at[losers.count++] = i;
	}
	return losers;
}
