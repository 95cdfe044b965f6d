/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's side of the wire: one row a request. A request is checked here, where its sentence
 * can name the field; the work is done elsewhere. Invariant: every line gets exactly one reply, and
 * after device-lost the process ends without touching the device again.
 */
#include "daemon/gpu/serve.h"
#include "daemon/gpu/describe.h"
#include "daemon/gpu/preparer.h"
#include "daemon/gpu/probe.h"
#include "daemon/gpu/trial.h"
#include "daemon/gpu/watchdog.h"
#include "protocol/wire/wire.h"
#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CANDIDATES_MAX       256
#define SAMPLES_ASKED_MAX    1000
#define ENUMERATE_PATIENCE_S 60

struct server {
	bool enumerated;
	struct adapters adapters;
	struct device *device;                /* NULL until open */
	struct workload *workload;            /* NULL until load */
	struct trial *trials[CANDIDATES_MAX]; /* the right ones of those built */
	struct nnjit *nnjit;
	struct validator *validator;
	struct preparer *preparer;
};

/* ---- Reading requests. */

static int bad(struct error *err, const char *field, const char *rule)
{
	return error_set(err, ANSWER_BAD_REQUEST, field, "%s %s", field, rule);
}

static int read_count(const json_t *request, const char *field, uint64_t most, uint64_t *ret_count,
        struct error *err)
{
	const json_t *value = json_object_get(request, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	        (uint64_t)json_integer_value(value) > most)
		return error_set(err, ANSWER_BAD_REQUEST, field,
		        "%s must be a whole number from 0 to %" PRIu64, field, most);
	*ret_count = (uint64_t)json_integer_value(value);
	return 0;
}

/* The numbers in "candidates": at least one, each below CANDIDATES_MAX, none twice. */
static int read_candidates(const json_t *request, uint32_t ret_candidates[static CANDIDATES_MAX],
        uint32_t *ret_count, struct error *err)
{
	const json_t *array = json_object_get(request, "candidates");
	size_t count = json_array_size(array);
	bool seen[CANDIDATES_MAX] = {0};

	if (!count || count > CANDIDATES_MAX)
		return bad(err, "candidates", "must be an array of candidate numbers");
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(array, i);
		json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
		if (number < 0 || number >= CANDIDATES_MAX || seen[number])
			return bad(err, "candidates", "must be distinct numbers from 0 to 255");
		seen[number] = true;
		ret_candidates[i] = (uint32_t)number;
	}
	*ret_count = (uint32_t)count;
	return 0;
}

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

/* ---- State. */

static void drop_trial(struct server *server, uint32_t candidate)
{
	if (!server->trials[candidate])
		return;
	trial_free(server->device, server->trials[candidate]);
	server->trials[candidate] = NULL;
}

