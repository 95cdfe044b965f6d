/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the methods: the real tuner, store and API, with one peer. The devices are planted
 * in the store and the worker is a program that ends at once.
 */
#pragma once

#include "daemon/api/api.h"
#include "daemon/loop/loop.h"
#include "daemon/store/store.h"
#include "daemon/tune/tune.h"
#include "protocol/metrics.h"

#define SWIFTSHADER "00000000000000a1"
#define LLVMPIPE    "00000000000000b2"

extern struct store *store;
extern struct loop *loop;
extern struct tune *tune;
extern struct api *api;
extern struct origins *origins;
extern bool isolate; /* origins from each other; read by set_up() */
extern struct api_peer *peer;

extern struct metrics metrics;

void set_up(void);
void tear_down(void);
/* What the peer's message is answered with: a new reference. */
json_t *say(const char *text);
/* A call over REST. */
int call_rest(
        enum method method, const json_t *params, json_t **ret_result, struct problem *ret_problem);
uint64_t jobs_queued(void);
/* The text at object.first.second (second NULL: object.first), "" if it is not there. */
const char *text_at(const json_t *object, const char *first, const char *second);
/* What the keys of a planted device's records begin with. */
uint64_t class_of(uint64_t device);
