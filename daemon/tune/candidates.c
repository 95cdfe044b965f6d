/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules a session looks at and in which order: what was best before, what was best for
 * the nearest shapes, then the space as predicted, then what else was tried before, so that a
 * search cut short counts it; later the neighbours of what leads. Must not know what becomes of
 * them. Invariant: no schedule stands twice among a session's candidates, and a candidate keeps its
 * number.
 */
#include "cost/roofline.h"
#include "daemon/log.h"
#include "daemon/tune/session.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>

static uint32_t find(const struct session *session, const struct schedule *schedule)
{
	for (uint32_t i = 0; i < session->count; i++)
		if (!memcmp(&session->attempts[i].schedule, schedule, sizeof *schedule))
			return i;
	return NO_CANDIDATE;
}

static void add(struct session *session, const struct schedule *schedule, double predicted_ns)
{
	if (find(session, schedule) != NO_CANDIDATE || session->count == ATTEMPTS_MAX)
		return;
	struct attempt *attempt = &session->attempts[session->count++];
	*attempt = (struct attempt){.schedule = *schedule, .predicted_ns = predicted_ns};
	schedule_print(schedule, attempt->text);
}

/* What experience says goes before what is predicted: another driver's or an earlier session's
 * best, then those of other shapes. */
static void add_experience(struct session *session)
{
	const struct job *job = session->job;
	const struct facts *facts = &job->device->public.facts;
	struct schedule near[TRANSFER_MAX];
	struct tune_kernel known;
	uint32_t count = transfer_schedules(job, near);

	if (!kernel_stored(job->tune, &job->id, &known) && known.status != TUNE_NAIVE)
		add(session, &known.schedule, known.predicted_ns);
	for (uint32_t i = 0; i < count; i++)
		add(session, &near[i], space_predict_ns(&job->id.op, &near[i], facts));
}

static bool add_trial(void *context, const struct store_trial *trial)
{
	struct session *session = context;
	const struct kernel_id *id = &session->job->id;
	struct limits limits = tune_limits(id);
	struct schedule schedule;

	if (!schedule_parse(trial->schedule, &schedule, NULL) &&
	        !space_check(&id->op, &schedule, &limits, NULL))
		add(session, &schedule, space_predict_ns(&id->op, &schedule, &id->device->facts));
	return true;
}

/* Neighbours of whatever led in an earlier session. One that cannot read them tries them anew. */
static void add_tried(struct session *session)
{
	const struct job *job = session->job;

	if (!job->again)
		store_each_trial(job->tune->store, &job->key, add_trial, session);
}

int candidates_take(struct session *session, const struct space *space)
{
	const struct job *job = session->job;

	session->count = 0;
	session->baseline = NO_CANDIDATE;
	add_experience(session);
	for (uint32_t i = 0; i < space->count; i++)
		add(session, &space->candidates[i].schedule, space->candidates[i].predicted_ns);
	add_tried(session);
	if (space->baseline < space->count)
		session->baseline = find(session, &space->candidates[space->baseline].schedule);
	int code = search_create(session->count, session->baseline, &session->search);
	if (code)
		return code;
	search_bound(session->search, (uint32_t)job->tune->options.trials,
	        roofline_ns(&job->id.op, &job->id.device->facts));
	for (uint32_t i = 0; i < session->count; i++)
		search_expect(session->search, i, session->attempts[i].predicted_ns);
	return 0;
}

/* The search and the session number candidates alike. */
static bool grow(struct session *session, const struct candidate *candidate)
{
	uint32_t number = find(session, &candidate->schedule);

	if (number != NO_CANDIDATE) {
		search_prefer(session->search, number);
		return true;
	}
	if (session->count == ATTEMPTS_MAX || search_add(session->search, candidate->predicted_ns))
		return false;
	add(session, &candidate->schedule, candidate->predicted_ns);
	return true;
}

void candidates_expand(struct session *session)
{
	const struct kernel_id *id = &session->job->id;
	struct limits limits = tune_limits(id);
	struct candidate neighbours[SPACE_NEIGHBOURS_MAX];
	uint32_t leader = search_expand(session->search), first = session->count;

	if (leader >= session->count)
		return;
	uint32_t count = space_neighbours(&id->op, &limits, &id->device->facts,
	        &session->attempts[leader].schedule, neighbours);
	for (uint32_t i = 0; i < count && i < SEARCH_NEIGHBOURS_MAX; i++)
		if (!grow(session, &neighbours[i]))
			break;
	log_debug("%s: '%s' leads; %u schedules around it are new", session->job->text,
	        session->attempts[leader].text, session->count - first);
	if (session->count > first && journal_recall(session, first))
		log_warning("%s: earlier trials of neighbours cannot be read; they are done again",
		        session->job->text);
}
