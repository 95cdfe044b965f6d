/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes that are to end: each gets some time to go by itself, is killed after it, and is
 * reaped whenever it is gone, on the loop. A process stuck inside a driver may take long; nobody
 * waits for it.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct loop;
struct grave; /* a list, NULL when empty */

/* Takes over pid and pidfd. after_ns 0: kills at once. */
void grave_add(struct grave **graves, struct loop *loop, pid_t pid, int pidfd, uint64_t after_ns);
/* Kills what is left and waits for it, but not long. */
void graves_close(struct grave **graves);
