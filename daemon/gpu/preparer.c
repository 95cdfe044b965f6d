/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread a candidate: starting one costs some ten microseconds, compiling thousands of times as
 * much, and no lock is needed where everything is handed over by start and join. The
 * thread has a builder of its own and submits nothing. Invariant: `begun` says whether a thread is
 * to be joined, and nobody but it touches the rest until then.
 */
#include "base/cleanup.h"
#include "daemon/gpu/preparer.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/pace.h"
#include "daemon/gpu/watchdog.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TICK_NS 5e6 /* so long a device may idle before it slows down */

struct preparer {
	struct device *device;
	struct builder *builder;
	bool begun; /* a thread is to be joined */
	pthread_t thread;
	uint32_t candidate;
	struct schedule schedule;
	struct built *built;
	int answer;
	struct error err;
};

int preparer_create(struct device *device, struct preparer **ret_preparer, struct error *err)
{
	struct preparer *preparer = calloc(1, sizeof *preparer);

	if (!preparer)
		return answer_no_memory("a second builder", err);
	preparer->device = device;
	int answer = builder_create(device, &preparer->builder, err);
	if (answer)
		preparer_destroy(preparer);
	else
		*ret_preparer = preparer;
	return answer;
}

void preparer_destroy(struct preparer *preparer)
{
	if (!preparer)
		return;
	preparer_drop(preparer);
	builder_destroy(preparer->builder);
	free(preparer);
}

static void *prepare(void *context)
{
	struct preparer *preparer = context;

	watchdog_second_thread();
	preparer->answer = builder_build(preparer->builder, preparer->candidate,
	        &preparer->schedule, &preparer->built, &preparer->err);
	return NULL;
}

void preparer_begin(struct preparer *preparer, struct workload *workload, uint32_t candidate,
        const struct schedule *schedule)
{
	assert(!preparer->begun);
	preparer->builder->workload = workload;
	preparer->candidate = candidate;
	preparer->schedule = *schedule;
	preparer->built = NULL;
	preparer->err = (struct error){0};
	preparer->begun = !pthread_create(&preparer->thread, NULL, prepare, preparer);
}

bool preparer_has_begun(const struct preparer *preparer)
{
	return preparer->begun;
}

/* True when the thread ended. */
static bool join_within(pthread_t thread, double ns)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	ns += (double)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1e9);
	until.tv_nsec = (long)fmod(ns, 1e9);
	return !pthread_timedjoin_np(thread, NULL, &until);
}

/* Gives up keeping the device awake at the first failure: whoever times will meet it again. */
static void wait_for(struct preparer *preparer)
{
	struct pace *pace = preparer->device->pace;
	struct error err;

	watchdog_await_second(true);
	while (pace && !join_within(preparer->thread, TICK_NS))
		if (pace_keep(pace, &err))
			pace = NULL;
	if (!pace)
		pthread_join(preparer->thread, NULL);
	watchdog_await_second(false);
	preparer->begun = false;
}

int preparer_take(struct preparer *preparer, struct built **ret_built, struct error *err)
{
	assert(preparer->begun);
	wait_for(preparer);
	if (preparer->answer)
		*err = preparer->err;
	else
		*ret_built = TAKE(preparer->built);
	return preparer->answer;
}

void preparer_drop(struct preparer *preparer)
{
	if (!preparer || !preparer->begun)
		return;
	wait_for(preparer);
	built_free(TAKE(preparer->built));
}
