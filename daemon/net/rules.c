/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules a request head must keep before anything answers it. Host keeps pages from reaching us
 * under a name of their own that resolves to this machine (DNS rebinding); Origin keeps out pages
 * that the device's owner has not let in; Sec-Fetch-Site keeps out what another site's page has a
 * browser send without an Origin; Upgrade lets nothing but an exact WebSocket handshake reach
 * libwebsockets. Must not depend on who parsed the head, nor decide about an origin.
 */
#include "daemon/net/head.h"

#include "daemon/origins/origins.h"

#include <string.h>

_Static_assert(CALLER_ORIGIN_BYTES >= ORIGIN_BYTES, "an origin that is served can be told");

#define SHOWN(text) (int)((text).length < 120 ? (text).length : 120), (text).at

static bool is_loopback_name(struct head_text name)
{
	return head_is(name, "127.0.0.1") || head_is(name, "localhost") || head_is(name, "[::1]");
}

static int check_host(struct head_text host, uint16_t port, struct problem *ret_problem)
{
	struct head_text name = host;
	uint32_t named;

	if (!host.at)
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Host",
		        "the request has no Host; send Host: localhost:%u", port);
	if (origin_split_port(name.at, &name.length, &named) && is_loopback_name(name) &&
	        (named ? named : 80) == port)
		return 0;
	return problem_set(ret_problem, PROBLEM_WRONG_HOST, "Host",
	        "Host '%.*s' is not this service; use localhost:%u, 127.0.0.1:%u or [::1]:%u",
	        SHOWN(host), port, port, port);
}

/* ---- Which page asks. */

struct head_text head_path(const struct head *head)
{
	const char *query = memchr(head->target.at, '?', head->target.length);

	return (struct head_text){
	        head->target.at, query ? (size_t)(query - head->target.at) : head->target.length};
}

/* Browsers that send no Sec-Fetch fields still say who they are, or which page led here. */
static bool from_browser(const struct head *head)
{
	return head->fetch_site.at || head->fetch_dest.at || head->referer.at ||
	       (head->user_agent.length >= 8 && !memcmp(head->user_agent.at, "Mozilla/", 8));
}

/* By a link, or typed: shows the daemon's page and starts nothing. */
static bool is_visit(const struct head *head)
{
	return head_is(head->method, "GET") && head_is(head_path(head), "/") &&
	       head_is(head->fetch_mode, "navigate") && head_is(head->fetch_dest, "document");
}

/* A page of another site can have a browser send a GET without an Origin (an image, a link), and
 * any page a WebSocket, with one. */
static int check_without_origin(const struct head *head, struct problem *ret_problem)
{
	bool ours = !head->fetch_site.at || head_is(head->fetch_site, "same-origin") ||
	            head_is(head->fetch_site, "none");

	if (!ours && !is_visit(head))
		return problem_set(ret_problem, PROBLEM_WRONG_ORIGIN, "Sec-Fetch-Site",
		        "a page of another site asked without naming its origin; use fetch() with "
		        "CORS");
	if (head->upgrade.at && from_browser(head))
		return problem_set(ret_problem, PROBLEM_WRONG_ORIGIN, "Origin",
		        "a browser names the page's origin when it opens a WebSocket; this request "
		        "has no Origin");
	return 0;
}

static int check_origin(
        const struct head *head, const struct head_rules *rules, struct problem *ret_problem)
{
	struct head_text origin = head->origin;

	if (!origin.at)
		return check_without_origin(head, ret_problem);
	switch (origins_judge(rules->origins, origin.at, origin.length)) {
	case ORIGIN_SERVED:
		return 0;
	case ORIGIN_PENDING:
		return problem_set(ret_problem, PROBLEM_ORIGIN_PENDING, "Origin",
		        "the owner of this machine has not decided about %.*s yet; `nnjitctl "
		        "origins approve %.*s` lets its pages in; ask again in some seconds",
		        SHOWN(origin), SHOWN(origin));
	case ORIGIN_DENIED:
		return problem_set(ret_problem, PROBLEM_ORIGIN_DENIED, "Origin",
		        "the owner of this machine denied %.*s; `nnjitctl origins revoke %.*s` "
		        "takes that back",
		        SHOWN(origin), SHOWN(origin));
	case ORIGIN_NEVER:
		break;
	}
	return problem_set(ret_problem, PROBLEM_WRONG_ORIGIN, "Origin",
	        "pages of '%.*s' may not use this service; open the page over https, or from "
	        "http://localhost on this machine",
	        SHOWN(origin));
}

/* ---- Who asks. */

static bool may_start(const struct head *head)
{
	return head->origin.at || head_is(head->fetch_site, "same-origin") || !from_browser(head);
}

/* The daemon's own page: browsers leave Origin out of its GETs, but then say where it came from. */
static bool from_our_page(const struct head *head)
{
	struct head_text origin = head->origin, host = head->host;

	if (!origin.at || head->fetch_site.at)
		return head_is(head->fetch_site, "same-origin");
	return origin.length == 7 + host.length && !memcmp(origin.at, "http://", 7) &&
	       !memcmp(origin.at + 7, host.at, host.length);
}

