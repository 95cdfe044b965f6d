/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP face: REST by the table of methods, and the static pages.
 */
#pragma once

#include "daemon/net/head.h"

#include <stdint.h>

struct api;
struct http;
struct loop;
struct metrics;

struct http_options {
	struct head_rules rules;
	const char *page_dir; /* copied; NULL: no pages */
	uint32_t connections_max;
	struct metrics *metrics; /* borrowed */
};
int http_create(struct loop *loop, struct api *api, const struct http_options *options,
        struct http **ret_http);      /* -ENOMEM, -EIO */
void http_destroy(struct http *http); /* NULL is fine; closes its connections */
/* Takes over a connected socket whose first request head is still unread and was checked. */
void http_adopt(struct http *http, int fd);
/* Answers the requests that waited for the api (api_waits). */
void http_ready(struct http *http);
uint32_t http_connections(const struct http *http);
