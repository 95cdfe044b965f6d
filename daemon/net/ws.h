/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSocket face: one api peer for each connection, JSON text messages both ways.
 */
#pragma once

#include <stdint.h>

struct api;
struct loop;
struct ws;

int ws_create(struct loop *loop, struct api *api, struct ws **ret_ws); /* -ENOMEM, -EIO */
void ws_destroy(struct ws *ws); /* NULL is fine; closes its connections */
/* Takes over a connected socket whose handshake is still unread and was checked by the gate. */
void ws_adopt(struct ws *ws, int fd);
uint32_t ws_connections(const struct ws *ws);
uint64_t ws_messages(const struct ws *ws);
