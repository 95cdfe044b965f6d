/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written down of each candidate. Before the worker gets one it is recorded as launched;
 * if the worker dies over it, it is poisoned and never tried again under this driver.
 *
 * If the daemon itself dies (kill -9, no power) the record is left behind as launched. After a
 * reboot the candidate is taken to be the cause and is poisoned. Within the same boot it was not:
 * one that only kills its worker is dealt with by a daemon that lives. It is tried again.
 */
#include "daemon/log.h"
#include "daemon/tune/job.h"

#include <string.h>

struct remembering {
	struct job *job;
	uint32_t first; /* those before are known */
};

static bool remember_one(void *context, const struct store_trial *trial)
{
	const struct remembering *of = context;

	for (uint32_t i = of->first; i < of->job->count; i++)
		if (!strcmp(of->job->attempts[i].text, trial->schedule))
			of->job->attempts[i].trial = *trial;
	return true;
}

/* Left launched by a daemon that died; `why` holds the boot it was launched in. */
static void settle_launched(struct job *job, uint32_t candidate)
{
	struct store_trial *trial = &job->attempts[candidate].trial;

	if (strcmp(trial->why, job->tune->boot) != 0) {
		trial_reject(
		        job, candidate, STORE_TRIAL_POISONED, "the machine went down while it ran");
		return;
	}
	trial->state = STORE_TRIAL_TIMED;
	trial->why[0] = '\0';
	trial_take_back(job, candidate);
}

int trials_remember(struct job *job, uint32_t first)
{
	struct remembering of = {job, first};
	int code = store_each_trial(job->tune->store, &job->key, remember_one, &of);

	for (uint32_t i = first; i < job->count; i++) {
		struct attempt *attempt = &job->attempts[i];
		const struct store_trial *trial = &attempt->trial;
		if (!trial->schedule[0])
			continue;
		if (trial->state == STORE_TRIAL_LAUNCHED)
			settle_launched(job, i);
		if (trial->state == STORE_TRIAL_POISONED)
			search_tell(job->search, i, SEARCH_REJECTED, NULL, 0);
		else if (job->again)
			continue;
		else if (trial->state != STORE_TRIAL_TIMED)
			search_tell(job->search, i, SEARCH_REJECTED, NULL, 0);
		else if (trial->samples) /* weighs as one sample: this session's soon outweigh it */
			search_tell(job->search, i, SEARCH_TIMED, &trial->median_ns, 1);
	}
	return code;
}

static int put(struct job *job, const struct store_trial *trial)
{
	int code = store_put_trial(job->tune->store, &job->key, trial);

	if (code)
		log_warning("%s: trial '%s' cannot be stored: %s", job->text, trial->schedule,
		        strerror(-code));
	return code;
}

static void name_trial(struct attempt *attempt)
{
	memcpy(attempt->trial.schedule, attempt->text, sizeof attempt->trial.schedule);
}

int trial_launch(struct job *job, uint32_t candidate)
{
	struct attempt *attempt = &job->attempts[candidate];
	struct store_trial trial = attempt->trial; /* keeps times from before */

	snprintf(trial.schedule, sizeof trial.schedule, "%s", attempt->text);
	trial.state = STORE_TRIAL_LAUNCHED;
	snprintf(trial.why, sizeof trial.why, "%s", job->tune->boot);
	return put(job, &trial);
}

void trial_take_back(struct job *job, uint32_t candidate)
{
	struct attempt *attempt = &job->attempts[candidate];

	if (attempt->trial.samples)
		put(job, &attempt->trial);
	else
		store_delete_trial(job->tune->store, &job->key, attempt->text);
}

void trials_undo_launch(struct job *job)
{
	uint32_t held[] = {job->launched, job->ahead};

	job->launched = job->ahead = NO_CANDIDATE;
	for (size_t i = 0; i < 2; i++)
		if (held[i] != NO_CANDIDATE)
			trial_take_back(job, held[i]);
}

void trial_reject(
        struct job *job, uint32_t candidate, enum store_trial_state state, const char *why)
{
	struct attempt *attempt = &job->attempts[candidate];

	search_tell(job->search, candidate, SEARCH_REJECTED, NULL, 0);
	snprintf(job->refusal, sizeof job->refusal, "%s", why);
	attempt->right = attempt->timed = false;
	attempt->trial = (struct store_trial){.state = state};
	name_trial(attempt);
	snprintf(attempt->trial.why, sizeof attempt->trial.why, "%s", why);
	put(job, &attempt->trial);
	if (job->launched == candidate)
		job->launched = NO_CANDIDATE;
	job->tune->stats.trials++;
}

static void take_timing(struct job *job, uint32_t candidate)
{
	struct search_timing timing = search_timing(job->search, candidate);
	struct store_trial *trial = &job->attempts[candidate].trial;

	name_trial(&job->attempts[candidate]);
	trial->state = STORE_TRIAL_TIMED;
	trial->why[0] = '\0';
	trial->median_ns = timing.median_ns;
	trial->mad_ns = timing.mad_ns;
	trial->samples = timing.samples;
}

static void put_all(struct job *job, const struct store_trial *trials, uint32_t count)
{
	int code = store_put_trials(job->tune->store, &job->key, trials, count);

	if (code)
		log_warning("%s: times cannot be stored: %s; they are lost at a restart", job->text,
		        strerror(-code));
}

void trials_timed(struct job *job)
{
	struct store_trial trials[SEARCH_BATCH_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < job->timing_count; i++) {
		struct attempt *attempt = &job->attempts[job->timing[i]];
		if (!search_timing(job->search, job->timing[i]).samples)
			continue;
		job->tune->stats.trials += !attempt->timed;
		attempt->timed = true;
		take_timing(job, job->timing[i]);
		trials[count++] = attempt->trial;
	}
	put_all(job, trials, count);
}

void trials_settled(struct job *job)
{
	struct store_trial trials[ATTEMPTS_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < job->count; i++) {
		if (!job->attempts[i].timed)
			continue;
		take_timing(job, i);
		trials[count++] = job->attempts[i].trial;
	}
	put_all(job, trials, count);
}
