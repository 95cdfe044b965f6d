/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells systemd of readiness, of the end and that the loop still turns (sd_notify(3)). Does
 * nothing outside a unit of Type=notify.
 */
#include "daemon/notify.h"

#include <systemd/sd-daemon.h>

void notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_ns(void)
{
	uint64_t interval_us = 0;

	return sd_watchdog_enabled(0, &interval_us) > 0 ? interval_us * 1000 : 0;
}
