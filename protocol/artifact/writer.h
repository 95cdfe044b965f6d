/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes compact JSON (RFC 8259) into a buffer, member by member. Knows no library: what writes a
 * kernel in the daemon writes it in a page, too. Numbers and escapes are spelt as Jansson's
 * json_dumps with JSON_COMPACT spells them. Out of memory is the buffer's sticky failure.
 */
#pragma once

#include "base/buffer.h"

struct writer {
	struct buffer *text;
	int digits; /* of a real number: significant ones; 17 keep every bit */
	bool comma; /* before what comes next */
};

/* `name`: the member's, NULL within an array and at the top. Names need no escape. */
void write_open(struct writer *writer, const char *name, char bracket); /* { or [ */
void write_close(struct writer *writer, char bracket);                  /* } or ] */
void write_text(struct writer *writer, const char *name, const char *value);
void write_whole(struct writer *writer, const char *name, int64_t value);
void write_real(
        struct writer *writer, const char *name, double value); /* null if it is not finite */
void write_null(struct writer *writer, const char *name);       /* null */
void write_flag(struct writer *writer, const char *name, bool value);
/* The name alone: a value that is JSON already is appended to writer->text next. */
void write_name(struct writer *writer, const char *name);
