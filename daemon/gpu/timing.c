/* SPDX-License-Identifier: Apache-2.0
 *
 * Timed submissions. Kernel watchdogs reset a device whose submission lasts seconds, and a desktop
 * stutters long before, so a submission aims at a few milliseconds and a launch longer than a
 * submission may be is cut into slices of its workgroups. Invariant: the two timestamps enclose the
 * dispatches of one submission and nothing else.
 */
#include "daemon/gpu/timing.h"
#include "daemon/gpu/fault.h"

#include <inttypes.h>
#include <math.h>

#define REPEATS_MAX 2048
#define ODD_MAX     3 /* impossible timestamps until the device's clock is trusted no more */

bool timing_has_timestamps(const struct device *device)
{
	return device->queries != VK_NULL_HANDLE && !device->clock_untrusted;
}

double timing_target_ns(const struct device *device)
{
	return timing_has_timestamps(device) ? TIMING_SAMPLE_NS : TIMING_WALL_NS;
}

/* Workgroups [base, base + count) of one dimension, all of the others. */
struct part {
	uint32_t dimension, base, count;
};

static uint32_t longest_dimension(const uint32_t workgroups[3])
{
	uint32_t longest = 0;

	for (uint32_t i = 1; i < 3; i++)
		if (workgroups[i] > workgroups[longest])
			longest = i;
	return longest;
}

static void dispatch_part(
        VkCommandBuffer commands, const uint32_t workgroups[3], const struct part *part)
{
	uint32_t base[3] = {0}, count[3] = {workgroups[0], workgroups[1], workgroups[2]};

	base[part->dimension] = part->base;
	count[part->dimension] = part->count;
	if (part->base)
		vkCmdDispatchBase(
		        commands, base[0], base[1], base[2], count[0], count[1], count[2]);
	else
		vkCmdDispatch(commands, count[0], count[1], count[2]);
}

static void write_timestamp(struct device *device, VkCommandBuffer commands,
        VkPipelineStageFlagBits stage, uint32_t query)
{
	if (device->queries)
		vkCmdWriteTimestamp(commands, stage, device->queries, query);
}

static void bind(VkCommandBuffer commands, const struct launch *launch)
{
	vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->pipeline);
	vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->bindings->layout,
	        0, 1, &launch->bindings->sets[launch->set], 0, NULL);
}

int launch_nothing(struct device *device, const struct launch *launch, struct error *err)
{
	VkCommandBuffer commands;
	int answer = device_begin(device, &commands, err);

	if (answer)
		return answer;
	bind(commands, launch);
	vkCmdDispatch(commands, 0, 1, 1);
	answer = device_end(commands, err);
	if (!answer)
		answer = device_submit_compile(device, commands, err);
	if (answer != ANSWER_DEVICE_LOST)
		device_free_commands(device, commands);
	return answer;
}

static int record(struct device *device, const struct launch *launch, const struct part *part,
        uint32_t repeats, VkCommandBuffer *ret_commands, struct error *err)
{
	VkCommandBuffer commands;
	int answer = device_begin(device, &commands, err);

	if (answer)
		return answer;
	if (device->queries)
		vkCmdResetQueryPool(commands, device->queries, 0, 2);
	bind(commands, launch);
	write_timestamp(device, commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0);
	for (uint32_t i = 0; i < repeats; i++) {
		if (i)
			device_barrier(commands);
		dispatch_part(commands, launch->workgroups, part);
	}
	write_timestamp(device, commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 1);
	device_barrier(commands);
	answer = device_end(commands, err);
	if (answer)
		device_free_commands(device, commands);
	else
		*ret_commands = commands;
	return answer;
}

static uint32_t repeats_for(double launch_ns, double target_ns)
{
	double repeats = launch_ns > 0 ? floor(target_ns / launch_ns) : REPEATS_MAX;

	if (!(repeats > 1))
		return 1;
	return repeats < REPEATS_MAX ? (uint32_t)repeats : REPEATS_MAX;
}

static uint32_t slices_for(const struct launch *launch, double launch_ns, uint32_t workgroups)
{
	double slices = ceil(launch_ns / TIMING_SUBMISSION_NS);

	if (!launch->sliceable || !(slices > 1))
		return 1;
	if (slices > RUN_SLICES_MAX)
		slices = RUN_SLICES_MAX;
	return slices < workgroups ? (uint32_t)slices : workgroups;
}

int run_record(struct device *device, const struct launch *launch, double launch_ns,
        double target_ns, struct run *ret_run, struct error *err)
{
	struct part part = {.dimension = longest_dimension(launch->workgroups)};
	uint32_t all = launch->workgroups[part.dimension];
	struct run run = {.repeats = repeats_for(launch_ns, target_ns)};
	uint32_t slices = slices_for(launch, launch_ns, all);

	for (uint32_t i = 0; i < slices; i++) {
		part.base = (uint32_t)((uint64_t)all * i / slices);
		part.count = (uint32_t)((uint64_t)all * (i + 1) / slices) - part.base;
		int answer = record(device, launch, &part, run.repeats, &run.commands[i], err);
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
		device_free_commands(device, run->commands[i]);
	*run = (struct run){0};
}

/* Between the two timestamps; negative where there are none. */
static double stamped_ns(struct device *device)
{
	uint64_t ticks[2] = {0}, mask = UINT64_MAX, from;
	uint32_t bits = device->adapter->timestamp_bits;
	VkResult result = vkGetQueryPoolResults(device->vk, device->queries, 0, 2, sizeof ticks,
	        ticks, sizeof *ticks, VK_QUERY_RESULT_64_BIT);

	if (bits < 64)
		mask = (1ull << bits) - 1;
	if (fault_planted(FAULT_JUMP, &from) && device->timed >= from)
		ticks[1] += mask / 3;
	return result ? -1 : (double)((ticks[1] - ticks[0]) & mask) * device->adapter->timestamp_ns;
}

/* Nothing, or more than the host saw, is a counter that was reset or never written: the host's
 * clock stands in, and after a few such it is all that is used. */
static double elapsed_ns(struct device *device, double wall_ns)
{
	if (!timing_has_timestamps(device))
		return wall_ns;
	double ns = stamped_ns(device);
	if (ns > 0 && ns <= wall_ns * 1.5)
		return ns;
	device->clock_untrusted = ++device->clock_odd >= ODD_MAX;
	if (device->clock_untrusted)
		fprintf(stderr,
		        "nnjit-gpu: the timestamps of %s cannot be; using the host's "
		        "clock\n",
		        device->adapter->name);
	return wall_ns;
}

/* What tests want a device to suffer. */
static double suffer(const struct device *device, double ns)
{
	uint64_t number;

	if (fault_planted(FAULT_SLOW, &number) && device->timed >= number)
		ns *= 2;
	if (fault_planted(FAULT_BUSY, &number) && number && device->timed % number == 0)
		ns *= 4;
	return ns;
}

int run_time(struct device *device, const struct run *run, double *ret_ns, struct error *err)
{
	double total_ns = 0, wall_ns;

	for (uint32_t i = 0; i < run->slices; i++) {
		int answer = device_submit(device, run->commands[i], &wall_ns, err);
		if (answer)
			return answer;
		total_ns += elapsed_ns(device, wall_ns);
	}
	*ret_ns = suffer(device, total_ns / run->repeats);
	device->timed++;
	return 0;
}
