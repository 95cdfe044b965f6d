/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine that drives a job's search against a worker. Each state waits for one answer; step()
 * takes it and says which state follows.
 *
 *   OPENING -> UNLOADING -> LOADING -> DECIDING -> ask the search, or over
 *                                       |  ^
 *              BUILDING, TIMING, DROPPING  '   then REACHING, where the operator is dynamic
 *
 * While a batch is timed, a candidate that will probably be asked for next is built behind it: two
 * calls are under way then, TIMING goes over to BUILDING, and the candidate is `ahead` until the
 * search asks for it or for another. The worker is told of those behind it, too, and compiles them.
 * A worker that dies sends any state back to OPENING; the search keeps what it was told and asks
 * again for what it was not. Must not know who waits for the job. Invariants: a candidate is
 * recorded as launched before the worker gets it; the session ends, and may be freed, only as the
 * last thing of advance().
 */
#include "daemon/tune/session.h"

#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/queue.h"
#include "space/space.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define S_NS      1000000000ull
#define LOAD_NS   (60 * S_NS) /* includes the reference's sampled elements */
#define UNLOAD_NS (10 * S_NS)
#define DROP_NS   (10 * S_NS)
#define REACH_NS  (60 * S_NS) /* several tries, each with inputs and references of its own */
#define ANSWER_NS (40 * S_NS) /* the worker itself gives a compile 20 s and a kernel 10 s */

static void advance(struct session *session, const struct worker_reply *reply);

int session_create(struct job *job, session_heard *heard, struct session **ret_session)
{
	struct session *session = calloc(1, sizeof *session);

	if (!session)
		return -ENOMEM;
	session->job = job;
	session->heard = heard;
	session->building = session->ahead = session->reach.candidate = NO_CANDIDATE;
	session->builds = 1;
	*ret_session = session;
	return 0;
}

void session_destroy(struct session *session)
{
	if (!session)
		return;
	journal_take_back_all(session);
	search_destroy(session->search);
	free(session);
}

/* ---- Ends. */

static enum session_state end(struct session *session, enum session_news news, const char *why)
{
	session->outcome.news = news;
	snprintf(session->outcome.why, sizeof session->outcome.why, "%s", why);
	return SESSION_OVER;
}

static enum session_state finish(struct session *session)
{
	const struct store_kernel *best = &session->best.kernel;
	struct job *job = session->job;
	char why[256];

	if (search_done(session->search))
		journal_finals(session);
	if (best_finish(session)) {
		snprintf(why, sizeof why, "none of %u schedules could be measured%s%s",
		        session->count, session->refusal[0] ? "; the last one: " : "",
		        session->refusal);
		best_naive(session, search_measured(session->search) == session->count);
		return end(session, SESSION_FAILED, why);
	}
	log_info("%s on %s: %.3f ms (baseline %.3f ms), %u of %u schedules in %.1f s: %s",
	        job->text, job->device->public.name, best->median_ns / 1e6, best->baseline_ns / 1e6,
	        best->measured, best->of, (double)budget_spent_ns(job) / 1e9, best->schedule);
	doubt_raise(job->device, &job->id.op, best->median_ns);
	device_calibrate(job->device);
	return end(session, SESSION_FINISHED, "");
}

/* ---- Asking the worker. Each says in which state its answer is waited for. */

static void answered(void *context, const struct worker_reply *reply)
{
	advance(context, reply);
}

static void call(struct session *session, json_t *request, uint64_t deadline_ns)
{
	worker_call(session->job->device->worker, request, deadline_ns, answered, session);
}

/* What the kernel itself may take comes on top of the worker's patience. */
static uint64_t patience_ns(double kernel_ns)
{
	return ANSWER_NS + (isfinite(kernel_ns) && kernel_ns > 0 ? (uint64_t)kernel_ns : 0);
}

static enum session_state load(struct session *session)
{
	const struct job *job = session->job;

	call(session,
	        wire_write_load(&(struct wire_load){.op = job->text, .seed = job->key.op >> 33}),
	        LOAD_NS);
	return SESSION_LOADING;
}

