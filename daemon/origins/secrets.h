/* SPDX-License-Identifier: Apache-2.0
 *
 * The secrets with which the page /admin shows that the device's owner opened it: random, handed
 * out over the owner's socket alone, each good for some minutes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_TEXT_BYTES 65 /* 256 bits in hexadecimal, and a NUL */
#define SECRET_S          900u
#define SECRETS_MAX       8 /* at a time; the one that ends first goes */

struct secrets { /* zero: none */
	struct secret {
		char text[SECRET_TEXT_BYTES];
		uint64_t until_s; /* of the clock that is given with each call; 0: none */
	} held[SECRETS_MAX];
};
/* -EIO: the system gives no random bytes. */
int secrets_create(
        struct secrets *secrets, uint64_t now_s, char ret_text[static SECRET_TEXT_BYTES]);
/* In a time that does not tell how much of it was right. */
bool secrets_check(const struct secrets *secrets, uint64_t now_s, const char *text, size_t length);
