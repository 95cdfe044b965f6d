/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads origins. A loopback origin is taken in every spelling of the same address. Any other must
 * be spelt as browsers spell it, so that one site has one text: decisions compare bytes. Invariant:
 * what is not unfit has a host of plain characters and no default port.
 */
#include "daemon/origins/origin.h"

#include <arpa/inet.h>
#include <libpsl.h>
#include <netinet/in.h>
#include <string.h>

#define HTTPS_PORT 443

bool origin_split_port(const char *text, size_t *length, uint32_t *ret_port)
{
	size_t i = *length;
	uint32_t port = 0, scale = 1;

	while (i && text[i - 1] >= '0' && text[i - 1] <= '9' && *length - i < 5) {
		port += (uint32_t)(text[--i] - '0') * scale;
		scale *= 10;
	}
	*ret_port = 0;
	if (!i || text[i - 1] != ':')
		return true;
	if (i == *length || !port || port > UINT16_MAX || text[i] == '0')
		return false;
	*ret_port = port;
	*length = i - 1;
	return true;
}

/* ---- Hosts. `brackets`: it stood in some, as IPv6 addresses do. */

/* 127.0.0.0/8 and ::1, and the former written as IPv4-mapped IPv6 (RFC 6890). */
static bool is_loopback_address(const char *host, bool brackets)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (!brackets)
		return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 &&
	       (IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127));
}

/* Labels of letters, digits, - and _, with single dots between. */
static bool is_name(const char *host)
{
	char before = '.';

	for (; *host; before = *host++) {
		bool inner = (*host >= 'a' && *host <= 'z') || (*host >= '0' && *host <= '9') ||
		             *host == '-' || *host == '_';
		if (!inner && (*host != '.' || before == '.'))
			return false;
	}
	return before != '.';
}

/* Names under .localhost are this machine to every browser (RFC 6761, 6.3). */
static bool is_local(const char *host, bool brackets)
{
	static const char suffix[] = ".localhost";
	size_t length = strlen(host), n = sizeof suffix - 1;

	if (is_loopback_address(host, brackets))
		return true;
	if (brackets || !is_name(host))
		return false;
	return !strcmp(host, suffix + 1) || (length > n && !strcmp(host + length - n, suffix));
}

/* A name whose last label is a number is an IPv4 address, or no host at all (URL standard, 3.5). */
static bool is_foreign_host(const char *host, bool brackets)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (brackets)
		return inet_pton(AF_INET6, host, &v6) == 1;
	const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;
	bool number = last[strspn(last, "0123456789")] == '\0' || !strncmp(last, "0x", 2);
	return is_name(host) && (!number || inet_pton(AF_INET, host, &v4) == 1);
}

/* ---- Origins. */

static size_t scheme_bytes(const char *text)
{
	return !strncmp(text, "https://", 8) ? 8 : !strncmp(text, "http://", 7) ? 7 : 0;
}

static bool lower(const char *text, size_t length, char *to)
{
	bool changed = false;

	for (size_t i = 0; i < length; i++) {
		bool capital = text[i] >= 'A' && text[i] <= 'Z';
		to[i] = (char)(capital ? text[i] | 0x20 : text[i]);
		changed |= capital;
	}
	to[length] = '\0';
	return changed;
}

enum origin_kind origin_read(const char *text, size_t length, struct origin *ret_origin)
{
	struct origin origin = {.kind = ORIGIN_UNFIT};
	char host[ORIGIN_BYTES];
	uint32_t port;

	if (length >= sizeof origin.text || memchr(text, '\0', length))
		return ORIGIN_UNFIT;
	bool capitals = lower(text, length, origin.text);
	size_t scheme = scheme_bytes(origin.text), bytes = length - scheme;
	if (!scheme || !origin_split_port(origin.text + scheme, &bytes, &port) || !bytes)
		return ORIGIN_UNFIT;
	const char *at = origin.text + scheme;
	bool brackets = bytes > 2 && *at == '[' && at[bytes - 1] == ']';
	origin.host_at = (uint16_t)(scheme + brackets);
	origin.host_bytes = (uint16_t)(bytes - 2u * brackets);
	memcpy(host, at + brackets, origin.host_bytes);
	host[origin.host_bytes] = '\0';
	if (is_local(host, brackets))
		origin.kind = ORIGIN_LOCAL;
	else if (scheme == 8 && !capitals && port != HTTPS_PORT && is_foreign_host(host, brackets))
		origin.kind = ORIGIN_SECURE;
	if (origin.kind != ORIGIN_UNFIT)
		*ret_origin = origin;
	return origin.kind;
}

void origin_site(const struct origin *origin, uint16_t *ret_at, uint16_t *ret_bytes)
{
	char host[ORIGIN_BYTES];
	struct in_addr v4;

	memcpy(host, origin->text + origin->host_at, origin->host_bytes);
	host[origin->host_bytes] = '\0';
	*ret_at = origin->host_at;
	*ret_bytes = origin->host_bytes;
	if (!is_name(host) || inet_pton(AF_INET, host, &v4) == 1)
		return;
	const char *domain = psl_registrable_domain(psl_builtin(), host);
	if (!domain)
		return;
	*ret_at = (uint16_t)(origin->host_at + (domain - host));
	*ret_bytes = (uint16_t)strlen(domain);
}
