/* SPDX-License-Identifier: Apache-2.0
 *
 * A real nnjit-gpu process for tests, spoken to as nnjitd does.
 */
#pragma once

#include "protocol/wire.h"

#include <sys/types.h>

struct worker {
	pid_t pid;
	int fd;
	struct wire wire;
};

/* The program under test: $NNJIT_GPU, else ./nnjit-gpu of the build folder. */
const char *worker_program(void);
/* What `nnjit-gpu --list --json` prints: a new reference to the array of devices, maybe empty. */
json_t *worker_devices(void);
/* Starts it with `fault` in NNJIT_TEST_FAULT (NULL: none) and asserts that it could. */
void worker_start(struct worker *worker, const char *fault);
/* Hangs up and returns the exit status: the code, or 256 + the signal, or -1 if it did not end
 * within `seconds` (it is killed then). */
int worker_stop(struct worker *worker, unsigned int seconds);
/* As worker_stop without hanging up first. */
int worker_wait(struct worker *worker, unsigned int seconds);

void worker_write(struct worker *worker, const char *line); /* a newline is added */
json_t *worker_read(struct worker *worker); /* a new reference, or NULL at the end */
/* Sends a line and asserts that the answer is ok: a new reference to what "ok" holds. */
json_t *worker_ask(struct worker *worker, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* Sends a line and asserts that it is refused with this code. */
void worker_refused(struct worker *worker, const char *code, const char *line);
