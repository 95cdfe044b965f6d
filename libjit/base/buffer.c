/* SPDX-License-Identifier: Apache-2.0
 *
 * The growable buffer: doubles its memory, and keeps one spare byte so that text is always
 * NUL-terminated without a separate step.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_free(struct buffer *buffer)
{
	if (!buffer)
		return;
	free(buffer->data);
	*buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	buffer->failed = false;
	if (buffer->data)
		buffer->data[0] = '\0';
}

void *buffer_reserve(struct buffer *buffer, size_t bytes)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 256;

	if (buffer->failed || bytes > SIZE_MAX / 4)
		goto fail;
	while (capacity - buffer->length <= bytes) {
		if (capacity > SIZE_MAX / 2)
			goto fail;
		capacity *= 2;
	}
	if (capacity != buffer->capacity) {
		char *data = realloc(buffer->data, capacity);
		if (!data)
			goto fail;
		buffer->data = data;
		buffer->capacity = capacity;
	}
	return buffer->data + buffer->length;
fail:
	buffer->failed = true;
	return NULL;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t count)
{
	char *to = buffer_reserve(buffer, count);

	if (!to)
		return;
	if (count)
		memcpy(to, bytes, count);
	to[count] = '\0';
	buffer->length += count;
}

void buffer_puts(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

void buffer_putc(struct buffer *buffer, char c)
{
	buffer_append(buffer, &c, 1);
}

void buffer_put_u32(struct buffer *buffer, uint32_t value)
{
	char digits[10];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buffer_append(buffer, digits + at, sizeof digits - at);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	char *to = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length);
	if (to) {
		vsnprintf(to, (size_t)length + 1, format, again);
		buffer->length += (size_t)length;
	} else {
		buffer->failed = true;
	}
	va_end(again);
	va_end(args);
}
