/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's side of the wire: one row a request. What a request needs to be there is checked
 * here; the work is done elsewhere. On a GPU pipelines are made ahead on other threads: of
 * candidates that the daemon says will come, and of a build that waits behind a time. Invariants:
 * every line gets exactly one reply, in order; what was begun ahead is of the operator that is
 * loaded; and after device-lost the process ends without touching the device again.
 */
#include "daemon/gpu/serve.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/describe.h"
#include "daemon/gpu/inbox.h"
#include "daemon/gpu/pace.h"
#include "daemon/gpu/preparer.h"
#include "daemon/gpu/probe.h"
#include "daemon/gpu/reach.h"
#include "daemon/gpu/request.h"
#include "daemon/gpu/rounds.h"
#include "daemon/gpu/special.h"
#include "daemon/gpu/watchdog.h"
#include "base/cleanup.h"
#include "protocol/wire/message.h"
#include "protocol/wire/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENUMERATE_PATIENCE_S 60

struct server {
	struct inbox inbox;
	bool enumerated;
	struct adapters adapters;
	struct device *device; /* NULL until open, as are the next two */
	struct builder *builder;
	struct preparer *preparer;
	struct workload *workload;                    /* NULL until load */
	struct twins candidates[WIRE_CANDIDATES_MAX]; /* the right ones of those built */
	struct {                                      /* what the reply under way points to */
		json_t *devices;
		struct verdict verdict;
		struct reach reach;
		double *ns;
	} reply;
};

/* ---- State. */

static int need_device(const struct server *server, struct error *err)
{
	return server->device ? 0
	                      : error_set(err, ANSWER_BAD_REQUEST, "",
	                                "no device is open; send open first");
}

static int need_workload(const struct server *server, struct error *err)
{
	return server->workload ? 0
	                        : error_set(err, ANSWER_BAD_REQUEST, "",
	                                  "no operator is loaded; send load first");
}

static void unload(struct server *server)
{
	preparer_drop(server->preparer);
	for (uint32_t i = 0; i < WIRE_CANDIDATES_MAX; i++)
		twins_free(&server->candidates[i]);
	workload_free(server->workload);
	server->workload = NULL;
}

static void shut(struct server *server)
{
	unload(server);
	preparer_destroy(TAKE(server->preparer));
	builder_destroy(TAKE(server->builder));
	if (server->device)
		pace_destroy(TAKE(server->device->pace));
	device_close(TAKE(server->device));
}

static int enumerate(struct server *server, struct error *err)
{
	if (server->enumerated)
		return 0;
	watchdog_expect(ENUMERATE_PATIENCE_S, "the drivers did not list their devices within 60 s");
	int answer = adapters_find(&server->adapters, err);
	watchdog_rest();
	server->enumerated = !answer;
	return answer;
}

/* ---- The requests, as wire.def has them. Each: 0 with the reply's object, or an answer. */

static int serve_list(struct server *server, const struct wire_list *request,
        struct wire_listed *ret_reply, struct error *err)
{
	int answer = enumerate(server, err);

	(void)request;
	if (answer)
		return answer;
	server->reply.devices = describe_adapters(&server->adapters);
	ret_reply->devices = server->reply.devices;
	return 0;
}

static int open_device(struct server *server, const struct adapter *adapter, enum profile profile,
        struct error *err)
{
	shut(server);
	int answer = device_open(adapter, profile, &server->device, err);
	if (!answer)
		answer = builder_create(server->device, &server->builder, err);
	if (!answer)
		answer = special_learn(server->builder, err);
	if (!answer)
		answer = preparer_create(server->device, &server->preparer, err);
	if (!answer)
		answer = pace_create(server->device, &server->device->pace, err);
	if (answer && answer != ANSWER_DEVICE_LOST)
		shut(server);
	return answer;
}

static int serve_open(struct server *server, const struct wire_open *request,
        struct wire_device *ret_reply, struct error *err)
{
	static const enum profile profiles[WIRE_PROFILE_COUNT] = {
	        [WIRE_NATIVE] = PROFILE_NATIVE, [WIRE_WEB] = PROFILE_WEB};
	int answer = enumerate(server, err);

