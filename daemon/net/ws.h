/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSocket face: one api peer for each connection, JSON text messages both ways.
 */
#pragma once

#include <stdint.h>

struct api;
struct loop;
struct metrics;
struct ws;
struct origins;

/* origins, metrics: borrowed. -ENOMEM, -EIO. */
int ws_create(struct loop *loop, struct api *api, const struct origins *origins,
        struct metrics *metrics, struct ws **ret_ws);
void ws_destroy(struct ws *ws); /* NULL is fine; closes its connections */
/* Takes over a connected socket whose handshake is still unread and was checked by the gate. */
void ws_adopt(struct ws *ws, int fd);
/* Answers the messages that waited for the api (api_waits). */
void ws_ready(struct ws *ws);
/* Ends the connections of pages of this origin. */
void ws_close_origin(struct ws *ws, const char *origin);
uint32_t ws_connections(const struct ws *ws);
