/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's side of the wire: one row a request. What a request needs to be there is checked
 * here; the work is done elsewhere. While candidates are timed on a GPU the build that waits behind
 * is begun already. Invariants: every line gets exactly one reply, in order; what was begun ahead
 * is the next request's; and after device-lost the process ends without touching the device again.
 */
#include "daemon/gpu/serve.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/describe.h"
#include "daemon/gpu/inbox.h"
#include "daemon/gpu/preparer.h"
#include "daemon/gpu/probe.h"
#include "daemon/gpu/request.h"
#include "daemon/gpu/rounds.h"
#include "daemon/gpu/watchdog.h"
#include "protocol/wire/wire.h"
#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES_ASKED_MAX    1000
#define ENUMERATE_PATIENCE_S 60

struct server {
	struct inbox inbox;
	bool enumerated;
	struct adapters adapters;
	struct device *device; /* NULL until open, as are the next two */
	struct builder *builder;
	struct preparer *preparer;
	struct workload *workload;                       /* NULL until load */
	struct twins candidates[REQUEST_CANDIDATES_MAX]; /* the right ones of those built */
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
	for (uint32_t i = 0; i < REQUEST_CANDIDATES_MAX; i++)
		twins_free(&server->candidates[i]);
	workload_free(server->workload);
	server->workload = NULL;
}

static void shut(struct server *server)
{
	unload(server);
	preparer_destroy(TAKE(server->preparer));
	builder_destroy(TAKE(server->builder));
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

/* ---- The requests. Each: 0 and a new reference, or an answer. */

static int serve_list(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	int answer = enumerate(server, err);

	(void)request;
	if (!answer)
		*ret_ok = describe_adapters(&server->adapters);
	return answer;
}

static int open_device(struct server *server, const struct adapter *adapter, enum profile profile,
        struct error *err)
{
	shut(server);
	int answer = device_open(adapter, profile, &server->device, err);
	if (!answer)
		answer = builder_create(server->device, &server->builder, err);
	if (!answer)
		answer = preparer_create(server->device, &server->preparer, err);
	if (answer && answer != ANSWER_DEVICE_LOST)
		shut(server);
	return answer;
}

static int serve_open(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	enum profile profile = PROFILE_WEB;
	uint64_t id;

	int answer = request_device(request, &id, err);
	if (!answer)
		answer = request_profile(request, &profile, err);
	if (!answer)
		answer = enumerate(server, err);
	if (answer)
		return answer;
	const struct adapter *adapter = adapters_by_id(&server->adapters, id);
	if (!adapter)
		return error_set(
		        err, ANSWER_NO_DEVICE, "device", "no device has the id %016" PRIx64, id);
	answer = open_device(server, adapter, profile, err);
	if (!answer)
		*ret_ok = describe_adapter(adapter);
	return answer;
}

static int serve_probe(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	struct facts facts;
	int answer = need_device(server, err);

	(void)request;
	if (!answer)
		answer = probe_facts(server->device, NULL, &facts, err);
	if (!answer)
		*ret_ok = json_pack("{s:o}", "facts", wire_facts_json(&facts));
	return answer;
}

static int serve_load(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	uint64_t seed;
	struct op op;

	int answer = need_device(server, err);
	if (!answer)
		answer = request_op(request, &op, err);
	if (!answer)
		answer = request_count(request, "seed", INT64_MAX, &seed, err);
	if (answer)
		return answer;
	unload(server);
	answer = workload_load(server->device, &op, seed, &server->workload, err);
	if (answer)
		return answer;
	server->builder->workload = server->workload;
	*ret_ok = json_pack("{s:f}", "share", server->workload->share);
	return 0;
}

/* JSON has no infinity: an error that large is as good as 1e300. */
static double bounded(double value)
{
	return value < 1e300 ? value : 1e300;
}

/* ahead: it was begun while others were timed. */
static json_t *verdict_json(const struct verdict *verdict, bool ahead)
{
	return json_pack("{s:b, s:s, s:f, s:f, s:f, s:I, s:f, s:i, s:f, s:b}", "right",
	        verdict->right, "why", verdict->why, "generate_ns", verdict->generate_ns,
	        "pipeline_ns", verdict->pipeline_ns, "first_ns", verdict->first_ns, "code_bytes",
	        (json_int_t)verdict->code_bytes, "max_rel_err", bounded(verdict->max_rel_err),
	        "checked", (int)verdict->checked, "pilot_ns", verdict->pilot_ns, "ahead", ahead);
}

/* What was begun ahead is this candidate: it was this request that began it. */
static int build(struct server *server, const struct request_candidate *candidate,
        struct trial **ret_trial, json_t **ret_ok, struct error *err)
{
	bool ahead = preparer_has_begun(server->preparer);
	struct verdict verdict = {0};
	struct built *built;
	int answer = ahead ? preparer_take(server->preparer, &built, err)
	                   : builder_build(server->builder, candidate->number, &candidate->schedule,
	                             &built, err);

	if (!answer)
		answer = trial_try(built, ret_trial, &verdict, err);
	verdict.pilot_ns /= server->workload->share;
	if (!answer)
		*ret_ok = verdict_json(&verdict, ahead);
	return answer;
}

/* A twin is built beside the one that there is; any other in place of it. */
static int serve_build(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	struct request_candidate candidate;
	struct trial *trial;

	int answer = need_workload(server, err);
	if (!answer)
		answer = request_candidate(request, &candidate, err);
	if (answer)
		return answer;
	struct twins *twins = &server->candidates[candidate.number];
	if (candidate.twin && !twins->first)
		return error_set(err, ANSWER_BAD_REQUEST, "candidate",
		        "candidate %u is not loaded; build it first", candidate.number);
	if (!candidate.twin)
		twins_free(twins);
	answer = build(server, &candidate, &trial, ret_ok, err);
	if (!answer && candidate.twin)
		twins_join(twins, trial);
	else if (!answer)
		twins->first = trial;
	return answer;
}

static json_t *samples_json(const struct server *server,
        const struct request_candidates *candidates, const struct rounds *rounds)
{
	json_t *all = json_object();
	char name[16];

	for (uint32_t i = 0; i < rounds->count; i++) {
		json_t *one = json_array();
		for (uint32_t round = 0; round < rounds->done; round++)
			json_array_append_new(
			        one, json_real(rounds->ns[(size_t)round * rounds->count + i] /
			                       server->workload->share));
		snprintf(name, sizeof name, "%u", candidates->numbers[i]);
		json_object_set_new(all, name, one);
	}
	return json_pack("{s:o, s:s}", "samples_ns", all, "clock",
	        timing_has_timestamps(server->device) ? "timestamp" : "wall");
}

static int find_loaded(struct server *server, const struct request_candidates *candidates,
        struct twins *ret_loaded[static REQUEST_CANDIDATES_MAX], struct error *err)
{
	for (uint32_t i = 0; i < candidates->count; i++) {
		ret_loaded[i] = &server->candidates[candidates->numbers[i]];
		if (!ret_loaded[i]->first)
			return error_set(err, ANSWER_BAD_REQUEST, "candidates",
			        "candidate %u is not loaded; build it first",
			        candidates->numbers[i]);
	}
	return 0;
}

static bool is_build(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "do"));

	return name && !strcmp(name, "build");
}

