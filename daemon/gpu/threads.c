/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads in the order of their numbers, which is that of their making, so that those of one pool,
 * made one after another, get different processors. Where Linux refuses, nothing is bound.
 */
#include "daemon/gpu/threads.h"

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 256

static int ascending(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* All but the caller, ascending. */
static size_t list(pid_t threads[static THREADS_MAX])
{
	DIR *folder = opendir("/proc/self/task");
	size_t count = 0;

	for (struct dirent *entry; folder && count < THREADS_MAX && (entry = readdir(folder));) {
		pid_t thread = (pid_t)atoi(entry->d_name);
		if (thread && thread != gettid())
			threads[count++] = thread;
	}
	if (folder)
		closedir(folder);
	qsort(threads, count, sizeof *threads, ascending);
	return count;
}

static int next_processor(const cpu_set_t *all, int processor)
{
	do
		processor = (processor + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(processor, all));
	return processor;
}

void threads_spread(void)
{
	pid_t threads[THREADS_MAX];
	size_t count = list(threads);
	cpu_set_t all, one;
	int processor = -1;

	if (sched_getaffinity(0, sizeof all, &all) || !CPU_COUNT(&all))
		return;
	for (size_t i = 0; i < count; i++) {
		processor = next_processor(&all, processor);
		CPU_ZERO(&one);
		CPU_SET(processor, &one);
		sched_setaffinity(threads[i], sizeof one, &one);
	}
}