	if (answer)
		return answer;
	const struct adapter *adapter = adapters_by_id(&server->adapters, request->device);
	if (!adapter)
		return error_set(err, ANSWER_NO_DEVICE, "device",
		        "no device has the id %016" PRIx64, request->device);
	answer = open_device(server, adapter, profiles[request->profile], err);
	if (!answer)
		*ret_reply = describe_adapter(adapter);
	return answer;
}

static int serve_probe(struct server *server, const struct wire_probe *request,
        struct wire_probed *ret_reply, struct error *err)
{
	int answer = need_device(server, err);

	(void)request;
	if (answer)
		return answer;
	struct host_time before = device_host_time();
	answer = probe_facts(server->device, NULL, &ret_reply->facts, err);
	struct host_time after = device_host_time();
	double all_s = after.all_s - before.all_s, others_s = after.others_s - before.others_s;
	ret_reply->busy = all_s > 0 && others_s > 0 ? fmin(others_s / all_s, 1) : 0;
	return answer;
}

static int serve_load(struct server *server, const struct wire_load *request,
        struct wire_loaded *ret_reply, struct error *err)
{
	struct op op;

	int answer = need_device(server, err);
	if (!answer)
		answer = request_op(request->op, &op, err);
	if (answer)
		return answer;
	unload(server);
	answer = workload_load(server->device, &op, request->seed, &server->workload, err);
	if (answer)
		return answer;
	server->builder->workload = server->workload;
	ret_reply->share = server->workload->share;
	return 0;
}

static struct wire_built built_of(const struct verdict *verdict, bool ahead)
{
	return (struct wire_built){.right = verdict->right,
	        .why = verdict->why,
	        .generate_ns = verdict->generate_ns,
	        .pipeline_ns = verdict->pipeline_ns,
	        .first_ns = verdict->first_ns,
	        .code_bytes = verdict->code_bytes,
	        .max_rel_err = verdict->max_rel_err,
	        .checked = verdict->checked,
	        .pilot_ns = verdict->pilot_ns,
	        .ahead = ahead};
}

/* Another thread builds it, too, if it was not begun ahead, where this one has a device to keep
 * awake meanwhile. */
static int build(struct server *server, uint32_t candidate, const struct schedule *schedule,
        struct trial **ret_trial, struct error *err)
{
	struct verdict *verdict = &server->reply.verdict;
	struct built *built;

	if (server->device->pace)
		preparer_begin(server->preparer, server->workload, candidate, schedule);
	int answer = preparer_has(server->preparer, candidate)
	                     ? preparer_take(server->preparer, candidate, &built, err)
	                     : builder_build(server->builder, candidate, schedule, &built, err);

	*verdict = (struct verdict){0};
	if (!answer)
		answer = trial_try(built, ret_trial, verdict, err);
	verdict->pilot_ns /= server->workload->share;
	return answer;
}

/* A twin is built beside the one that there is; any other in place of it. */
static int serve_build(struct server *server, const struct wire_build *request,
        struct wire_built *ret_reply, struct error *err)
{
	struct twins *twins = &server->candidates[request->candidate];
	bool ahead = server->preparer && preparer_has(server->preparer, request->candidate);
	struct schedule schedule;
	struct trial *trial;

	int answer = need_workload(server, err);
	if (!answer)
		answer = request_schedule(request->schedule, &schedule, err);
	if (answer)
		return answer;
	if (request->twin && !twins->first)
		return error_set(err, ANSWER_BAD_REQUEST, "candidate",
		        "candidate %u is not loaded; build it first", request->candidate);
	if (!request->twin)
		twins_free(twins);
	answer = build(server, request->candidate, &schedule, &trial, err);
	if (answer)
		return answer;
	if (request->twin)
		twins_join(twins, trial);
	else
		twins->first = trial;
	*ret_reply = built_of(&server->reply.verdict, ahead);
	return 0;
}

