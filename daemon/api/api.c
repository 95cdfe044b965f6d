/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls the handlers, for both faces, and owns what they share: who calls, and the peers. A
 * method's row in protocol/methods.def names the function that answers it, and who may call it.
 */
#include "daemon/api/handler.h"

#include "base/hash.h"
#include "daemon/api/task.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

static handler *const handlers[METHOD_COUNT] = {
#define METHOD(id, function, ...) [METHOD_##id] = handle_##function,
#include "protocol/methods.def"
};

int api_create(const struct api_params *params, struct api **ret_api)
{
	struct api *api = calloc(1, sizeof *api);

	if (!api)
		return -ENOMEM;
	api->tune = params->tune;
	api->store = params->store;
	api->metrics = params->metrics;
	api->models_dir = params->models_dir;
	api->origins = params->origins;
	api->isolate = params->isolate;
	api->started_s = (uint64_t)time(NULL);
	int r = plans_create(params->tune, params->store, &api->plans);
	if (r) {
		free(api);
		return r;
	}
	*ret_api = api;
	return 0;
}

void api_destroy(struct api *api)
{
	if (!api)
		return;
	assert(api->metrics->websockets == 0);
	plans_destroy(api->plans);
	free(api);
}

void api_set_port(struct api *api, uint16_t port)
{
	api->port = port;
}

uint64_t api_version(const struct api *api)
{
	return tune_version(api->tune) + api->changes;
}

/* ---- Who calls. */

struct caller caller_rest(const char *origin)
{
	struct caller caller = {
	        .face = FACE_REST,
	        .user = CALLER_NO_USER,
	        .rights = 1u << CALLER_ANYONE | 1u << CALLER_STARTER,
	};

	snprintf(caller.origin, sizeof caller.origin, "%s", origin);
	return caller;
}

struct caller caller_websocket(const char *origin)
{
	struct caller caller = caller_rest(origin);

	caller.face = FACE_WEBSOCKET;
	caller.rights |= 1u << CALLER_PEER;
	return caller;
}

struct caller caller_owner(int64_t user)
{
	struct caller caller = caller_rest("");

	caller.user = user;
	caller.rights |= 1u << CALLER_ADMIN | 1u << CALLER_OWNER;
	return caller;
}

bool caller_may(const struct caller *caller, enum method_caller what)
{
	return caller->rights & 1u << what;
}

uint64_t request_audience(const struct request *request)
{
	const char *origin = request->caller->origin;

	if (!request->api->isolate || !*origin)
		return 0;
	uint64_t audience = hash_mix(hash_bytes(HASH_SEED, origin, strlen(origin)));
	return audience ? audience : 1;
}

static int check_caller(
        const struct caller *caller, enum method method, struct problem *ret_problem)
{
	const struct method_info *info = &methods[method];
	const char *name = info->name ? info->name : info->path;

	if (caller_may(caller, info->caller))
		return 0;
	if (info->caller == CALLER_PEER)
		return problem_set(ret_problem, PROBLEM_UPGRADE_REQUIRED, "",
		        "%s belongs to a WebSocket; open one at /v1/ws", name);
	if (info->caller == CALLER_STARTER)
		return problem_set(ret_problem, PROBLEM_WRONG_ORIGIN, "Origin",
		        "%s starts work, and the request does not say which page asks; use "
		        "fetch() with CORS",
		        name);
	return problem_set(ret_problem, PROBLEM_NOT_OWNER, "",
	        "%s is for the owner of this machine; use `nnjitctl origins`, or the page that "
	        "`nnjitctl admin` opens",
	        name);
}

/* ---- Calls. */

int api_call(
        struct api *api, const struct call *call, json_t **ret_result, struct problem *ret_problem)
{
	json_t *params = NULL, *result = NULL;

	assert(call->method < METHOD_COUNT);
	api->metrics->calls++;
	int answer = check_caller(call->caller, call->method, ret_problem);
	if (!answer)
		answer = protocol_params(call->method, call->params, &params, ret_problem);
	const struct request request = {api, call->method, params, call->caller, call->id};
	if (!answer)
		answer = handlers[call->method](&request, &result, ret_problem);
	if (!answer && !result)
		answer = problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	if (!answer)
		*ret_result = result;
	json_decref(params);
	return answer;
}

/* ---- Waiting for the devices. */

bool api_waits(const struct api *api, enum method method)
{
	return !tune_settled(api->tune) &&
	       (method == METHOD_HELLO || method_takes(method, "device"));
}

void api_when_ready(struct api *api, void (*ready)(void *context), void *context)
{
	tune_when_settled(api->tune, ready, context);
}

/* ---- Peers. */

int api_peer_create(struct api *api, const struct caller *caller,
        void (*push)(void *context, const json_t *message), void *context,
        struct api_peer **ret_peer)
{
	struct api_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		return -ENOMEM;
	*peer = (struct api_peer){.api = api, .caller = *caller, .push = push, .context = context};
	peer->caller.peer = peer;
	api->metrics->websockets++;
	*ret_peer = peer;
	return 0;
}

const struct caller *api_peer_caller(const struct api_peer *peer)
{
	return &peer->caller;
}

void api_peer_destroy(struct api_peer *peer)
{
	if (!peer)
		return;
	tasks_end(peer);
	peer->destroyed = true;
	if (peer->pushing)
		return; /* peer_push frees it when it comes back */
	peer->api->metrics->websockets--;
	json_decref(peer->adapter);
	free(peer);
}

bool peer_push(struct api_peer *peer, json_t *message)
{
	if (message) {
		peer->pushing++;
		peer->push(peer->context, message);
		peer->pushing--;
	}
	json_decref(message);
	if (!peer->destroyed)
		return true;
	if (!peer->pushing)
		api_peer_destroy(peer);
	return false;
}
