/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods, as both faces call them: JSON in, JSON out, no socket and no HTTP. Who may call
 * which, and with which parameters, is checked by protocol/methods.def before a handler sees it.
 */
#pragma once

#include "protocol/protocol.h"

#include <jansson.h>

struct api;
struct metrics;
struct origins;
struct tune;
struct store;
struct api_params {
	struct tune *tune; /* all borrowed */
	struct store *store;
	struct metrics *metrics;
	const char *models_dir; /* the folder of the model manifests */
	struct origins *origins;
	bool isolate; /* what is known of kernels is each origin's own */
};
int api_create(const struct api_params *params, struct api **ret_api);
void api_destroy(struct api *api);
void api_set_port(struct api *api, uint16_t port); /* where /admin is */

/* ---- Who calls: daemon/net knows it of the connection. */
struct api_peer;
enum caller_face { FACE_REST, FACE_WEBSOCKET };
#define CALLER_ORIGIN_BYTES 256
#define CALLER_NO_USER      -1
struct caller {
	enum caller_face face;
	char origin[CALLER_ORIGIN_BYTES]; /* the page's; "" of what is no page */
	int64_t user;    /* that the process at the other end runs as; CALLER_NO_USER: unknown */
	uint32_t rights; /* a bit 1 << CALLER_... for each word of methods.def that it meets */
	struct api_peer *peer; /* whom events can be pushed to; NULL: nobody */
};
struct caller caller_rest(const char *origin);
struct caller caller_websocket(const char *origin);
struct caller caller_owner(int64_t user); /* REST over the unix socket */

/* Somebody on the other end of a WebSocket. `push` sends a message to it later; the peer owns its
 * subscriptions until api_peer_destroy. Copies the caller. */
int api_peer_create(struct api *api, const struct caller *caller,
        void (*push)(void *context, const json_t *message), void *context,
        struct api_peer **ret_peer);
const struct caller *api_peer_caller(const struct api_peer *peer); /* as long as the peer */
void api_peer_destroy(struct api_peer *peer);

struct call {
	const struct caller *caller;
	enum method method;
	const json_t *params; /* an object, or NULL */
	const json_t *id;     /* the request's on the WebSocket, which events repeat; else NULL */
};
/* Calls a method; everything in `call` is borrowed. 0 with *ret_result (a new reference), or a
 * positive enum problem_code with *ret_problem filled. Never negative: what could not proceed is
 * PROBLEM_INTERNAL. */
int api_call(
        struct api *api, const struct call *call, json_t **ret_result, struct problem *ret_problem);

/* Whether a call of the method must wait: it is about a device, and they are still looked for. */
bool api_waits(const struct api *api, enum method method);
bool api_message_waits(const struct api *api, const char *text, size_t length);
/* Calls back once, on the loop, when no call waits any more. One at a time; NULL: nobody. */
void api_when_ready(struct api *api, void (*ready)(void *context), void *context);

/* One whole WebSocket text message in, its reply out (NULL: nothing to say). Malformed JSON, an
 * unknown method and so on come back as problem replies. */
char *api_message(struct api *api, struct api_peer *peer, const char *text, size_t length);

/* A number that changes whenever any GET answer may: for the HTTP face's cache and ETags. */
uint64_t api_version(const struct api *api);