/* Not on a processor, where the two would share the cores and the times would be wrong. */
static bool compiles_ahead(const struct server *server)
{
	return !device_is_cpu(server->device) || fault_planted(FAULT_AHEAD, &(uint64_t){0});
}

static int serve_prepare(struct server *server, const struct wire_prepare *request,
        struct wire_prepared *ret_reply, struct error *err)
{
	struct schedule schedule;

	(void)ret_reply;
	int answer = need_workload(server, err);
	if (!answer)
		answer = request_schedule(request->schedule, &schedule, err);
	if (!answer && compiles_ahead(server))
		preparer_begin(server->preparer, server->workload, request->candidate, &schedule);
	return answer;
}

static int find_loaded(struct server *server, const struct wire_candidates *candidates,
        struct twins *ret_loaded[static WIRE_CANDIDATES_MAX], struct error *err)
{
	for (uint32_t i = 0; i < candidates->count; i++) {
		ret_loaded[i] = &server->candidates[candidates->at[i]];
		if (!ret_loaded[i]->first)
			return error_set(err, ANSWER_BAD_REQUEST, "candidates",
			        "candidate %u is not loaded; build it first", candidates->at[i]);
	}
	return 0;
}

/* Between samples: if the next request is a build, its pipeline is begun. Not that of a twin, whose
 * request may be refused. */
static void look_ahead(void *context)
{
	struct server *server = context;
	enum wire_request what;
	struct wire_build build;
	struct schedule schedule;

	const json_t *next = inbox_look(&server->inbox);
	if (!next || wire_read_request(next, &what, NULL) || what != WIRE_BUILD ||
	        wire_read_build(next, &build, NULL))
		return;
	if (!build.twin && !schedule_parse(build.schedule, &schedule, NULL))
		preparer_begin(server->preparer, server->workload, build.candidate, &schedule);
}

static int serve_time(struct server *server, const struct wire_time *request,
        struct wire_timed *ret_reply, struct error *err)
{
	const struct wire_candidates *candidates = &request->candidates;
	struct twins *loaded[WIRE_CANDIDATES_MAX];

	int answer = need_workload(server, err);
	if (!answer)
		answer = find_loaded(server, candidates, loaded, err);
	if (answer)
		return answer;
	double *ns = calloc((size_t)request->samples * candidates->count + 1, sizeof *ns);
	if (!ns)
		return answer_no_memory("the samples", err);
	server->reply.ns = ns;
	struct rounds rounds = {.device = server->device,
	        .candidates = loaded,
	        .count = candidates->count,
	        .samples = request->samples,
	        .ns = ns,
	        .between = compiles_ahead(server) ? look_ahead : NULL,
	        .context = server};
	answer = rounds_time(&rounds, err);
	if (answer)
		return answer;
	for (size_t i = 0; i < (size_t)rounds.done * rounds.count; i++)
		ns[i] /= server->workload->share;
	ret_reply->samples_ns = (struct wire_samples){
	        rounds.count, rounds.done, candidates->at, ns};
	ret_reply->clock = timing_has_timestamps(server->device) ? WIRE_TIMESTAMP : WIRE_WALL;
	return 0;
}

static int serve_reach(struct server *server, const struct wire_reach *request,
        struct wire_reached *ret_reply, struct error *err)
{
	struct twins *twins = &server->candidates[request->candidate];
	struct reach *reach = &server->reply.reach;
	struct schedule schedule;

	int answer = need_workload(server, err);
	if (!answer)
		answer = request_schedule(request->schedule, &schedule, err);
	if (answer)
		return answer;
	if (!twins->first)
		return error_set(err, ANSWER_BAD_REQUEST, "candidate",
		        "candidate %u is not loaded; build it first", request->candidate);
	const struct reach_params params = {twins->first, &schedule, request->most.at};
	answer = reach_find(server->builder, &params, reach, err);
	if (answer)
		return answer;
	memcpy(ret_reply->dims.at, reach->dims, sizeof reach->dims);
	ret_reply->why = reach->why;
	ret_reply->max_rel_err = reach->max_rel_err;
	ret_reply->checked = reach->checked;
	return 0;
}

