/* SPDX-License-Identifier: Apache-2.0
 *
 * The answers' names on the wire.
 */
#include "daemon/gpu/answer.h"

#include <assert.h>

static const char *const codes[ANSWER_COUNT] = {
        [ANSWER_DONE] = "",
        [ANSWER_BAD_REQUEST] = "bad-request",
        [ANSWER_NO_DEVICE] = "no-device",
        [ANSWER_OUT_OF_MEMORY] = "out-of-memory",
        [ANSWER_DEVICE_LOST] = "device-lost",
        [ANSWER_DRIVER] = "driver",
};

const char *answer_code(enum answer answer)
{
	assert(answer < ANSWER_COUNT);
	return codes[answer];
}

int answer_no_memory(const char *what, struct error *err)
{
	return error_set(err, ANSWER_OUT_OF_MEMORY, "", "no memory for %s", what);
}
