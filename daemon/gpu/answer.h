/* SPDX-License-Identifier: Apache-2.0
 *
 * How everything in the worker says that it cannot go on: 0, or one of these answers with a
 * sentence in `struct error`. They are the wire's failures, one for one.
 */
#pragma once

#include "base/error.h"

enum answer {
	ANSWER_DONE,
#define FAILURE(id, ...) ANSWER_##id,
#include "protocol/wire/wire.def"
	ANSWER_COUNT
};

#define EXIT_DEVICE_LOST 3 /* the process's exit status after ANSWER_DEVICE_LOST */

int answer_no_memory(const char *what, struct error *err); /* ANSWER_OUT_OF_MEMORY of the host */