static int serve_drop(struct server *server, const struct wire_drop *request,
        struct wire_dropped *ret_reply, struct error *err)
{
	(void)ret_reply;
	(void)err;
	for (uint32_t i = 0; i < request->candidates.count; i++)
		twins_free(&server->candidates[request->candidates.at[i]]);
	return 0;
}

static int serve_unload(struct server *server, const struct wire_unload *request,
        struct wire_unloaded *ret_reply, struct error *err)
{
	(void)request;
	(void)ret_reply;
	(void)err;
	unload(server);
	return 0;
}

/* ---- From lines to requests, and from replies to lines. */

static void forget_reply(struct server *server)
{
	json_decref(TAKE(server->reply.devices));
	free(TAKE(server->reply.ns));
}

/* clang-format off */
#define REQUEST(id, name, object) \
	static int answer_##name( \
	        struct server *server, const json_t *line, json_t **ret_ok, struct error *err) \
	{ \
		struct wire_##name request; \
		struct wire_##object reply = {}; \
		if (wire_read_##name(line, &request, err)) \
			return ANSWER_BAD_REQUEST; \
		int answer = serve_##name(server, &request, &reply, err); \
		if (!answer) \
			*ret_ok = wire_write_##object(&reply); \
		forget_reply(server); \
		return answer; \
	}
#include "protocol/wire/wire.def"

static int (*const answers[WIRE_REQUEST_COUNT])(
        struct server *server, const json_t *line, json_t **ret_ok, struct error *err) = {
#define REQUEST(id, name, object) [WIRE_##id] = answer_##name,
#include "protocol/wire/wire.def"
};
/* clang-format on */

static int dispatch(struct server *server, const json_t *line, json_t **ret_ok, struct error *err)
{
	enum wire_request request;

	if (wire_read_request(line, &request, err))
		return ANSWER_BAD_REQUEST;
	return answers[request](server, line, ret_ok, err);
}

static json_t *reply_json(int answer, json_t *ok, const struct error *err)
{
	static const enum wire_failure failures[ANSWER_COUNT] = {
#define FAILURE(id, ...) [ANSWER_##id] = WIRE_##id,
#include "protocol/wire/wire.def"
	};

	return answer ? wire_write_failure(failures[answer], err->text) : wire_write_ok(ok);
}

static int send_reply(int fd, int answer, json_t *ok, const struct error *err)
{
	json_t *reply = reply_json(answer, ok, err);
	int failure = reply ? wire_send(fd, reply) : -ENOMEM;

	json_decref(reply);
	if (answer == ANSWER_DEVICE_LOST) {
		fprintf(stderr, "nnjit-gpu: %s; ending this process\n", err->text);
		_exit(EXIT_DEVICE_LOST);
	}
	return failure;
}

static int serve_lines(struct server *server)
{
	for (;;) {
		json_t *message = NULL, *ok = NULL;
		struct error err = {0};
		int answer, failure = inbox_take(&server->inbox, &message);
		if (failure && failure != -EBADMSG)
			return failure;
		if (failure)
			answer = error_set(
			        &err, ANSWER_BAD_REQUEST, "", "the line is no JSON object");
		else
			answer = dispatch(server, message, &ok, &err);
		json_decref(message);
		failure = send_reply(server->inbox.fd, answer, ok, &err);
		if (failure)
			return failure;
	}
}

int serve(int fd)
{
	struct server server = {.inbox.fd = fd};
	int failure = watchdog_start(fd);

	if (!failure)
		failure = serve_lines(&server);
	if (failure != -EPIPE)
		fprintf(stderr, "nnjit-gpu: ending: %s\n", strerror(-failure));
	shut(&server);
	adapters_free(&server.adapters);
	inbox_free(&server.inbox);
	return failure == -EPIPE ? 0 : 1;
}
