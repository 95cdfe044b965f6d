/* SPDX-License-Identifier: Apache-2.0
 *
 * The pace of a device: whether it runs at its working clock. A GPU that idles for a moment lowers
 * its clocks to a fifth, and raises them only after some milliseconds of work: times taken in
 * between are not those of a page that computes.
 */
#pragma once

#include "daemon/gpu/device.h"

struct pace;

/* *ret_pace is NULL for a device that has no clock to mind: one that computes on the processor, or
 * has no timestamps; and for one that cannot run the kernel, which stderr is told. NULL is fine
 * below and means that all is well. */
int pace_create(struct device *device, struct pace **ret_pace, struct error *err);
void pace_destroy(struct pace *pace);

/* Brings the device to its working clock, by work. Takes a millisecond where it is there already,
 * and a few hundred at most. */
int pace_raise(struct pace *pace, struct error *err);
/* *ret_held: the device still is at its working clock. */
int pace_check(struct pace *pace, bool *ret_held, struct error *err);
/* Work that keeps it there while the host is busy, a fraction of a millisecond; the first time what
 * pace_raise does. Not NULL. */
int pace_keep(struct pace *pace, struct error *err);
