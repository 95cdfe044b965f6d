/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes and compares the secrets of /admin. Must not keep them anywhere but in this process.
 */
#include "daemon/origins/secrets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_BYTES ((SECRET_TEXT_BYTES - 1) / 2)

int secrets_create(struct secrets *secrets, uint64_t now_s, char ret_text[static SECRET_TEXT_BYTES])
{
	struct secret *to = &secrets->held[0];
	unsigned char random[RANDOM_BYTES];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	for (uint32_t i = 1; i < SECRETS_MAX; i++)
		if (secrets->held[i].until_s < to->until_s)
			to = &secrets->held[i];
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(to->text + 2 * i, 3, "%02x", random[i]);
	to->until_s = now_s + SECRET_S;
	memcpy(ret_text, to->text, SECRET_TEXT_BYTES);
	return 0;
}

bool secrets_check(const struct secrets *secrets, uint64_t now_s, const char *text, size_t length)
{
	bool found = false;

	if (length != SECRET_TEXT_BYTES - 1)
		return false;
	for (uint32_t i = 0; i < SECRETS_MAX; i++) {
		const struct secret *held = &secrets->held[i];
		volatile unsigned char differs = now_s >= held->until_s;
		for (size_t at = 0; at < SECRET_TEXT_BYTES - 1; at++)
			differs = (unsigned char)(differs | (text[at] ^ held->text[at]));
		found |= !differs;
	}
	return found;
}
