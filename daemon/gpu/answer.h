/* SPDX-License-Identifier: Apache-2.0
 *
 * How everything in the worker says that it cannot go on: 0, or one of these answers with a
 * sentence in `struct error`. They are the wire's error codes, one for one.
 */
#pragma once

#include "base/error.h"

enum answer {
	ANSWER_DONE,
	ANSWER_BAD_REQUEST,
	ANSWER_NO_DEVICE,
	ANSWER_OUT_OF_MEMORY,
	ANSWER_DEVICE_LOST, /* nothing works on this device any more: reply, then end the process */
	ANSWER_DRIVER,
	ANSWER_COUNT
};

#define EXIT_DEVICE_LOST 3 /* the process's exit status after ANSWER_DEVICE_LOST */

const char *answer_code(enum answer answer);
int answer_no_memory(const char *what, struct error *err); /* ANSWER_OUT_OF_MEMORY of the host */
