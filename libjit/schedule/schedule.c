/* SPDX-License-Identifier: Apache-2.0
 *
 * A schedule's text form, from the rows of axes.def: `wg_x=8 wg_y=8 tile_m=4 ...`. Axes at their
 * initial value are left out; parsing takes them in any order. Knows no axis's meaning.
 */
#include "schedule/schedule.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint16_t initial;
} axes[AXIS_COUNT] = {
#define AXIS(name, text, initial, doc) {text, initial},
#include "schedule/axes.def"
};

enum {
	LONGEST = 1
#define AXIS(name, text, ...) +sizeof " " text "=65535" - 1
#include "schedule/axes.def"
};
_Static_assert(LONGEST <= SCHEDULE_TEXT_BYTES, "any schedule's text has room");

struct schedule schedule_initial(void)
{
	struct schedule schedule;

	for (uint32_t i = 0; i < AXIS_COUNT; i++)
		schedule.axis[i] = axes[i].initial;
	return schedule;
}

void schedule_print(const struct schedule *schedule, char text[static SCHEDULE_TEXT_BYTES])
{
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < AXIS_COUNT; i++)
		if (schedule->axis[i] != axes[i].initial)
			at += (size_t)snprintf(text + at, SCHEDULE_TEXT_BYTES - at, "%s%s=%u",
			        at ? " " : "", axes[i].name, schedule->axis[i]);
}

static int set_axis(struct schedule *schedule, const char *word, size_t length, struct error *err)
{
	const char *equals = memchr(word, '=', length);

	for (uint32_t i = 0; equals && i < AXIS_COUNT; i++) {
		size_t name = (size_t)(equals - word);
		char *end;

		if (strlen(axes[i].name) != name || memcmp(axes[i].name, word, name))
			continue;
		unsigned long value = strtoul(equals + 1, &end, 10);
		if (end == word + length && end > equals + 1 && value <= UINT16_MAX) {
			schedule->axis[i] = (uint16_t)value;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "schedule", "'%.*s' is not axis=number with a known axis",
	        (int)(length < 40 ? length : 40), word);
}

int schedule_parse(const char *text, struct schedule *ret_schedule, struct error *err)
{
	struct schedule schedule = schedule_initial();

	while (*(text += strspn(text, " "))) {
		size_t length = strcspn(text, " ");
		int r = set_axis(&schedule, text, length, err);
		if (r)
			return r;
		text += length;
	}
	*ret_schedule = schedule;
	return 0;
}
