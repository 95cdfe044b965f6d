/* SPDX-License-Identifier: Apache-2.0
 *
 * A real nnjit-gpu process for tests, spoken to as nnjitd does.
 */
#pragma once

#include "nnjit.h"
#include "protocol/wire/wire.h"

#include <check.h>

#include <sys/types.h>

struct worker {
	pid_t pid;
	int fd;
	struct wire wire;
};

/* The program under test: $NNJIT_GPU, else ./nnjit-gpu of the build folder. */
const char *worker_program(void);
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

/* ---- The devices that are here. */
#define DEVICES_MAX 8
struct worker_device {
	char id[17], name[64];
	struct limits limits; /* its own */
	bool cpu;
};
extern struct worker_device devices[DEVICES_MAX];
extern int device_count;
/* Called before any test runs, so it asserts nothing: 0, or the status that the program should end
 * with, having said why. */
int worker_find_devices(void);
/* A test case that runs `times` times for each device; _i / times is the device's index. */
TCase *worker_each_device(Suite *suite, const char *name, const TTest *test, int times);

/* ---- Requests that must succeed. */
void worker_open(struct worker *worker, int device, const char *profile);
void worker_load(struct worker *worker, const char *op);
json_t *worker_build(struct worker *worker, int candidate, const char *schedule); /* the verdict */
/* Builds, and asserts that the kernel of `op` is right. */
void worker_build_right(struct worker *worker, int candidate, const char *op, const char *schedule);
double worker_number(const json_t *object, const char *field); /* must be there */
const char *worker_text(const json_t *object, const char *field);
