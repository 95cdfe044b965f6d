/* SPDX-License-Identifier: Apache-2.0
 *
 * The wait of the first seconds: until the first enumeration has ended nobody knows which device is
 * the best, nor whether one that is stored is still there. Whoever must not answer before is called
 * back here. Invariant: the wait ends, after TUNE_SETTLES_S at the latest.
 */
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/state.h"

void settling_end(struct tune *tune)
{
	void (*told)(void *context) = tune->settling.told;

	loop_timer_stop(tune->settling.timer);
	tune->settling.told = NULL;
	if (told)
		told(tune->settling.context);
}

static void overdue(void *context)
{
	struct tune *tune = context;

	log_warning("the devices are not known after %d s; requests about them are refused until "
	            "they are",
	        TUNE_SETTLES_S);
	tune->settling.overdue = true;
	settling_end(tune);
}

int settling_start(struct tune *tune)
{
	int code = loop_timer_create(tune->loop, overdue, tune, &tune->settling.timer);

	if (!code)
		loop_timer_set(tune->settling.timer, TUNE_SETTLES_S * 1000000000ull);
	return code;
}

void settling_stop(struct tune *tune)
{
	loop_timer_destroy(tune->settling.timer);
}

bool tune_settled(const struct tune *tune)
{
	return tune_enumerated(tune) || tune->settling.overdue;
}

void tune_when_settled(struct tune *tune, void (*settled)(void *context), void *context)
{
	tune->settling.told = settled;
	tune->settling.context = context;
}
