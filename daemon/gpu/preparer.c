/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread a candidate: starting one costs some ten microseconds, compiling thousands of times as
 * much, and no lock is needed where everything is handed over by start and join. Each thread has a
 * builder of its own and submits nothing. Invariant: `begun` says whether a thread is to be joined,
 * and nobody but it touches the rest, but for `ended`, until then.
 */
#include "daemon/gpu/preparer.h"
#include "base/cleanup.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/pace.h"
#include "daemon/gpu/watchdog.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define TICK_NS 5e6 /* so long a device may idle before it slows down */

_Static_assert(PREPARED_MAX <= WATCHDOG_BUILDERS, "each thread has deadlines of its own");

struct preparer {
	struct device *device;
	struct place {
		struct builder *builder;
		uint32_t number; /* of the place */
		bool begun;      /* a thread is to be joined */
		atomic_bool ended;
		pthread_t thread;
		uint32_t candidate;
		struct schedule schedule;
		struct built *built;
		int answer;
		struct error err;
	} places[PREPARED_MAX];
};

int preparer_create(struct device *device, struct preparer **ret_preparer, struct error *err)
{
	struct preparer *preparer = calloc(1, sizeof *preparer);
	int answer = 0;

	if (!preparer)
		return answer_no_memory("more builders", err);
	preparer->device = device;
	for (uint32_t i = 0; !answer && i < PREPARED_MAX; i++) {
		preparer->places[i].number = i;
		answer = builder_create(device, &preparer->places[i].builder, err);
	}
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
	for (uint32_t i = 0; i < PREPARED_MAX; i++)
		builder_destroy(preparer->places[i].builder);
	free(preparer);
}

/* ---- Waiting for a thread. */

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
static void wait_for(struct preparer *preparer, struct place *place)
{
	struct pace *pace = preparer->device->pace;
	bool joined = false;
	struct error err;

	watchdog_await_builder(place->number, true);
	while (pace && !(joined = join_within(place->thread, TICK_NS)))
		if (pace_keep(pace, &err))
			pace = NULL;
	if (!joined)
		pthread_join(place->thread, NULL);
	watchdog_await_builder(place->number, false);
	place->begun = false;
}

static void drop(struct preparer *preparer, struct place *place)
{
	wait_for(preparer, place);
	built_free(TAKE(place->built));
}

/* ---- Places. */

static struct place *place_of(struct preparer *preparer, uint32_t candidate)
{
	for (uint32_t i = 0; i < PREPARED_MAX; i++)
		if (preparer->places[i].begun && preparer->places[i].candidate == candidate)
			return &preparer->places[i];
	return NULL;
}

/* A free one, or one whose candidate is ready and was not asked for; or NULL. */
static struct place *find_place(struct preparer *preparer)
{
	struct place *ready = NULL;

	for (uint32_t i = 0; i < PREPARED_MAX; i++) {
		struct place *place = &preparer->places[i];
		if (!place->begun)
			return place;
		if (place->ended)
			ready = place;
	}
	if (ready)
		drop(preparer, ready);
	return ready;
}

static void *prepare(void *context)
{
	struct place *place = context;

	watchdog_builder_thread(place->number);
	place->answer = builder_build(
	        place->builder, place->candidate, &place->schedule, &place->built, &place->err);
	place->ended = true;
	return NULL;
}

bool preparer_begin(struct preparer *preparer, struct workload *workload, uint32_t candidate,
        const struct schedule *schedule)
{
	struct place *place = place_of(preparer, candidate);

	if (place)
		return true;
	place = find_place(preparer);
	if (!place)
		return false;
	place->builder->workload = workload;
	place->candidate = candidate;
	place->schedule = *schedule;
	place->built = NULL;
	place->ended = false;
	place->err = (struct error){0};
	place->begun = !pthread_create(&place->thread, NULL, prepare, place);
	return place->begun;
}

bool preparer_has(const struct preparer *preparer, uint32_t candidate)
{
	return place_of((struct preparer *)preparer, candidate) != NULL;
}

int preparer_take(
        struct preparer *preparer, uint32_t candidate, struct built **ret_built, struct error *err)
{
	struct place *place = place_of(preparer, candidate);

	assert(place);
	wait_for(preparer, place);
	if (place->answer)
		*err = place->err;
	else
		*ret_built = TAKE(place->built);
	return place->answer;
}

void preparer_drop(struct preparer *preparer)
{
	for (uint32_t i = 0; preparer && i < PREPARED_MAX; i++)
		if (preparer->places[i].begun)
			drop(preparer, &preparer->places[i]);
}
