/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a batch that the search asked for: which of it is given up, built, timed, and
 * which built candidates are kept afterwards. Only decides: session.c asks the worker. Invariant:
 * `asked` holds those of the batch that the search was not told of yet.
 */
#include "base/statistics.h"
#include "daemon/tune/session.h"

#include <stdio.h>

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
 * code happens to lie makes a kernel up to twice as slow, in one of four by more than 8%. */
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

/* Not on processors: building and timing would share the cores and the times would be wrong. */
uint32_t batch_next_ahead(const struct session *session)
{
	uint32_t next = search_next(session->search);
	bool worth_it = !session->job->device->public.facts.cpu && !session->job->cautious &&
	                next < session->count && !session->attempts[next].builds &&
	                session->timing.count > 1 && may_screen(session);

	return worth_it ? next : NO_CANDIDATE;
}

/* ---- Timing. */

void batch_choose_timing(struct session *session)
{
	session->timing = session->asked;
	if (session->alone)
		session->timing.count = 1;
}

void batch_take_samples(struct session *session, uint32_t candidate, const json_t *samples_ns)
{
	double ns[64];
	uint32_t count = 0;
	char name[16];

	snprintf(name, sizeof name, "%u", candidate);
	const json_t *array = json_object_get(samples_ns, name);
	while (count < json_array_size(array) && count < sizeof ns / sizeof ns[0]) {
		ns[count] = json_number_value(json_array_get(array, count));
		count++;
	}
	batch_remove(&session->asked, candidate);
	if (!count) {
		journal_reject(session, candidate, STORE_TRIAL_REFUSED, "the worker gave no times");
		return;
	}
	session->attempts[candidate].batch_ns = statistics_median(ns, count);
	session->attempts[candidate].batch = session->batches;
	search_tell(session->search, candidate, SEARCH_TIMED, ns, count);
}

/* The best and the baseline are never among them, nor is one not asked for yet. */
json_t *batch_losers(struct session *session)
{
	uint32_t best = search_best(session->search), kept = 0;
	double best_ns = search_timing(session->search, best).median_ns;
	json_t *array = json_array();

	for (uint32_t i = 0; i < session->count; i++) {
		struct attempt *attempt = &session->attempts[i];
		double ns = search_timing(session->search, i).median_ns;
		if (!attempt->builds || i == session->baseline || i == best || i == session->ahead)
			continue;
		if (ns <= KEPT_WITHIN * best_ns && kept++ < KEPT_MAX)
			continue;
		attempt->builds = 0;
		json_array_append_new(array, json_integer((json_int_t)i));
	}
	return array;
}