static enum session_state unload(struct session *session)
{
	call(session, wire_write_unload(&(struct wire_unload){}), UNLOAD_NS);
	return SESSION_UNLOADING;
}

static enum session_state drop(struct session *session, const struct wire_candidates *candidates)
{
	call(session, wire_write_drop(&(struct wire_drop){.candidates = *candidates}), DROP_NS);
	return SESSION_DROPPING;
}

/* Of a candidate recorded as launched. */
static enum session_state build(struct session *session, uint32_t candidate)
{
	struct attempt *attempt = &session->attempts[candidate];
	const struct wire_build request = {
	        .candidate = candidate, .schedule = attempt->text, .twin = attempt->builds > 0};

	session->building = candidate;
	attempt->coming = false;
	call(session, wire_write_build(&request), patience_ns(8 * attempt->predicted_ns));
	return SESSION_BUILDING;
}

static void send_timing(struct session *session)
{
	struct wire_time request = {.samples = session->samples};
	double sum_ns = 0;

	for (uint32_t i = 0; i < session->timing.count; i++) {
		uint32_t candidate = session->timing.candidate[i];
		request.candidates.at[request.candidates.count++] = candidate;
		sum_ns += session->builds * session->attempts[candidate].pilot_ns;
	}
	call(session, wire_write_time(&request), patience_ns(8 * sum_ns * session->samples));
}

/* Nothing follows from that answer, but that the worker died. */
static void prepared(void *context, const struct worker_reply *reply)
{
	if (reply->answer == WORKER_LOST)
		advance(context, reply);
}

/* Recorded as launched as well: the worker compiles it from now on. */
static void announce(struct session *session, uint32_t candidate)
{
	struct attempt *attempt = &session->attempts[candidate];
	const struct wire_prepare request = {.candidate = candidate, .schedule = attempt->text};

	if (journal_launch(session, candidate))
		return;
	attempt->coming = true;
	worker_call(session->job->device->worker, wire_write_prepare(&request), ANSWER_NS, prepared,
	        session);
}

/* What comes next is built behind it, where that is worth it and can be recorded, and what comes
 * then is compiled. */
static enum session_state time_batch(struct session *session)
{
	uint32_t coming[COMING_MAX];

	batch_choose_timing(session);
	uint32_t next = batch_next_ahead(session), count = batch_coming(session, coming);
	for (uint32_t i = 0; i < count; i++)
		announce(session, coming[i]);
	bool ahead = next != NO_CANDIDATE &&
	             (session->attempts[next].coming || !journal_launch(session, next));
	send_timing(session);
	if (ahead)
		build(session, next);
	return SESSION_TIMING;
}

/* ---- The device is ready: the space, what is remembered of it. */

/* A driver that changed moves the job to its new key. */
static void take_key(struct session *session)
{
	struct job *job = session->job;
	struct store_key key = kernel_key(&job->id);

	if (job->key.driver == key.driver)
		return;
	queue_forget(job);
	job->key = key;
	store_put_job(job->tune->store, &key, job->text, job->priority);
	search_destroy(session->search);
	session->search = NULL;
	session->finals = false;
	session->builds = 1;
}

static int prepare(struct session *session, struct error *err)
{
	const struct job *job = session->job;
	const struct tune_device *device = &job->device->public;
	struct limits limits = tune_limits(&job->id);
	struct space space;
	int code = space_enumerate(&job->id.op, &limits, &device->facts, &space, err);

	if (code)
		return code;
	code = candidates_take(session, &space);
	if (code)
		return error_set(err, code, "", "out of memory");
	best_start(session);
	code = journal_recall(session, 0);
	if (code)
		log_warning("%s: earlier trials cannot be read: %s; they are done again", job->text,
		        strerror(-code));
	return 0;
}

static enum session_state opened(struct session *session, const struct worker_reply *failure)
{
	struct error err = {0};

	if (failure)
		return end(session, SESSION_FAILED, failure->text);
	take_key(session);
	if (!session->search && prepare(session, &err))
		return end(session, SESSION_FAILED, err.text);
	return session->job->device->loaded ? unload(session) : load(session);
}