/* Between samples: if the next request is a build, its pipeline is begun. Not that of a twin, whose
 * request may be refused. */
static void look_ahead(void *context)
{
	struct server *server = context;
	struct request_candidate candidate;
	struct error why;

	if (preparer_has_begun(server->preparer))
		return;
	const json_t *next = inbox_look(&server->inbox);
	if (is_build(next) && !request_candidate(next, &candidate, &why) && !candidate.twin)
		preparer_begin(
		        server->preparer, server->workload, candidate.number, &candidate.schedule);
}

/* Not on a processor, where the two would share the cores and the times would be wrong. */
static bool compiles_ahead(const struct server *server)
{
	return !device_is_cpu(server->device) || fault_planted(FAULT_AHEAD, &(uint64_t){0});
}

static int serve_time(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	struct twins *loaded[REQUEST_CANDIDATES_MAX];
	struct request_candidates candidates;
	uint64_t samples;

	int answer = need_workload(server, err);
	if (!answer)
		answer = request_candidates(request, &candidates, err);
	if (!answer)
		answer = request_count(request, "samples", SAMPLES_ASKED_MAX, &samples, err);
	if (!answer)
		answer = find_loaded(server, &candidates, loaded, err);
	if (answer)
		return answer;
	AUTO(free_pointer) double *ns = calloc(samples * candidates.count + 1, sizeof *ns);
	if (!ns)
		return answer_no_memory("the samples", err);
	struct rounds rounds = {.device = server->device,
	        .candidates = loaded,
	        .count = candidates.count,
	        .samples = (uint32_t)samples,
	        .ns = ns,
	        .between = compiles_ahead(server) ? look_ahead : NULL,
	        .context = server};
	answer = rounds_time(&rounds, err);
	if (!answer)
		*ret_ok = samples_json(server, &candidates, &rounds);
	return answer;
}

static int serve_drop(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	struct request_candidates candidates;
	int answer = request_candidates(request, &candidates, err);

	if (answer)
		return answer;
	for (uint32_t i = 0; i < candidates.count; i++)
		twins_free(&server->candidates[candidates.numbers[i]]);
	*ret_ok = json_object();
	return 0;
}

static int serve_unload(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	(void)request;
	(void)err;
	unload(server);
	*ret_ok = json_object();
	return 0;
}

static const struct request {
	const char *name;
	int (*serve)(
	        struct server *server, const json_t *request, json_t **ret_ok, struct error *err);
} requests[] = {
        {"list", serve_list},
        {"open", serve_open},
        {"probe", serve_probe},
        {"load", serve_load},
        {"build", serve_build},
        {"time", serve_time},
        {"drop", serve_drop},
        {"unload", serve_unload},
};

/* ---- The loop. */

static int dispatch(
        struct server *server, const json_t *message, json_t **ret_ok, struct error *err)
{
	const char *name = json_string_value(json_object_get(message, "do"));

	for (size_t i = 0; name && i < sizeof requests / sizeof *requests; i++)
		if (!strcmp(name, requests[i].name))
			return requests[i].serve(server, message, ret_ok, err);
	return error_set(err, ANSWER_BAD_REQUEST, "do",
	        "do must be list, open, probe, load, build, time, drop or unload");
}

static json_t *reply_json(int answer, json_t *ok, const struct error *err)
{
	if (!answer && ok)
		return json_pack("{s:o}", "ok", ok);
	if (!answer)
		return json_pack("{s:{s:s, s:s}}", "error", "code",
		        answer_code(ANSWER_OUT_OF_MEMORY), "text", "no memory for the reply");
	return json_pack("{s:{s:s, s:s%}}", "error", "code", answer_code((enum answer)answer),
	        "text", err->text, strnlen(err->text, sizeof err->text));
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
