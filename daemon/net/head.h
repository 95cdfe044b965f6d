/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request head may say: the strict reading of its bytes, and the rules about Host, Origin
 * and Upgrade. The gate reads a connection's first head here; libmicrohttpd's handler feeds the
 * fields of every later request through the same rules. Plain functions over bytes: no socket, no
 * library. Syntax after RFC 9112, with everything that it only tolerates refused.
 */
#pragma once

#include "daemon/api/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_BYTES   16384 /* longest request head that is read */
#define HEAD_WS_PATH "/v1/ws"

struct head_text {
	const char *at; /* NULL where the field is absent; not NUL-terminated */
	size_t length;
};

/* The fields that are looked at, each allowed once; every other field passes unread. */
#define HEAD_FIELDS(F)                                               \
	F(host, "Host")                                              \
	F(origin, "Origin")                                          \
	F(upgrade, "Upgrade")                                        \
	F(connection, "Connection")                                  \
	F(content_length, "Content-Length")                          \
	F(transfer_encoding, "Transfer-Encoding")                    \
	F(accept, "Accept")                                          \
	F(if_none_match, "If-None-Match")                            \
	F(fetch_site, "Sec-Fetch-Site")                              \
	F(fetch_mode, "Sec-Fetch-Mode")                              \
	F(fetch_dest, "Sec-Fetch-Dest")                              \
	F(referer, "Referer")                                        \
	F(user_agent, "User-Agent")                                  \
	F(admin, "Nnjit-Admin")                                      \
	F(private_network, "Access-Control-Request-Private-Network") \
	F(ws_key, "Sec-WebSocket-Key")                               \
	F(ws_version, "Sec-WebSocket-Version")                       \
	F(ws_protocol, "Sec-WebSocket-Protocol")

/* Points into the bytes it was read from. */
struct head {
	struct head_text method, target; /* unset when filled by head_field */
#define F(name, text) struct head_text name;
	HEAD_FIELDS(F)
#undef F
	size_t bytes; /* of the whole head with its empty line */
};

enum head_verdict {
	HEAD_PARTIAL = PROBLEM_COUNT
}; /* no empty line yet, and nothing wrong so far */

/* Reads one head from the start of `bytes`. 0, HEAD_PARTIAL, or a problem_code. */
int head_parse(
        const char *bytes, size_t length, struct head *ret_head, struct problem *ret_problem);

/* Takes down one field that somebody else parsed. 0, or a problem_code (given twice). */
int head_field(struct head *head, struct head_text name, struct head_text value,
        struct problem *ret_problem);

/* The target without its query. */
struct head_text head_path(const struct head *head);

/* What the rules are held against: both faces and the gate share one. */
struct head_rules {
	struct origins *origins; /* borrowed */
	uint16_t port;           /* that a Host may name */
};
/* The rules for every request of the port: a Host that names this service, an Origin (if any) whose
 * pages are served, without one nothing that another site can have a browser send, and no doubt
 * about where the body ends. An unknown origin is pending from here on. 0 or a problem_code. */
int head_check(
        const struct head *head, const struct head_rules *rules, struct problem *ret_problem);
int head_check_body(const struct head *head, struct problem *ret_problem); /* the last of them */

/* Who asks over REST, of a head that was checked: its origin and its rights. A browser that names
 * no origin may start no work, unless the page is the daemon's own. */
struct caller head_caller(const struct head *head, const struct head_rules *rules);

/* The page that may read the answer (CORS): the one that is served, or that is told of a verdict
 * about its origin; "" for none. `verdict` is what head_check answered. */
void head_reader(const struct head *head, int verdict, char ret_origin[static CALLER_ORIGIN_BYTES]);

/* Whether this is a WebSocket handshake at our address. 0 with *ret_websocket, or a problem_code:
 * an Upgrade to anything else, the WebSocket's address without one, or a handshake that lacks
 * something. */
int head_route(const struct head *head, bool *ret_websocket, struct problem *ret_problem);

bool head_is(struct head_text text, const char *word);       /* the whole of it, in any case */
bool head_lists(struct head_text text, const char *element); /* one of a comma-separated list */
