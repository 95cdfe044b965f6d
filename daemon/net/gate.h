/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate: accepts connections, reads their first request head without taking it out of the
 * socket, and hands them to the HTTP or the WebSocket face, or refuses them with a problem.
 */
#pragma once

#include "base/error.h"
#include "daemon/net/head.h"

#include <stdint.h>

struct error;
struct gate;
struct http;
struct loop;
struct metrics;
struct ws;

struct gate_options {
	struct http *http; /* whom connections are handed to; borrowed, outlive the gate */
	struct ws *ws;
	struct metrics *metrics;
	int listeners[2]; /* -1: none */
	struct head_rules rules;
	uint32_t connections_max;
};
/* Takes over the listening sockets, also on failure. -ENOMEM, -EIO. */
int gate_create(struct loop *loop, const struct gate_options *options, struct gate **ret_gate);
void gate_destroy(struct gate *gate); /* NULL is fine; drops connections not handed over yet */

/* Opens `port` on 127.0.0.1 and on ::1 (the same one on both; 0 takes any free one). A machine
 * without IPv6 gets -1 in ret_listeners[1]. -EADDRINUSE, -EACCES, -EIO with a sentence. */
int gate_listen(uint16_t port, int ret_listeners[2], uint16_t *ret_port, struct error *err);
