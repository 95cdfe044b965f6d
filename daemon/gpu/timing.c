/* SPDX-License-Identifier: Apache-2.0
 *
 * Timed submissions. Kernel watchdogs reset a device whose submission lasts seconds, and a desktop
 * stutters long before, so a submission aims at a few milliseconds and a launch longer than a
 * submission may be is cut into slices of its workgroups. Invariant: no slice is empty, and all of
 * them together are the launch.
 *
 *	                workgroups along the longest dimension
 *	  slice:   |    0    |    1    |  ...  | slices - 1 |
 *	  base:    0     all / slices    2 all / slices    all
 */
#include "daemon/gpu/timing.h"
#include "daemon/gpu/fault.h"

#include <math.h>
#include <stdio.h>

#define REPEATS_MAX 2048
#define ODD_MAX     3    /* impossible timestamps until the device's clock is trusted no more */
#define JUMP_NS     1e15 /* what a planted jump of the device's clock comes to */
#define SLEEPY_NS   1e8  /* without work, until a device that a test lets sleep does */

bool timing_has_timestamps(const struct device *device)
{
	return device->adapter->timestamps && !device->clock_untrusted;
}

double timing_target_ns(const struct device *device)
{
	return timing_has_timestamps(device) ? TIMING_SAMPLE_NS : TIMING_WALL_NS;
}

/* ---- Recording. */

static uint32_t longest_dimension(const uint32_t workgroups[3])
{
	uint32_t longest = 0;

	for (uint32_t i = 1; i < 3; i++)
		if (workgroups[i] > workgroups[longest])
			longest = i;
	return longest;
}

static uint32_t repeats_for(const struct run_size *size)
{
	double repeats = size->launch_ns > 0 ? floor(size->target_ns / size->launch_ns)
	                                     : REPEATS_MAX;

	if (!(repeats > 1))
		return 1;
	return repeats < REPEATS_MAX ? (uint32_t)repeats : REPEATS_MAX;
}

static uint32_t slices_for(const struct gpu_launch *launch, double launch_ns, uint32_t workgroups)
{
	double slices = ceil(launch_ns / TIMING_SUBMISSION_NS);

	if (!launch->pipeline->sliceable || !(slices > 1))
		return 1;
	if (slices > RUN_SLICES_MAX)
		slices = RUN_SLICES_MAX;
	return slices < workgroups ? (uint32_t)slices : workgroups;
}

/* Slice i of so many. */
static struct gpu_dispatch slice_of(const struct gpu_launch *launch, uint32_t i, uint32_t slices)
{
	uint32_t dimension = longest_dimension(launch->workgroups);
	uint64_t all = launch->workgroups[dimension];
	struct gpu_dispatch dispatch = {.launch = launch};

	for (uint32_t d = 0; d < 3; d++)
		dispatch.count[d] = launch->workgroups[d];
	dispatch.base[dimension] = (uint32_t)(all * i / slices);
	dispatch.count[dimension] = (uint32_t)(all * (i + 1) / slices) - dispatch.base[dimension];
	return dispatch;
}

int run_record(const struct gpu_launch *launch, const struct run_size *size, struct run *ret_run,
        struct error *err)
{
	struct device *device = launch->pipeline->device;
	struct run run = {.repeats = repeats_for(size)};
	uint32_t slices = slices_for(
	        launch, size->launch_ns, launch->workgroups[longest_dimension(launch->workgroups)]);

	for (uint32_t i = 0; i < slices; i++) {
		struct gpu_dispatch dispatch = slice_of(launch, i, slices);
		dispatch.repeats = run.repeats;
		int answer = device->api->record_dispatch(&dispatch, &run.commands[i], err);
		if (answer) {
			run_free(device, &run);
			return answer;
		}
		run.slices++;
	}
	*ret_run = run;
	return 0;
}

void run_free(struct device *device, struct run *run)
{
	for (uint32_t i = 0; i < run->slices; i++)
		device->api->commands_destroy(run->commands[i]);
	*run = (struct run){0};
}

/* ---- Timing. */

/* By the device's clock; negative where it does not say. */
static double stamped_ns(const struct device *device, const struct gpu_elapsed *elapsed)
{
	uint64_t from;

	if (fault_planted(FAULT_JUMP, &from) && device->timed >= from)
		return JUMP_NS;
	return elapsed->stamped_ns;
}

/* Nothing, or more than the host saw, is a counter that was reset or never written: the host's
 * clock stands in, and after a few such it is all that is used. */
static double elapsed_ns(struct device *device, const struct gpu_elapsed *elapsed)
{
	if (!timing_has_timestamps(device))
		return elapsed->wall_ns;
	double ns = stamped_ns(device, elapsed);
	if (ns > 0 && ns <= elapsed->wall_ns * 1.5)
		return ns;
	device->clock_untrusted = ++device->clock_odd >= ODD_MAX;
	if (device->clock_untrusted)
		fprintf(stderr,
		        "nnjit-gpu: the timestamps of %s cannot be; using the host's "
		        "clock\n",
		        device->adapter->name);
	return elapsed->wall_ns;
}

/* Whether a device that sleeps when it idles, and is woken by so many runs, slept through this. */
static bool is_asleep(struct device *device, double start_ns, uint64_t runs)
{
	if (start_ns - device->ran_ns > SLEEPY_NS)
		device->asleep = runs;
	device->ran_ns = device_now_ns();
	return device->asleep && device->asleep--;
}

/* What tests want a device to suffer. */
static double suffer(struct device *device, double start_ns, double ns)
{
	uint64_t number;

	if (fault_planted(FAULT_EVEN, &number))
		ns = (double)number;
	if (fault_planted(FAULT_SLOW, &number) && device->timed >= number)
		ns *= 2;
	if (fault_planted(FAULT_BUSY, &number) && number && device->timed % number == 0)
		ns *= 4;
	if (fault_planted(FAULT_ASLEEP, &number) && is_asleep(device, start_ns, number))
		ns *= 5;
	return ns;
}

int run_time(struct device *device, const struct run *run, double *ret_ns, struct error *err)
{
	struct gpu_elapsed elapsed;
	double total_ns = 0, start_ns = device_now_ns();

	for (uint32_t i = 0; i < run->slices; i++) {
		int answer = device->api->submit(run->commands[i], &elapsed, err);
		if (answer)
			return answer;
		total_ns += elapsed_ns(device, &elapsed);
	}
	*ret_ns = suffer(device, start_ns, total_ns / run->repeats);
	device->timed++;
	return 0;
}
