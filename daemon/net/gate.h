/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate: accepts connections, reads their first request head without taking it out of the
 * socket, and hands them to the HTTP or the WebSocket face, or refuses them with a problem.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct error;
struct gate;
struct http;
struct loop;
struct ws;

/* Takes over the listening sockets (-1: none), also on failure. http and ws stay the caller's and
 * outlive the gate. -ENOMEM, -EIO. */
int gate_create(struct loop *loop, struct http *http, struct ws *ws, const int listeners[2],
        uint16_t port, uint32_t connections_max, struct gate **ret_gate);
void gate_destroy(struct gate *gate); /* NULL is fine; drops connections not handed over yet */
uint64_t gate_refused(const struct gate *gate);

/* Opens `port` on 127.0.0.1 and on ::1 (the same one on both; 0 takes any free one). A machine
 * without IPv6 gets -1 in ret_listeners[1]. -EADDRINUSE, -EACCES, -EIO with a sentence. */
int gate_listen(uint16_t port, int ret_listeners[2], uint16_t *ret_port, struct error *err);
