/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounds. A driver that computes on the processor is timed as it would run in a page: its
 * threads spread, its memory as dear. Invariant: a round that was begun is finished, so every
 * candidate has as many samples.
 */
#include "daemon/gpu/rounds.h"
#include "daemon/gpu/allocator.h"
#include "daemon/gpu/pace.h"
#include "daemon/gpu/threads.h"

#define TIME_BUDGET_NS 20e9
#define WARM_BELOW_NS  20e6 /* a sample shorter than this is preceded by an untimed one */

static int time_one(const struct rounds *rounds, uint32_t i, double *ret_ns, struct error *err)
{
	if (rounds->between)
		rounds->between(rounds->context);
	return twins_time(rounds->candidates[i], ret_ns, err);
}

static int warm(const struct rounds *rounds, struct error *err)
{
	int answer = 0;
	double ns;

	for (uint32_t i = 0; !answer && i < rounds->count; i++)
		answer = twins_size_again(rounds->candidates[i], err);
	if (!answer)
		answer = pace_raise(rounds->device->pace, err);
	for (uint32_t i = 0; !answer && i < rounds->count; i++)
		if (rounds->candidates[i]->first->pilot_ns < WARM_BELOW_NS)
			answer = time_one(rounds, i, &ns, err);
	return answer;
}

/* One row, and whether the device was at its working clock behind it. */
static int time_row(const struct rounds *rounds, bool *ret_held, struct error *err)
{
	double *row = rounds->ns + (size_t)rounds->done * rounds->count;
	int answer = 0;

	for (uint32_t i = 0; !answer && i < rounds->count; i++)
		answer = time_one(rounds, i, &row[i], err);
	return answer ? answer : pace_check(rounds->device->pace, ret_held, err);
}

/* A row that ended at another clock is taken again, but not for ever: what is timed may itself be
 * what the device slows down for. */
static int add_row(struct rounds *rounds, struct error *err)
{
	bool held = false;
	int answer = time_row(rounds, &held, err);

	for (; !answer && !held && rounds->again; rounds->again--) {
		answer = pace_raise(rounds->device->pace, err);
		if (!answer)
			answer = time_row(rounds, &held, err);
	}
	rounds->done++;
	return answer;
}

int rounds_time(struct rounds *rounds, struct error *err)
{
	double deadline_ns = device_now_ns() + TIME_BUDGET_NS;
	bool computes_here = device_is_cpu(rounds->device);

	rounds->done = 0;
	rounds->again = rounds->samples;
	if (computes_here)
		threads_spread();
	allocator_writes(computes_here && rounds->device->profile == PROFILE_WEB);
	int answer = warm(rounds, err);
	while (!answer && rounds->done < rounds->samples &&
	        (!rounds->done || device_now_ns() < deadline_ns))
		answer = add_row(rounds, err);
	allocator_writes(false);
	return answer;
}
