/* SPDX-License-Identifier: Apache-2.0
 *
 * An origin as browsers serialize it (HTML standard, "ASCII serialization of an origin"): which
 * kind it is, and the site it belongs to. Plain functions over text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORIGIN_BYTES 256 /* with its NUL; a longer one is refused */

enum origin_kind {
	ORIGIN_UNFIT,  /* opaque, insecure, or not as a browser writes it: never served */
	ORIGIN_LOCAL,  /* http or https of this machine: 127.0.0.0/8, ::1, localhost and below */
	ORIGIN_SECURE, /* https of another */
};
struct origin {
	char text[ORIGIN_BYTES]; /* in lower case */
	enum origin_kind kind;
	uint16_t host_at, host_bytes; /* within text, without brackets or port */
};
/* ret_origin is set unless the answer is ORIGIN_UNFIT. */
enum origin_kind origin_read(const char *text, size_t length, struct origin *ret_origin);

/* The registrable domain of the host (by the public suffix list), or all of the host where it has
 * none: as a part of origin->text. */
void origin_site(const struct origin *origin, uint16_t *ret_at, uint16_t *ret_bytes);

/* Takes a decimal port, 1 to 65535 without leading zeros, off the end of text[0..*length).
 * *ret_port is 0 where there is none. False: it is no port. */
bool origin_split_port(const char *text, size_t *length, uint32_t *ret_port);
