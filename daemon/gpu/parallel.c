/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that take stretch after stretch and end. The caller is one of them, so that a machine
 * which gives no thread only takes longer. Invariant: every stretch is done once, and no thread is
 * left.
 */
#include "daemon/gpu/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define THREADS_MAX 16 /* and the caller */

struct crowd {
	uint64_t count, grain;
	parallel_work *work;
	void *context;
	atomic_uint_fast64_t next; /* the first number that nobody took */
};

static void *take_part(void *context)
{
	struct crowd *crowd = context;
	uint64_t from;

	while ((from = atomic_fetch_add(&crowd->next, crowd->grain)) < crowd->count) {
		uint64_t left = crowd->count - from;
		crowd->work(
		        crowd->context, from, from + (left < crowd->grain ? left : crowd->grain));
	}
	return NULL;
}

/* Beside the caller: as many as there are processors for, and stretches. */
static uint32_t helpers_for(const struct crowd *crowd)
{
	uint64_t stretches = (crowd->count + crowd->grain - 1) / crowd->grain;
	cpu_set_t all;
	uint64_t most = sched_getaffinity(0, sizeof all, &all) ? 1 : (uint64_t)CPU_COUNT(&all);

	most = stretches < most ? stretches : most;
	if (most < 1)
		return 0;
	return most - 1 < THREADS_MAX ? (uint32_t)most - 1 : THREADS_MAX;
}

void parallel_run(uint64_t count, uint64_t grain, parallel_work *work, void *context)
{
	struct crowd crowd = {.count = count, .grain = grain, .work = work, .context = context};
	uint32_t wanted = helpers_for(&crowd), helpers = 0;
	pthread_t threads[THREADS_MAX];

	while (helpers < wanted && !pthread_create(&threads[helpers], NULL, take_part, &crowd))
		helpers++;
	take_part(&crowd);
	for (uint32_t i = 0; i < helpers; i++)
		pthread_join(threads[i], NULL);
}
