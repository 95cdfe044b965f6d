/* SPDX-License-Identifier: Apache-2.0
 *
 * What the service manager is told. notify_systemd.c where libsystemd is there, notify_none.c
 * otherwise; the build chooses.
 */
#pragma once

#include <stdint.h>

void notify_ready(void);
void notify_stopping(void);
void notify_alive(void);
/* How often notify_alive is expected at least; 0: nobody watches. */
uint64_t notify_watchdog_ns(void);
