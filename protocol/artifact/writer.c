/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON writer. Bytes from 128 on are copied: text is UTF-8 already.
 */
#include "protocol/artifact/writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void write_name(struct writer *writer, const char *name)
{
	if (writer->comma)
		buffer_putc(writer->text, ',');
	writer->comma = true;
	if (!name)
		return;
	buffer_putc(writer->text, '"');
	buffer_puts(writer->text, name);
	buffer_append(writer->text, "\":", 2);
}

void write_open(struct writer *writer, const char *name, char bracket)
{
	write_name(writer, name);
	buffer_putc(writer->text, bracket);
	writer->comma = false;
}

void write_close(struct writer *writer, char bracket)
{
	buffer_putc(writer->text, bracket);
	writer->comma = true;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

static void put_escape(struct buffer *text, unsigned char c)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* what, and its letter */

	for (const char *at = escapes; *at; at += 2) {
		if ((unsigned char)*at != c)
			continue;
		buffer_putc(text, '\\');
		buffer_putc(text, at[1]);
		return;
	}
	buffer_printf(text, "\\u%04X", c);
}

void write_text(struct writer *writer, const char *name, const char *value)
{
	struct buffer *text = writer->text;

	write_name(writer, name);
	buffer_putc(text, '"');
	while (*value) {
		size_t plain = 0;
		while (is_plain((unsigned char)value[plain]))
			plain++;
		buffer_append(text, value, plain);
		value += plain;
		if (*value)
			put_escape(text, (unsigned char)*value++);
	}
	buffer_putc(text, '"');
}

void write_whole(struct writer *writer, const char *name, int64_t value)
{
	write_name(writer, name);
	buffer_printf(writer->text, "%lld", (long long)value);
}

/* printf's own: the locale's point becomes a point, the exponent loses + and leading zeros. */
static void put_real(struct buffer *text, const char *digits)
{
	bool real = false;

	for (const char *at = digits; *at; at++) {
		bool digit = (*at >= '0' && *at <= '9') || *at == '-';
		if (*at != 'e') {
			buffer_putc(text, digit ? *at : '.');
			real |= !digit;
			continue;
		}
		const char *power = at + 1 + (at[1] == '+' || at[1] == '-');
		buffer_puts(text, at[1] == '-' ? "e-" : "e");
		buffer_puts(text, power + strspn(power, "0"));
		return;
	}
	if (!real)
		buffer_puts(text, ".0");
}

void write_real(struct writer *writer, const char *name, double value)
{
	char digits[40];

	if (!isfinite(value)) {
		write_null(writer, name);
		return;
	}
	write_name(writer, name);
	snprintf(digits, sizeof digits, "%.*g", writer->digits, value);
	put_real(writer->text, digits);
}

void write_flag(struct writer *writer, const char *name, bool value)
{
	write_name(writer, name);
	buffer_puts(writer->text, value ? "true" : "false");
}

void write_null(struct writer *writer, const char *name)
{
	write_name(writer, name);
	buffer_puts(writer->text, "null");
}
