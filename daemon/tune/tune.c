/* SPDX-License-Identifier: Apache-2.0
 *
 * The tuner put together: its parts in the order they start, and the other way round at the end.
 */
#include "daemon/loop/loop.h"
#include "daemon/tune/queue.h"
#include "daemon/tune/state.h"

#include <errno.h>
#include <string.h>

/* The kernel's name for this boot: tells a crash of the machine from one of the daemon. */
static void read_boot(char boot[40])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	boot[0] = '\0';
	if (!file)
		return;
	if (fscanf(file, "%39s", boot) != 1)
		boot[0] = '\0';
	fclose(file);
}

static void fill_defaults(struct tune_options *options)
{
#define OPTION_daemon(statement)
#define OPTION_tune(statement) statement
#define TEXT(part, field, ...)
#define LIST(part, field, ...)
#define NUMBER(part, field, name, argument, initial, ...) \
	OPTION_##part(if (!options->field) options->field = initial;)
#include "daemon/options.def"
}

int tune_create(struct loop *loop, struct store *store, struct metrics *metrics,
        const struct tune_options *options, struct tune **ret_tune)
{
	struct tune *tune = calloc(1, sizeof *tune);

	if (!tune)
		return -ENOMEM;
	tune->loop = loop;
	tune->store = store;
	tune->metrics = metrics;
	tune->options = *options;
	fill_defaults(&tune->options);
	tune->version = 1;
	read_boot(tune->boot);
	int code = loop_timer_create(loop, queue_pump, tune, &tune->pump);
	if (!code)
		code = devices_start(tune);
	if (code) {
		tune_destroy(tune);
		return code;
	}
	*ret_tune = tune;
	return 0;
}

void tune_destroy(struct tune *tune)
{
	if (!tune)
		return;
	queue_destroy(tune);
	devices_stop(tune);
	loop_timer_destroy(tune->pump);
	free(tune);
}

void tune_store_settled(struct tune *tune)
{
	devices_recall(tune);
	queue_kick(tune);
}

void tune_count(struct tune *tune)
{
	struct metrics *metrics = tune->metrics;
	uint32_t running = 0, workers = tune->lister && worker_runs(tune->lister);

	for (uint32_t i = 0; i < tune->device_count; i++) {
		running += tune->devices[i]->job != NULL;
		workers += worker_runs(tune->devices[i]->worker);
	}
	metrics->tuning_jobs_running = running;
	metrics->tuning_jobs_queued = tune->job_count - running;
	metrics->tuning_workers = workers;
}
