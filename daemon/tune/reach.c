/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a dynamic operator's finalist is right: asked of the worker once the search has ended.
 * What is served says no more than was verified. Must not choose who wins. Invariant: a reach is
 * kept of the candidate that it was found for.
 */
#include "daemon/log.h"
#include "daemon/tune/session.h"
#include "space/space.h"

#include <string.h>

bool reach_wanted(const struct session *session, uint32_t *ret_candidate)
{
	uint32_t candidate = best_candidate(session);

	*ret_candidate = candidate;
	return session->job->id.op.dynamic_count && candidate < session->count &&
	       session->attempts[candidate].builds && session->reach.candidate != candidate;
}

struct wire_reach reach_ask(struct session *session, uint32_t candidate)
{
	const struct kernel_id *id = &session->job->id;
	const struct attempt *attempt = &session->attempts[candidate];
	struct limits limits = tune_limits(id);
	struct wire_reach request = {.candidate = candidate, .schedule = attempt->text};

	session->reach.candidate = candidate;
	session->reach.found = (struct wire_reached){.why = ""};
	if (space_range(&id->op, &attempt->schedule, &limits, request.most.at))
		for (uint32_t i = 0; i < id->op.dynamic_count; i++)
			request.most.at[i] = id->op.value[id->op.dynamic[i].value];
	return request;
}

void reach_take(struct session *session, const struct worker_reply *reply)
{
	struct wire_reached *found = &session->reach.found;
	struct error err = {.text = ""};
	const char *why = reply->text;

	if (reply->answer == WORKER_OK)
		why = wire_read_reached(reply->ok, found, &err) ? err.text : found->why;
	if (reply->answer != WORKER_OK || *why)
		log_warning("%s on %s: its best schedule is served for a part of its range: %s",
		        session->job->text, session->job->device->public.name, why);
	found->why = ""; /* the reply's */
}

void reach_keep(const struct session *session, uint32_t candidate, struct store_kernel *kernel)
{
	const struct wire_reached *found = &session->reach.found;

	memset(kernel->reach, 0, sizeof kernel->reach);
	if (session->reach.candidate != candidate || !session->job->id.op.dynamic_count)
		return;
	memcpy(kernel->reach, found->dims.at, sizeof kernel->reach);
	kernel->checked += found->checked;
	if (found->max_rel_err > kernel->max_rel_err)
		kernel->max_rel_err = found->max_rel_err;
}