static void unload(struct server *server)
{
	preparer_drop(server->preparer);
	for (uint32_t i = 0; i < CANDIDATES_MAX; i++)
		drop_trial(server, i);
	if (server->workload)
		workload_free(server->device, server->workload);
	server->workload = NULL;
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

static int read_profile(const json_t *request, enum profile *ret_profile, struct error *err)
{
	const char *text = json_string_value(json_object_get(request, "profile"));

	if (text && !strcmp(text, "web"))
		*ret_profile = PROFILE_WEB;
	else if (text && !strcmp(text, "native"))
		*ret_profile = PROFILE_NATIVE;
	else
		return bad(err, "profile", "must be web or native");
	return 0;
}

static int serve_open(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	uint64_t id = wire_hex_parse(json_object_get(request, "device"));
	enum profile profile = PROFILE_WEB;

	if (!id)
		return bad(
		        err, "device", "must be an id of 16 hexadecimal digits, as list gives it");
	int answer = read_profile(request, &profile, err);
	if (!answer)
		answer = enumerate(server, err);
	if (answer)
		return answer;
	const struct adapter *adapter = adapters_by_id(&server->adapters, id);
	if (!adapter)
		return error_set(
		        err, ANSWER_NO_DEVICE, "device", "no device has the id %016" PRIx64, id);
	unload(server);
	device_close(server->device);
	server->device = NULL;
	answer = device_open(adapter, profile, &server->device, err);
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
	const char *text = json_string_value(json_object_get(request, "op"));
	struct error why;
	uint64_t seed;
	struct op op;

	int answer = need_device(server, err);
	if (!answer && !text)
		answer = bad(err, "op", "must be an operator's text form");
	if (!answer && op_parse(text, &op, &why))
		answer = error_set(
		        err, ANSWER_BAD_REQUEST, "op", "op cannot be read: %s", why.text);
	if (!answer)
		answer = read_count(request, "seed", INT64_MAX, &seed, err);
	if (answer)
		return answer;
	unload(server);
	answer = workload_load(server->device, &op, seed, &server->workload, err);
	if (!answer)
		*ret_ok = json_pack("{s:f}", "share", server->workload->share);
	return answer;
}

/* JSON has no infinity: an error that large is as good as 1e300. */
static double bounded(double value)
{
	return value < 1e300 ? value : 1e300;
}

static json_t *verdict_json(const struct verdict *verdict)
{
	return json_pack("{s:b, s:s, s:f, s:f, s:f, s:I, s:f, s:i, s:f}", "right", verdict->right,
	        "why", verdict->why, "generate_ns", verdict->generate_ns, "pipeline_ns",
	        verdict->pipeline_ns, "first_ns", verdict->first_ns, "code_bytes",
	        (json_int_t)verdict->code_bytes, "max_rel_err", bounded(verdict->max_rel_err),
	        "checked", (int)verdict->checked, "pilot_ns", verdict->pilot_ns);
}

static int read_schedule(const json_t *request, struct schedule *ret_schedule, struct error *err)
{
	const char *text = json_string_value(json_object_get(request, "schedule"));
	struct error why;

	if (!text)
		return bad(err, "schedule", "must be a schedule's text form");
	if (schedule_parse(text, ret_schedule, &why))
		return error_set(err, ANSWER_BAD_REQUEST, "schedule", "schedule cannot be read: %s",
		        why.text);
	return 0;
}

static int read_candidate(const struct server *server, const json_t *request,
        uint32_t *ret_candidate, struct schedule *ret_schedule, struct error *err)
{
	uint64_t candidate;
	int answer = need_workload(server, err);

	if (!answer)
		answer = read_count(request, "candidate", CANDIDATES_MAX - 1, &candidate, err);
	if (!answer)
		answer = read_schedule(request, ret_schedule, err);
	if (!answer)
		*ret_candidate = (uint32_t)candidate;
	return answer;
}

/* Answered at once; what came of it is told when it is built. */
static int serve_prepare(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	struct schedule schedule;
	uint32_t candidate;
	int answer = read_candidate(server, request, &candidate, &schedule, err);

	if (!answer)
		answer = preparer_start(server->preparer, server->device, server->workload,
		        candidate, &schedule, err);
	if (!answer)
		*ret_ok = json_object();
	return answer;
}

static int build(struct server *server, uint32_t candidate, const struct schedule *schedule,
        struct trial **ret_trial, json_t **ret_ok, struct error *err)
{
	const struct bench bench = {
	        server->device, server->workload, server->nnjit, server->validator};
	struct verdict verdict = {0};
	struct attempt *attempt;
	int answer = preparer_take(server->preparer, candidate, schedule, &attempt, err);

	if (!answer && !attempt)
		answer = trial_make(&bench, candidate, schedule, &attempt, err);
	if (!answer)
		answer = trial_try(attempt, ret_trial, &verdict, err);
	verdict.pilot_ns /= server->workload->share;
	if (!answer)
		*ret_ok = verdict_json(&verdict);
	return answer;
}

/* Beside the one that there is; one that is not right takes that one along. */
static int build_twin(struct server *server, uint32_t candidate, const struct schedule *schedule,
        json_t **ret_ok, struct error *err)
{
	struct trial *first = server->trials[candidate], *twin;

	if (!first)
		return error_set(err, ANSWER_BAD_REQUEST, "candidate",
		        "candidate %u is not loaded; build it first", candidate);
	int answer = build(server, candidate, schedule, &twin, ret_ok, err);
	if (answer)
		return answer;
	trial_free(server->device, first->twin);
	first->twin = twin;
	if (!twin)
		drop_trial(server, candidate);
	return 0;
}

static int serve_build(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	struct schedule schedule;
	uint32_t candidate;
	int answer = read_candidate(server, request, &candidate, &schedule, err);

	if (answer)
		return answer;
	if (json_is_true(json_object_get(request, "twin")))
		return build_twin(server, candidate, &schedule, ret_ok, err);
	drop_trial(server, candidate);
	return build(server, candidate, &schedule, &server->trials[candidate], ret_ok, err);
}

static json_t *samples_json(const struct server *server, const uint32_t candidates[],
        uint32_t count, const double *ns, uint32_t rounds)
{
	json_t *all = json_object();
	char name[16];

	for (uint32_t i = 0; i < count; i++) {
		json_t *one = json_array();
		for (uint32_t round = 0; round < rounds; round++)
			json_array_append_new(one,
			        json_real(ns[(size_t)round * count + i] / server->workload->share));
		snprintf(name, sizeof name, "%u", candidates[i]);
		json_object_set_new(all, name, one);
	}
	return json_pack("{s:o, s:s}", "samples_ns", all, "clock",
	        timing_has_timestamps(server->device) ? "timestamp" : "wall");
}

static int serve_time(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	uint32_t candidates[CANDIDATES_MAX], count, rounds;
	struct trial *trials[CANDIDATES_MAX];
	uint64_t samples;

	int answer = need_workload(server, err);
	if (!answer)
		answer = read_candidates(request, candidates, &count, err);
	if (!answer)
		answer = read_count(request, "samples", SAMPLES_ASKED_MAX, &samples, err);
	for (uint32_t i = 0; !answer && i < count; i++) {
		trials[i] = server->trials[candidates[i]];
		if (!trials[i])
			answer = error_set(err, ANSWER_BAD_REQUEST, "candidates",
			        "candidate %u is not loaded; build it first", candidates[i]);
	}
	if (answer)
		return answer;
	AUTO(free_pointer) double *ns = calloc(samples * count + 1, sizeof *ns);
	if (!ns)
		return answer_no_memory("the samples", err);
	answer = trial_time(server->device, trials, count, (uint32_t)samples, ns, &rounds, err);
	if (!answer)
		*ret_ok = samples_json(server, candidates, count, ns, rounds);
	return answer;
}

static int serve_drop(
        struct server *server, const json_t *request, json_t **ret_ok, struct error *err)
{
	uint32_t candidates[CANDIDATES_MAX], count;
	int answer = read_candidates(request, candidates, &count, err);

	if (answer)
		return answer;
	for (uint32_t i = 0; i < count; i++) {
		preparer_drop_one(server->preparer, candidates[i]);
		drop_trial(server, candidates[i]);
	}
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
        {"prepare", serve_prepare},
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
	        "do must be list, open, probe, load, prepare, build, time, drop or unload");
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

static int serve_lines(struct server *server, int fd)
{
	AUTO(wire_free) struct wire wire = {0};

	for (;;) {
		json_t *message = NULL, *ok = NULL;
		struct error err = {0};
		int answer, failure = wire_receive(&wire, fd, &message);
		if (failure && failure != -EBADMSG)
			return failure;
		if (failure)
			answer = error_set(
			        &err, ANSWER_BAD_REQUEST, "", "the line is no JSON object");
		else
			answer = dispatch(server, message, &ok, &err);
		json_decref(message);
		failure = send_reply(fd, answer, ok, &err);
		if (failure)
			return failure;
	}
}

int serve(int fd)
{
	struct server server = {0};
	int failure = watchdog_start(fd);

	if (!failure)
		failure = nnjit_create(&server.nnjit);
	if (!failure)
		failure = validator_create(&server.validator);
	if (!failure)
		failure = preparer_create(&server.preparer);
	if (!failure)
		failure = serve_lines(&server, fd);
	if (failure != -EPIPE)
		fprintf(stderr, "nnjit-gpu: ending: %s\n", strerror(-failure));
	if (server.preparer)
		unload(&server);
	preparer_destroy(server.preparer);
	device_close(server.device);
	adapters_free(&server.adapters);
	validator_destroy(server.validator);
	nnjit_destroy(server.nnjit);
	return failure == -EPIPE ? 0 : 1;
}