static enum session_state unloaded(struct session *session)
{
	session->job->device->loaded = false;
	return load(session);
}

static enum session_state loaded(struct session *session, const struct worker_reply *reply)
{
	const struct job *job = session->job;
	struct wire_loaded loaded;
	struct error err;

	if (reply->answer != WORKER_OK)
		return end(session, SESSION_FAILED, reply->text);
	job->device->loaded = true;
	if (wire_read_loaded(reply->ok, &loaded, &err))
		return end(session, SESSION_FAILED, err.text);
	session->share = loaded.share > 0 && loaded.share < 1 ? loaded.share : 1;
	if (session->share < 1)
		log_info("%s on %s: memory is short; its schedules are tried on %.0f%% of it",
		        job->text, job->device->public.name, 100 * session->share);
	return SESSION_DECIDING;
}

/* ---- A candidate was built, or a batch timed. */

static enum session_state built(struct session *session, const struct worker_reply *reply)
{
	uint64_t took_ns = loop_now_ns() - session->pace.begun_ns;
	uint32_t candidate = session->building;
	struct wire_built verdict;
	struct error err;

	session->pace.build_ns = session->pace.build_ns ? (session->pace.build_ns + took_ns) / 2
	                                                : took_ns;
	session->deaths = 0;
	session->building = NO_CANDIDATE;
	if (reply->answer != WORKER_OK)
		batch_reject(session, candidate, STORE_TRIAL_REFUSED, reply->text);
	else if (wire_read_built(reply->ok, &verdict, &err))
		batch_reject(session, candidate, STORE_TRIAL_REFUSED, err.text);
	else
		batch_take_verdict(session, candidate, &verdict);
	return SESSION_DECIDING;
}

/* All of the batch is told: the best of it is served. */
static void look_back(struct session *session)
{
	session->open = session->alone = false;
	bool improved = best_update(session);
	kernels_changed(session->job->tune);
	session->heard(session->job, improved ? SESSION_IMPROVED : SESSION_PROGRESS, NULL);
}

static enum session_state timed(struct session *session, const struct worker_reply *reply)
{
	struct wire_timed timed;
	struct error err;

	session->deaths = 0;
	session->pace.time_ns = loop_now_ns() - session->pace.begun_ns;
	if (reply->answer != WORKER_OK)
		batch_refuse_times(session, reply->text);
	else if (wire_read_timed(reply->ok, &timed, &err))
		batch_refuse_times(session, err.text);
	else
		batch_take_times(session, &timed);
	if (!session->asked.count)
		look_back(session);
	return session->building == NO_CANDIDATE ? SESSION_DECIDING : SESSION_BUILDING;
}

/* ---- What comes next. */

/* Keeps the candidate built ahead if the search asks for it now; drops it otherwise. */
static enum session_state claim_ahead(struct session *session)
{
	uint32_t ahead = session->ahead;

	session->ahead = NO_CANDIDATE;
	if (ahead == NO_CANDIDATE || batch_has(&session->asked, ahead))
		return SESSION_DECIDING;
	journal_take_back(session, ahead);
	session->attempts[ahead].builds = 0;
	return drop(session, &(struct wire_candidates){.count = 1, .at = {ahead}});
}

/* The search has ended. */
static enum session_state conclude(struct session *session)
{
	uint32_t candidate;

	if (!reach_wanted(session, &candidate))
		return finish(session);
	const struct wire_reach request = reach_ask(session, candidate);
	call(session, wire_write_reach(&request), REACH_NS);
	return SESSION_REACHING;
}

static enum session_state ask(struct session *session)
{
	const struct job *job = session->job;
	uint64_t spent_ns = budget_spent_ns(job);
	bool timed = search_best(session->search) < session->count;

	if (queue_overtaken(job))
		return end(session, SESSION_PARKED, "");
	if (spent_ns > budget_screening_ns(job))
		search_hurry(session->search);
	candidates_expand(session);
	if (spent_ns + session->pace.time_ns < (timed ? job->budget_ns : 4 * job->budget_ns))
		session->asked.count = search_ask(
		        session->search, session->asked.candidate, &session->samples);
	session->open = session->asked.count;
	return session->open ? claim_ahead(session) : conclude(session);
}

