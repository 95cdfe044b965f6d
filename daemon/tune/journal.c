/* SPDX-License-Identifier: Apache-2.0
 *
 * The session's write-ahead journal: its candidates' trials in the store. Before the worker gets a
 * candidate its trial says launched; if the worker dies over it, the trial says poisoned, and the
 * candidate is never tried again under this driver. Must not ask the worker anything. Invariant: a
 * candidate that the worker has, or had when the daemon died, has a trial that says so.
 *
 * If the daemon itself dies (kill -9, no power) the record is left behind as launched. After a
 * reboot the candidate is taken to be the cause and is poisoned. Within the same boot it was not:
 * one that only kills its worker is dealt with by a daemon that lives. It is tried again.
 */
#include "daemon/log.h"
#include "daemon/tune/session.h"

#include <string.h>

struct recalling {
	struct session *session;
	uint32_t first; /* those before are known */
};

static bool recall_one(void *context, const struct store_trial *trial)
{
	const struct recalling *of = context;

	for (uint32_t i = of->first; i < of->session->count; i++)
		if (!strcmp(of->session->attempts[i].text, trial->schedule))
			of->session->attempts[i].trial = *trial;
	return true;
}

#define WENT_DOWN "the machine went down while it ran" /* never tried again */

/* Left launched by a daemon that died; `why` holds the boot it was launched in. */
static void judge_leftover(struct session *session, uint32_t candidate)
{
	struct store_trial *trial = &session->attempts[candidate].trial;

	if (strcmp(trial->why, session->job->tune->boot) != 0) {
		journal_reject(session, candidate, STORE_TRIAL_POISONED, WENT_DOWN);
		return;
	}
	trial->state = STORE_TRIAL_TIMED;
	trial->why[0] = '\0';
	journal_take_back(session, candidate);
}

int journal_recall(struct session *session, uint32_t first)
{
	struct recalling of = {session, first};
	int code = store_each_trial(session->job->tune->store, &session->job->key, recall_one, &of);

	for (uint32_t i = first; i < session->count; i++) {
		struct attempt *attempt = &session->attempts[i];
		const struct store_trial *trial = &attempt->trial;
		if (!trial->schedule[0])
			continue;
		if (trial->state == STORE_TRIAL_LAUNCHED)
			judge_leftover(session, i);
		if (session->best.anew && strcmp(trial->why, WENT_DOWN) != 0)
			continue;
		if (trial->state == STORE_TRIAL_POISONED)
			search_tell(session->search, i, SEARCH_REJECTED, NULL, 0);
		else if (session->job->again)
			continue;
		else if (trial->state != STORE_TRIAL_TIMED)
			search_tell(session->search, i, SEARCH_REJECTED, NULL, 0);
		else if (trial->samples) /* weighs as one sample: this session's soon outweigh it */
			search_tell(session->search, i, SEARCH_TIMED, &trial->median_ns, 1);
	}
	return code;
}

static int put(struct session *session, const struct store_trial *trial)
{
	int code = store_put_trial(session->job->tune->store, &session->job->key, trial);

	if (code)
		log_warning("%s: trial '%s' cannot be stored: %s", session->job->text,
		        trial->schedule, strerror(-code));
	return code;
}

static void name_trial(struct attempt *attempt)
{
	memcpy(attempt->trial.schedule, attempt->text, sizeof attempt->trial.schedule);
}

int journal_launch(struct session *session, uint32_t candidate)
{
	struct attempt *attempt = &session->attempts[candidate];
	struct store_trial trial = attempt->trial; /* keeps times from before */

	snprintf(trial.schedule, sizeof trial.schedule, "%s", attempt->text);
	trial.state = STORE_TRIAL_LAUNCHED;
	snprintf(trial.why, sizeof trial.why, "%s", session->job->tune->boot);
	int code = put(session, &trial);
	attempt->launched |= !code;
	return code;
}

void journal_take_back(struct session *session, uint32_t candidate)
{
	struct attempt *attempt = &session->attempts[candidate];

	attempt->launched = false;
	if (attempt->trial.samples)
		put(session, &attempt->trial);
	else
		store_delete_trial(session->job->tune->store, &session->job->key, attempt->text);
}

void journal_take_back_all(struct session *session)
{
	session->building = session->ahead = NO_CANDIDATE;
	for (uint32_t i = 0; i < session->count; i++) {
		session->attempts[i].coming = false;
		if (session->attempts[i].launched)
			journal_take_back(session, i);
	}
}

void journal_reject(
        struct session *session, uint32_t candidate, enum store_trial_state state, const char *why)
{
	struct attempt *attempt = &session->attempts[candidate];

	search_tell(session->search, candidate, SEARCH_REJECTED, NULL, 0);
	snprintf(session->refusal, sizeof session->refusal, "%s", why);
	attempt->right = attempt->timed = attempt->launched = false;
	attempt->trial = (struct store_trial){.state = state};
	name_trial(attempt);
	snprintf(attempt->trial.why, sizeof attempt->trial.why, "%s", why);
	put(session, &attempt->trial);
	if (session->building == candidate)
		session->building = NO_CANDIDATE;
	session->job->tune->metrics->tuning_trials++;
}

static void take_timing(struct session *session, uint32_t candidate)
{
	struct search_timing timing = search_timing(session->search, candidate);
	struct store_trial *trial = &session->attempts[candidate].trial;

	name_trial(&session->attempts[candidate]);
	session->attempts[candidate].launched = false;
	trial->state = STORE_TRIAL_TIMED;
	trial->why[0] = '\0';
	trial->median_ns = timing.median_ns;
	trial->mad_ns = timing.mad_ns;
	trial->samples = timing.samples;
}

static void put_all(struct session *session, const struct store_trial *trials, uint32_t count)
{
	int code = store_put_trials(session->job->tune->store, &session->job->key, trials, count);

	if (code)
		log_warning("%s: times cannot be stored: %s; they are lost at a restart",
		        session->job->text, strerror(-code));
}

void journal_times(struct session *session)
{
	struct store_trial trials[SEARCH_BATCH_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < session->timing.count; i++) {
		struct attempt *attempt = &session->attempts[session->timing.candidate[i]];
		if (!search_timing(session->search, session->timing.candidate[i]).samples)
			continue;
		session->job->tune->metrics->tuning_trials += !attempt->timed;
		attempt->timed = true;
		take_timing(session, session->timing.candidate[i]);
		trials[count++] = attempt->trial;
	}
	put_all(session, trials, count);
}

void journal_finals(struct session *session)
{
	struct store_trial trials[ATTEMPTS_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < session->count; i++) {
		if (!session->attempts[i].timed)
			continue;
		take_timing(session, i);
		trials[count++] = session->attempts[i].trial;
	}
	put_all(session, trials, count);
}

void journal_blame(struct session *session, const struct worker_reply *reply)
{
	bool timing = session->state == SESSION_TIMING, coming = false;
	uint32_t culprit = NO_CANDIDATE;

	for (uint32_t i = 0; i < session->count; i++)
		coming |= session->attempts[i].coming;
	session->alone |= timing;
	session->job->cautious |= coming || (timing && session->building != NO_CANDIDATE);
	if (session->state == SESSION_BUILDING)
		culprit = session->building;
	else if (timing && session->timing.count == 1)
		culprit = session->timing.candidate[0];
	if (culprit != NO_CANDIDATE && !coming && !reply->asked_to_end)
		batch_reject(session, culprit, STORE_TRIAL_POISONED, reply->text);
}
