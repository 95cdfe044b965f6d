/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounds. A driver that computes on the processor is timed as it would run in a page: its
 * threads spread, its memory as dear. Invariant: a round that was begun is finished, so every
 * candidate has as many samples.
 */
#include "daemon/gpu/rounds.h"
#include "daemon/gpu/allocator.h"
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
	for (uint32_t i = 0; !answer && i < rounds->count; i++)
		if (rounds->candidates[i]->first->pilot_ns < WARM_BELOW_NS)
			answer = time_one(rounds, i, &ns, err);
	return answer;
}

int rounds_time(struct rounds *rounds, struct error *err)
{
	double deadline_ns = device_now_ns() + TIME_BUDGET_NS;
	bool computes_here = device_is_cpu(rounds->device);

	rounds->done = 0;
	if (computes_here)
		threads_spread();
	allocator_writes(computes_here && rounds->device->profile == PROFILE_WEB);
	int answer = warm(rounds, err);
	while (!answer && rounds->done < rounds->samples &&
	        (!rounds->done || device_now_ns() < deadline_ns)) {
		double *row = rounds->ns + (size_t)rounds->done * rounds->count;
		for (uint32_t i = 0; !answer && i < rounds->count; i++)
			answer = time_one(rounds, i, &row[i], err);
		rounds->done++;
	}
	allocator_writes(false);
	return answer;
}
