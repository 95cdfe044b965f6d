/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 as a function of its bytes. Invariant: decoding takes nothing but what encoding gives.
 */
#include "base/base64.h"

#include "base/buffer.h"

#include <errno.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buffer *buffer, const void *bytes, size_t count)
{
	const unsigned char *in = bytes;
	char *out = buffer_reserve(buffer, (count + 2) / 3 * 4);

	if (!out)
		return;
	for (size_t i = 0; i < count; i += 3) {
		size_t left = count - i;
		uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
		                 (left > 2 ? in[i + 2] : 0);
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[group & 63] : '=';
	}
	*out = '\0';
	buffer->length += (count + 2) / 3 * 4;
}

static int digit_value(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int base64_decode(struct buffer *buffer, const char *text)
{
	size_t length = strlen(text);

	if (length % 4)
		return -EINVAL;
	for (size_t i = 0; i < length; i += 4) {
		bool last = i + 4 == length;
		int pad = !last                                      ? 0
		          : text[i + 2] == '=' && text[i + 3] == '=' ? 2
		                                                     : text[i + 3] == '=';
		uint32_t group = 0;
		for (int k = 0; k < 4; k++) {
			int value = k >= 4 - pad ? 0 : digit_value(text[i + (size_t)k]);
			if (value < 0)
				return -EINVAL;
			group = group << 6 | (uint32_t)value;
		}
		char bytes[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};
		buffer_append(buffer, bytes, (size_t)(3 - pad));
	}
	return buffer->failed ? -ENOMEM : 0;
}
