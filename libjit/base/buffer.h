/* SPDX-License-Identifier: Apache-2.0
 *
 * A growable byte buffer with one sticky failure: append as much as you like, then look at
 * `failed` once. After a failure (no memory) appends do nothing and what was there stays.
 * Invariant: when it holds text, data[length] is NUL; length never counts it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *data; /* NULL while nothing was appended; owned by the buffer */
	size_t length, capacity;
	bool failed;
};

void buffer_free(struct buffer *buffer);  /* leaves an empty buffer; NULL is fine */
void buffer_clear(struct buffer *buffer); /* forgets content and failure, keeps the memory */

/* Makes room for `bytes` more and returns where they go, or NULL on failure. */
void *buffer_reserve(struct buffer *buffer, size_t bytes);
void buffer_append(struct buffer *buffer, const void *bytes, size_t count);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putc(struct buffer *buffer, char c);
void buffer_put_u32(struct buffer *buffer, uint32_t value); /* in decimal */
void buffer_printf(struct buffer *buffer, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* Appends one little-endian 32-bit word (SPIR-V). */
static inline void buffer_word(struct buffer *buffer, uint32_t word)
{
	if (buffer->capacity - buffer->length < sizeof word + 1 &&
	        !buffer_reserve(buffer, sizeof word))
		return;
	__builtin_memcpy(buffer->data + buffer->length, &word, sizeof word);
	buffer->length += sizeof word;
}
