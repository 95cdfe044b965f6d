/* SPDX-License-Identifier: Apache-2.0
 *
 * A schedule: one value for each axis of axes.def. The text form is stable: the store keeps it, and
 * artifacts name their kernels by it. Which values make sense is a family's to say.
 */
#pragma once

#include <stdint.h>

struct error;

enum axis {
#define AXIS(name, ...) AXIS_##name,
#include "schedule/axes.def"
	AXIS_COUNT
};
#define SCHEDULE_TEXT_BYTES 256 /* room for any schedule's text, NUL included */

struct schedule {
	uint16_t axis[AXIS_COUNT];
};

struct schedule schedule_initial(void); /* every axis at its initial value */
void schedule_print(const struct schedule *schedule, char text[static SCHEDULE_TEXT_BYTES]);
/* 0, or -EINVAL and err. Parses what schedule_print wrote; legality is space_check's. */
int schedule_parse(const char *text, struct schedule *ret_schedule, struct error *err);
