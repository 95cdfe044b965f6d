/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods, as both faces call them: JSON in, JSON out, no socket and no HTTP. Parameters are
 * checked against protocol/methods.def before a handler sees them.
 */
#pragma once

#include "protocol/protocol.h"

#include <jansson.h>

struct api;
struct tune;
struct store;
/* models_dir: the folder of the model manifests (borrowed). */
int api_create(
        struct tune *tune, struct store *store, const char *models_dir, struct api **ret_api);
void api_destroy(struct api *api);

/* Somebody on the other end of a WebSocket. `origin` is the page's, "" of what is no page. `push`
 * sends a message to it later; the peer owns its subscriptions until api_peer_destroy. REST calls
 * have no peer. */
struct api_peer;
int api_peer_create(struct api *api, const char *origin,
        void (*push)(void *context, const json_t *message), void *context,
        struct api_peer **ret_peer);
void api_peer_destroy(struct api_peer *peer);

/* Calls a method. `params`: an object (borrowed) or NULL. `id`: the request's id on the WebSocket,
 * which pushed events repeat (borrowed), NULL over REST. 0 with *ret_result (a new reference), or
 * a positive enum problem_code with *ret_problem filled. Never negative: what could not proceed is
 * PROBLEM_INTERNAL. */
int api_call(struct api *api, enum method method, const json_t *params, struct api_peer *peer,
        const json_t *id, json_t **ret_result, struct problem *ret_problem);

/* One whole WebSocket text message in, its reply out (NULL: nothing to say). Malformed JSON, an
 * unknown method and so on come back as problem replies. */
char *api_message(struct api *api, struct api_peer *peer, const char *text, size_t length);

/* A number that changes whenever any GET answer may: for the HTTP face's cache and ETags. */
uint64_t api_version(const struct api *api);
