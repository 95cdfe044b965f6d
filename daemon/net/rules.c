/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules a request head must keep before anything answers it. Host keeps pages from reaching us
 * under a name of their own that resolves to this machine (DNS rebinding); Origin keeps pages of
 * other sites out; Upgrade lets nothing but an exact WebSocket handshake reach libwebsockets. Must
 * not depend on who parsed the head.
 */
#include "daemon/net/head.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SHOWN(text) (int)((text).length < 120 ? (text).length : 120), (text).at

/* Splits a decimal port, 1 to 65535, off the end; absent: *ret_port is 0. */
static bool split_port(struct head_text *text, uint32_t *ret_port)
{
	size_t i = text->length;
	uint32_t port = 0, scale = 1;

	while (i && text->at[i - 1] >= '0' && text->at[i - 1] <= '9' && text->length - i < 5) {
		port += (uint32_t)(text->at[--i] - '0') * scale;
		scale *= 10;
	}
	*ret_port = 0;
	if (!i || text->at[i - 1] != ':')
		return true;
	if (i == text->length || !port || port > UINT16_MAX || text->at[i] == '0')
		return false;
	*ret_port = port;
	text->length = i - 1;
	return true;
}

static bool is_loopback_name(struct head_text name)
{
	return head_is(name, "127.0.0.1") || head_is(name, "localhost") || head_is(name, "[::1]");
}

/* 127.0.0.0/8 and ::1, and the former written as IPv4-mapped IPv6 (RFC 6890). */
static bool is_loopback_address(struct head_text name)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;
	bool bracketed = name.length > 2 && *name.at == '[' && name.at[name.length - 1] == ']';
	size_t length = bracketed ? name.length - 2 : name.length;

	if (length >= sizeof text)
		return false;
	memcpy(text, name.at + bracketed, length);
	text[length] = '\0';
	if (!bracketed)
		return inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, text, &v6) == 1 &&
	       (IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127));
}

/* Names under .localhost are this machine to every browser (RFC 6761, 6.3). */
static bool is_under_localhost(struct head_text name)
{
	static const char suffix[] = ".localhost";
	size_t n = sizeof suffix - 1;

	if (name.length <= n || strncasecmp(name.at + name.length - n, suffix, n))
		return false;
	for (size_t i = 0; i < name.length - n; i++) {
		char c = name.at[i] | 0x20;
		bool inner = (c >= 'a' && c <= 'z') || (name.at[i] >= '0' && name.at[i] <= '9') ||
		             name.at[i] == '-' || name.at[i] == '.' || name.at[i] == '_';
		if (!inner)
			return false;
	}
	return true;
}

static int check_host(struct head_text host, uint16_t port, struct problem *ret_problem)
{
	struct head_text name = host;
	uint32_t named;

	if (!host.at)
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "Host",
		        "the request has no Host; send Host: localhost:%u", port);
	if (split_port(&name, &named) && is_loopback_name(name) && (named ? named : 80) == port)
		return 0;
	return problem_set(ret_problem, PROBLEM_WRONG_HOST, "Host",
	        "Host '%.*s' is not this service; use localhost:%u, 127.0.0.1:%u or [::1]:%u",
	        SHOWN(host), port, port, port);
}

static bool origin_is_local(struct head_text origin)
{
	uint32_t port;
	struct head_text name = origin;
	size_t scheme = 0;

	if (origin.length > 7 && !strncasecmp(origin.at, "http://", 7))
		scheme = 7;
	else if (origin.length > 8 && !strncasecmp(origin.at, "https://", 8))
		scheme = 8;
	if (!scheme)
		return false;
	name.at += scheme;
	name.length -= scheme;
	return split_port(&name, &port) &&
	       (head_is(name, "localhost") || is_under_localhost(name) ||
	               is_loopback_address(name));
}

/* A page of another site can have a browser send a GET without an Origin (an image, a link): such
 * a request could start work here, so it is refused by what the browser says of the page. */
static int check_origin(const struct head *head, struct problem *ret_problem)
{
	if (head->origin.at && !origin_is_local(head->origin))
		return problem_set(ret_problem, PROBLEM_WRONG_ORIGIN, "Origin",
		        "pages of '%.*s' may not use this service; open the page from "
		        "http://localhost on this machine",
		        SHOWN(head->origin));
	if (!head->origin.at && head_is(head->fetch_site, "cross-site") &&
	        head->target.length >= 4 && !memcmp(head->target.at, "/v1/", 4))
		return problem_set(ret_problem, PROBLEM_WRONG_ORIGIN, "Sec-Fetch-Site",
		        "a page of another site asked without naming its origin; use fetch() with "
		        "CORS from a page at http://localhost");
	return 0;
}

static int check_body(const struct head *head, struct problem *ret_problem)
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

int head_check(const struct head *head, uint16_t port, struct problem *ret_problem)
{
	int r = check_host(head->host, port, ret_problem);

	if (!r)
		r = check_origin(head, ret_problem);
	return r ? r : check_body(head, ret_problem);
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
