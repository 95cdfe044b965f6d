/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 (RFC 4648, section 4): how SPIR-V words travel in JSON.
 */
#pragma once

#include <stddef.h>

struct buffer;
/* Appends the bytes as base64; memory that is short is the buffer's own failure. */
void base64_encode(struct buffer *buffer, const void *bytes, size_t count);
/* Appends the bytes of such text. 0; -EINVAL for what is none, -ENOMEM. */
int base64_decode(struct buffer *buffer, const char *text);
