/* SPDX-License-Identifier: Apache-2.0
 *
 * One port for REST, WebSocket and the demo page. The gate accepts, peeks at the whole request
 * head, checks it (Host, Origin, Upgrade) and hands the socket to libmicrohttpd or libwebsockets.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct api;
struct error;
struct loop;
struct metrics;
struct net;
struct origins;

struct net_options {
	uint16_t port;            /* on 127.0.0.1 and ::1; 0: any free one */
	const char *page_dir;     /* static files of the demo page and nnjit-web, served under / */
	uint32_t connections_max; /* all peers together */
	struct metrics *metrics;  /* borrowed */
	struct origins *origins;  /* whose pages are served; borrowed */
};
/* -EADDRINUSE, -EACCES, -ENOMEM, -EIO; err names the address and what to do. */
int net_create(struct loop *loop, struct api *api, const struct net_options *options,
        struct net **ret_net, struct error *err);
void net_destroy(struct net *net);
uint16_t net_port(const struct net *net);
