/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls the handlers, for both faces, and owns what they share: caches and peers. A method's
 * row in protocol/methods.def names the function that answers it, and who may call it.
 */
#include "daemon/api/handler.h"

#include "base/cleanup.h"
#include "daemon/api/kernel_cache.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

static handler *const handlers[METHOD_COUNT] = {
#define METHOD(id, function, ...) [METHOD_##id] = handle_##function,
#include "protocol/methods.def"
};

static void destroy_slot(struct api **api)
{
	api_destroy(*api);
}

int api_create(struct tune *tune, struct store *store, const char *models_dir, struct api **ret_api)
{
	AUTO(destroy_slot) struct api *api = calloc(1, sizeof *api);

	if (!api)
		return -ENOMEM;
	api->tune = tune;
	api->store = store;
	api->models_dir = models_dir;
	api->started_s = (uint64_t)time(NULL);
	int r = nnjit_create(&api->nnjit);
	if (!r)
		r = kernel_cache_create(&api->cache);
	if (r)
		return r;
	*ret_api = TAKE(api);
	return 0;
}

void api_destroy(struct api *api)
{
	if (!api)
		return;
	assert(api->peers == 0);
	kernel_cache_destroy(api->cache);
	nnjit_destroy(api->nnjit);
	free(api->text);
	free(api);
}

uint64_t api_version(const struct api *api)
{
	return tune_version(api->tune) + api->changes;
}

/* Who may call, by the method's row. */
static int check_caller(const struct request *request, struct problem *ret_problem)
{
	const struct method_info *info = &methods[request->method];

	switch (info->caller) {
	case CALLER_ANYONE:
		return 0;
	case CALLER_PEER:
		return request->peer ? 0
		                     : problem_set(ret_problem, PROBLEM_UPGRADE_REQUIRED, "",
		                               "%s belongs to a WebSocket; open one at /v1/ws",
		                               info->name);
	}
	return 0;
}

int api_call(struct api *api, enum method method, const json_t *params, struct api_peer *peer,
        const json_t *id, json_t **ret_result, struct problem *ret_problem)
{
	struct request request = {api, method, NULL, peer, id};
	json_t *taken = NULL, *result = NULL;

	assert(method < METHOD_COUNT);
	api->calls++;
	int answer = check_caller(&request, ret_problem);
	if (!answer)
		answer = protocol_params(method, params, &taken, ret_problem);
	request.params = taken;
	if (!answer)
		answer = handlers[method](&request, &result, ret_problem);
	if (!answer && !result)
		answer = problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	if (!answer)
		*ret_result = result;
	json_decref(taken);
	return answer;
}

/* ---- Peers. */

int api_peer_create(struct api *api, const char *origin,
        void (*push)(void *context, const json_t *message), void *context,
        struct api_peer **ret_peer)
{
	struct api_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		return -ENOMEM;
	*peer = (struct api_peer){.api = api, .push = push, .context = context};
	snprintf(peer->origin, sizeof peer->origin, "%s", origin);
	api->peers++;
	*ret_peer = peer;
	return 0;
}

void api_peer_destroy(struct api_peer *peer)
{
	if (!peer)
		return;
	tasks_end(peer);
	peer->destroyed = true;
	if (peer->pushing)
		return; /* peer_push frees it when it comes back */
	peer->api->peers--;
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
