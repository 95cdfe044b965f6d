/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread a candidate: starting one costs some ten microseconds, compiling thousands of times as
 * much, and no lock is needed where everything is handed over by start and join. It uses a
 * generator and a validator of its own, and of the device only what Vulkan lets threads share: it
 * makes a pipeline and submits nothing. Invariant: between calls, `busy` says whether a thread is
 * to be joined, and nobody but it touches the rest until then.
 */
#include "base/cleanup.h"
#include "daemon/gpu/preparer.h"
#include "daemon/gpu/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct preparer {
	struct nnjit *nnjit;
	struct validator *validator;
	bool busy;
	pthread_t thread;
	struct bench bench;
	uint32_t candidate;
	struct schedule schedule;
	struct attempt *attempt;
	int answer;
	struct error err;
};

int preparer_create(struct preparer **ret_preparer)
{
	struct preparer *preparer = calloc(1, sizeof *preparer);

	if (!preparer)
		return -ENOMEM;
	int failure = nnjit_create(&preparer->nnjit);
	if (!failure)
		failure = validator_create(&preparer->validator);
	if (failure) {
		preparer_destroy(preparer);
		return failure;
	}
	*ret_preparer = preparer;
	return 0;
}

void preparer_destroy(struct preparer *preparer)
{
	if (!preparer)
		return;
	preparer_drop(preparer);
	validator_destroy(preparer->validator);
	nnjit_destroy(preparer->nnjit);
	free(preparer);
}

static void *prepare(void *context)
{
	struct preparer *preparer = context;

	watchdog_second_thread();
	preparer->answer = trial_make(&preparer->bench, preparer->candidate, &preparer->schedule,
	        &preparer->attempt, &preparer->err);
	return NULL;
}

int preparer_start(struct preparer *preparer, struct device *device, struct workload *workload,
        uint32_t candidate, const struct schedule *schedule, struct error *err)
{
	preparer_drop(preparer);
	preparer->bench = (struct bench){device, workload, preparer->nnjit, preparer->validator};
	preparer->candidate = candidate;
	preparer->schedule = *schedule;
	preparer->attempt = NULL;
	preparer->err = (struct error){0};
	if (pthread_create(&preparer->thread, NULL, prepare, preparer))
		return answer_no_memory("a thread", err);
	preparer->busy = true;
	return 0;
}

static void wait_for(struct preparer *preparer)
{
	pthread_join(preparer->thread, NULL);
	preparer->busy = false;
}

int preparer_take(struct preparer *preparer, uint32_t candidate, const struct schedule *schedule,
        struct attempt **ret_attempt, struct error *err)
{
	*ret_attempt = NULL;
	if (!preparer->busy || preparer->candidate != candidate ||
	        memcmp(&preparer->schedule, schedule, sizeof *schedule))
		return 0;
	wait_for(preparer);
	*ret_attempt = TAKE(preparer->attempt);
	if (preparer->answer)
		*err = preparer->err;
	return preparer->answer;
}

void preparer_drop(struct preparer *preparer)
{
	if (!preparer->busy)
		return;
	wait_for(preparer);
	attempt_free(TAKE(preparer->attempt));
}

void preparer_drop_one(struct preparer *preparer, uint32_t candidate)
{
	if (preparer->busy && preparer->candidate == candidate)
		preparer_drop(preparer);
}
