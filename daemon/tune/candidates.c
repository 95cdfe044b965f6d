/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules a job looks at and in which order: what was best before, what was best for the
 * nearest shapes, then the space as predicted, then what else was tried before, so that a search
 * cut short counts it; later the neighbours of what leads. Must not know what becomes of them.
 * Invariant: no schedule stands twice among a job's candidates, and a candidate keeps its number.
 */
#include "cost/roofline.h"
#include "daemon/log.h"
#include "daemon/tune/job.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>

static uint32_t find(const struct job *job, const struct schedule *schedule)
{
	for (uint32_t i = 0; i < job->count; i++)
		if (!memcmp(&job->attempts[i].schedule, schedule, sizeof *schedule))
			return i;
	return NO_CANDIDATE;
}

static void add(struct job *job, const struct schedule *schedule, double predicted_ns)
{
	if (find(job, schedule) != NO_CANDIDATE || job->count == ATTEMPTS_MAX)
		return;
	struct attempt *attempt = &job->attempts[job->count++];
	*attempt = (struct attempt){.schedule = *schedule, .predicted_ns = predicted_ns};
	schedule_print(schedule, attempt->text);
}

/* What experience says goes before what is predicted: another driver's or an earlier session's
 * best, then those of other shapes. */
static void add_experience(struct job *job)
{
	const struct facts *facts = &job->device->public.facts;
	struct schedule near[TRANSFER_MAX];
	struct tune_kernel known;
	uint32_t count = transfer_schedules(job, near);

	if (!kernel_stored(job->tune, &job->id, &known) && known.status != TUNE_NAIVE)
		add(job, &known.schedule, known.predicted_ns);
	for (uint32_t i = 0; i < count; i++)
		add(job, &near[i], space_predict_ns(&job->id.op, &near[i], facts));
}

static bool add_trial(void *context, const struct store_trial *trial)
{
	struct job *job = context;
	struct limits limits = tune_limits(&job->device->public, job->id.features);
	const struct facts *facts = &job->device->public.facts;
	struct schedule schedule;

	if (!schedule_parse(trial->schedule, &schedule, NULL) &&
	        !space_check(&job->id.op, &schedule, &limits, NULL))
		add(job, &schedule, space_predict_ns(&job->id.op, &schedule, facts));
	return true;
}

/* Neighbours of whatever led in an earlier session. One that cannot read them tries them anew. */
static void add_tried(struct job *job)
{
	if (!job->again)
		store_each_trial(job->tune->store, &job->key, add_trial, job);
}

int candidates_take(struct job *job, const struct space *space)
{
	const struct facts *facts = &job->device->public.facts;

	job->count = 0;
	job->launched = job->ahead = job->baseline = NO_CANDIDATE;
	add_experience(job);
	for (uint32_t i = 0; i < space->count; i++)
		add(job, &space->candidates[i].schedule, space->candidates[i].predicted_ns);
	add_tried(job);
	if (space->baseline < space->count)
		job->baseline = find(job, &space->candidates[space->baseline].schedule);
	int code = search_create(job->count, job->baseline, &job->search);
	if (code)
		return code;
	search_bound(job->search, job->tune->trials, roofline_ns(&job->id.op, facts));
	for (uint32_t i = 0; i < job->count; i++)
		search_expect(job->search, i, job->attempts[i].predicted_ns);
	return 0;
}

/* The search and the job number candidates alike. */
static bool grow(struct job *job, const struct candidate *candidate)
{
	uint32_t number = find(job, &candidate->schedule);

	if (number != NO_CANDIDATE) {
		search_prefer(job->search, number);
		return true;
	}
	if (job->count == ATTEMPTS_MAX || search_add(job->search, candidate->predicted_ns))
		return false;
	add(job, &candidate->schedule, candidate->predicted_ns);
	return true;
}

void candidates_expand(struct job *job)
{
	const struct tune_device *device = &job->device->public;
	struct limits limits = tune_limits(device, job->id.features);
	struct candidate neighbours[SPACE_NEIGHBOURS_MAX];
	uint32_t leader = search_expand(job->search), first = job->count;

	if (leader >= job->count)
		return;
	uint32_t count = space_neighbours(
	        &job->id.op, &limits, &device->facts, &job->attempts[leader].schedule, neighbours);
	for (uint32_t i = 0; i < count && i < SEARCH_NEIGHBOURS_MAX; i++)
		if (!grow(job, &neighbours[i]))
			break;
	log_debug("%s: '%s' leads; %u schedules around it are new", job->text,
	        job->attempts[leader].text, job->count - first);
	if (job->count > first && trials_remember(job, first))
		log_warning("%s: earlier trials of neighbours cannot be read; they are done again",
		        job->text);
}
