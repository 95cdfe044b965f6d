/* SPDX-License-Identifier: Apache-2.0
 *
 * What ends this process when nothing else can: the peer hung up while a driver call does not
 * return, or a driver call outlasts its time. One thread that does nothing but wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* fd: where the last reply goes, and whose hanging up is watched. 0, or -errno. */
int watchdog_start(int fd);
/* From now until watchdog_rest, at most `seconds` may pass; else the peer is told device-lost
 * with `sentence` (static storage) and the process ends. */
void watchdog_expect(unsigned int seconds, const char *sentence);
void watchdog_rest(void);
/* The calling thread is one of those that compile ahead: its deadlines are kept apart. They count
 * only while the main thread waits for it, so that the reply is the build's and not of what the
 * main thread does meanwhile. */
#define WATCHDOG_BUILDERS 4
void watchdog_builder_thread(uint32_t number);
void watchdog_await_builder(uint32_t number, bool waiting); /* begins, or no longer does */