struct caller head_caller(const struct head *head, const struct head_rules *rules)
{
	struct origin page = {.text = ""};

	if (head->origin.at)
		(void)origin_read(head->origin.at, head->origin.length, &page);
	struct caller caller = caller_rest(page.text);

	if (!may_start(head))
		caller.rights &= ~(1u << CALLER_STARTER);
	if (head->admin.at && from_our_page(head) &&
	        origins_secret_check(rules->origins, head->admin.at, head->admin.length))
		caller.rights |= 1u << CALLER_ADMIN;
	return caller;
}

void head_reader(const struct head *head, int verdict, char ret_origin[static CALLER_ORIGIN_BYTES])
{
	bool told = !verdict || verdict == PROBLEM_ORIGIN_PENDING ||
	            verdict == PROBLEM_ORIGIN_DENIED;
	size_t length = told && head->origin.at ? head->origin.length : 0;

	if (length >= CALLER_ORIGIN_BYTES)
		length = 0;
	memcpy(ret_origin, length ? head->origin.at : "", length);
	ret_origin[length] = '\0';
}

/* ---- Bodies. */

int head_check_body(const struct head *head, struct problem *ret_problem)
{
	struct head_text length = head->content_length;

	if (head->transfer_encoding.at)
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Transfer-Encoding",
		        "no method of this service takes a body; send none");
	if (!length.at)
		return 0;
	for (size_t i = 0; i < length.length; i++)
		if (length.at[i] != '0')
			return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Content-Length",
			        "no method of this service takes a body; send none");
	return length.length ? 0
	                     : problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Content-Length",
	                               "Content-Length is empty; leave it out");
}

int head_check(const struct head *head, const struct head_rules *rules, struct problem *ret_problem)
{
	int r = check_host(head->host, rules->port, ret_problem);

	if (!r)
		r = head_check_body(head, ret_problem);
	return r ? r : check_origin(head, rules, ret_problem);
}

/* ---- WebSocket. */

static bool at_ws_path(struct head_text target)
{
	size_t n = sizeof HEAD_WS_PATH - 1;

	return target.length >= n && !memcmp(target.at, HEAD_WS_PATH, n) &&
	       (target.length == n || target.at[n] == '?');
}

/* RFC 6455, 4.1: 16 bytes in base64. */
static bool is_ws_key(struct head_text key)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (key.length != 24 || memcmp(key.at + 22, "==", 2))
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!memchr(digits, key.at[i], sizeof digits - 1))
			return false;
	return true;
}

static int check_handshake(const struct head *head, struct problem *ret_problem)
{
	if (!head_is(head->method, "GET"))
		return problem_set(ret_problem, PROBLEM_METHOD_NOT_ALLOWED, "",
		        "a WebSocket handshake is a GET");
	if (!head_lists(head->connection, "upgrade"))
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Connection",
		        "a WebSocket handshake needs Connection: Upgrade");
	if (!head_is(head->ws_version, "13"))
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Sec-WebSocket-Version",
		        "only version 13 of WebSocket is spoken here; send "
		        "Sec-WebSocket-Version: 13");
	if (!is_ws_key(head->ws_key))
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Sec-WebSocket-Key",
		        "Sec-WebSocket-Key is not 16 bytes in base64");
	/* libwebsockets compares the name exactly, so any other case is refused here. */
	if (!head_lists(head->ws_protocol, PROTOCOL_SUBPROTOCOL) ||
	        !memmem(head->ws_protocol.at, head->ws_protocol.length, PROTOCOL_SUBPROTOCOL,
	                sizeof PROTOCOL_SUBPROTOCOL - 1))
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Sec-WebSocket-Protocol",
		        "the subprotocol " PROTOCOL_SUBPROTOCOL " was not offered; open "
		        "new WebSocket(url, '" PROTOCOL_SUBPROTOCOL "')");
	return 0;
}

int head_route(const struct head *head, bool *ret_websocket, struct problem *ret_problem)
{
	bool path = at_ws_path(head->target);

	if (!head->upgrade.at && path)
		return problem_set(ret_problem, PROBLEM_UPGRADE_REQUIRED, "Upgrade",
		        "open " HEAD_WS_PATH
		        " as a WebSocket with the subprotocol " PROTOCOL_SUBPROTOCOL);
	if (head->upgrade.at && !head_is(head->upgrade, "websocket"))
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Upgrade",
		        "Upgrade '%.*s' is not spoken here; only websocket is",
		        SHOWN(head->upgrade));
	if (head->upgrade.at && !path)
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Upgrade",
		        "there is no WebSocket at this address; open " HEAD_WS_PATH);
	int r = head->upgrade.at ? check_handshake(head, ret_problem) : 0;
	if (r)
		return r;
	*ret_websocket = path;
	return 0;
}