static enum session_state build_next(struct session *session, uint32_t candidate)
{
	int code = session->attempts[candidate].coming ? 0 : journal_launch(session, candidate);

	if (code) /* never launched unrecorded */
		return end(session, SESSION_FAILED,
		        code == -ENOSPC ? "the disk with the state folder is full"
		                        : "the store cannot be written");
	return build(session, candidate);
}

static enum session_state decide(struct session *session)
{
	if (session->job->cancelled)
		return end(session, SESSION_CANCELLED, "");
	batch_prepare(session);
	uint32_t next = batch_unbuilt(session);
	if (next != NO_CANDIDATE)
		return build_next(session, next);
	if (session->asked.count)
		return time_batch(session);
	if (session->open)
		look_back(session);
	struct wire_candidates losers = batch_losers(session);
	return losers.count ? drop(session, &losers) : ask(session);
}

/* ---- A worker that died. */

/* An error after which the worker's device is of no use any more counts as well. */
static bool is_gone(const struct worker_reply *reply)
{
	return reply &&
	       (reply->answer == WORKER_LOST ||
	               (reply->answer == WORKER_ERROR && reply->failure == WIRE_DEVICE_LOST));
}

static void forget_worker(struct session *session)
{
	worker_stop(session->job->device->worker);
	session->job->device->loaded = false;
	for (uint32_t i = 0; i < session->count; i++)
		session->attempts[i].builds = 0;
	session->asked.count = session->timing.count = 0;
	session->open = false;
	journal_take_back_all(session);
}

static enum session_state lost(struct session *session, const struct worker_reply *reply)
{
	struct job *job = session->job;
	char why[256];

	journal_blame(session, reply);
	forget_worker(session);
	if (job->cancelled)
		return end(session, SESSION_CANCELLED, "");
	if (++session->deaths < DEATHS_MAX) {
		log_warning("%s on %s: %s; the worker is started again and the search goes on",
		        job->text, job->device->public.name, reply->text);
		job->tune->metrics->tuning_worker_restarts++;
		return SESSION_OPENING;
	}
	if (session->search && session->best.ours) {
		log_warning("%s on %s: %s, %u times in a row; the search ends with the best so far",
		        job->text, job->device->public.name, reply->text, session->deaths);
		return finish(session);
	}
	snprintf(why, sizeof why, "%.180s, %u times in a row", reply->text, session->deaths);
	if (session->search && !session->best.kernel.schedule[0])
		best_naive(session, false);
	return end(session, SESSION_FAILED, why);
}

/* ---- The machine. */

static enum session_state step(struct session *session, const struct worker_reply *reply)
{
	switch (session->state) {
	case SESSION_OPENING:
		return opened(session, reply);
	case SESSION_UNLOADING:
		return unloaded(session);
	case SESSION_LOADING:
		return loaded(session, reply);
	case SESSION_BUILDING:
		return built(session, reply);
	case SESSION_TIMING:
		return timed(session, reply);
	case SESSION_DROPPING:
		return SESSION_DECIDING;
	case SESSION_REACHING:
		reach_take(session, reply);
		return finish(session);
	case SESSION_DECIDING:
		return decide(session);
	case SESSION_OVER:
		break;
	}
	return SESSION_OVER;
}

static void readied(void *context, const struct worker_reply *failure)
{
	advance(context, failure);
}

static void advance(struct session *session, const struct worker_reply *reply)
{
	session->state = is_gone(reply) ? lost(session, reply) : step(session, reply);
	while (session->state == SESSION_DECIDING)
		session->state = step(session, NULL);
	session->pace.begun_ns = loop_now_ns();
	if (session->state == SESSION_OPENING) {
		device_ready(session->job->device, readied, session);
	} else if (session->state == SESSION_OVER) {
		journal_take_back_all(session);
		session->heard(session->job, session->outcome.news, session->outcome.why);
	}
}

void session_start(struct session *session)
{
	session->state = SESSION_OPENING;
	device_ready(session->job->device, readied, session);
}
