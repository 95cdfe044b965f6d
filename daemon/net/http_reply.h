/* SPDX-License-Identifier: Apache-2.0
 *
 * Within the HTTP face: a request as its handler knows it, and the ways to answer it.
 */
#pragma once

#include "daemon/net/answer.h"
#include "daemon/net/head.h"

#include <microhttpd.h>

/* One request, from its first line until it is answered. */
struct http_request {
	struct http *http;
	struct MHD_Connection *connection;
	struct head head;
	struct problem problem;           /* code: PROBLEM_NONE while nothing is wrong */
	char origin[CALLER_ORIGIN_BYTES]; /* to echo; "" for none, and for longer ones */
	const char *allowed;              /* HTTP methods at this address, with commas between */
	bool checked; /* and found in order: answered when libmicrohttpd calls again */
	struct http_request *next_waiting;
	size_t uri_length;
	char uri[]; /* as it came, with its query */
};

/* A finished answer, ready to be sent any number of times. */
struct reply;
/* Takes the answer's body. NULL: no memory. */
struct reply *reply_create(const struct http_request *request, struct answer *answer);
void reply_free(struct reply *reply); /* NULL is fine; what is being sent is sent to its end */
/* 304 if the client has it already. */
enum MHD_Result reply_send(const struct http_request *request, const struct reply *reply);

enum MHD_Result send_problem(const struct http_request *request); /* request->problem */
enum MHD_Result send_options(const struct http_request *request);
/* A static file under dir (NULL: none), or the problem that there is nothing. */
enum MHD_Result send_page(struct http_request *request, const char *dir, const char *path);
