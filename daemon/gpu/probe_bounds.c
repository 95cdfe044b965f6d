/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device silently does not do, found out by kernels that tell how far they came: drivers end
 * loops that turn too often, and may have less workgroup memory than they say. No error says so;
 * numbers are wrong. Must not time anything. Invariant: a fact is what worked here.
 */
#include "daemon/gpu/answer.h"
#include "daemon/gpu/probe_measures.h"

#include <math.h>
#include <string.h>

/* One workgroup of the kernel, whose uniform word is `word`; *ret_value is what it left in the
 * first element of the target. */
static int run_one(
        struct probe *probe, int failed, uint32_t word, float *ret_value, struct error *err)
{
	const struct gpu_api *api = probe->device->api;
	struct probe_kernel kernel = {.workgroups = 1, .workgroups_max = 1};
	int answer = api->buffer_write(probe->word, 0, &word, sizeof word, err);

	if (!answer)
		answer = probe_make(probe, failed, &kernel, err);
	if (answer)
		return answer;
	answer = probe_run(probe, &kernel, err);
	probe_drop(probe, answer, &kernel);
	return answer ? answer : probe_read(probe, ret_value, err);
}

/* ---- Turns of loops. */

/* Far more than any kernel of sense takes, and few enough to take milliseconds. */
#define TURNS_MAX (1u << 20)
#define TURNS_IN  1024u

static int count_turns(struct probe *probe, uint32_t within, double *ret_turns, struct error *err)
{
	float counted = 0;
	int failed = probe_turns_kernel(&probe->writer, within);
	int answer = run_one(probe, failed, TURNS_MAX, &counted, err);

	if (answer)
		return answer;
	*ret_turns = 2 * (double)counted; /* each adds an element of the source, 0.5 */
	probe_tell(probe, "loops, %u turns within each turn: %.0f of %u\n", within, *ret_turns,
	        TURNS_MAX);
	return 0;
}

/* A driver may count the turns of each loop, or all of an invocation's: a loop within another
 * tells. Then the outer loop's turns count, too, and the last test of the inner one each time. */
int measure_turns(struct probe *probe, struct facts *facts, struct error *err)
{
	double alone, within;
	int answer = count_turns(probe, 1, &alone, err);

	if (!answer)
		answer = count_turns(probe, TURNS_IN, &within, err);
	if (answer)
		return answer;
	within += 2 * floor(within / TURNS_IN);
	double turns = fmin(alone, within);
	facts->turns = turns < TURNS_MAX ? turns : 0;
	return 0;
}

/* ---- Workgroup memory. */

#define BYTES_LEAST_TRIED 1024u

static int try_memory(struct probe *probe, uint32_t bytes, bool *ret_works, struct error *err)
{
	const struct limits *limits = &probe->device->adapter->limits;
	uint32_t invocations = limits->invocations < 64 ? limits->invocations : 64;
	uint32_t vectors = bytes / 16 / invocations * invocations;
	float kept = 0;
	int failed = probe_memory_kernel(&probe->writer, invocations, vectors);
	int answer = run_one(probe, failed, 0, &kept, err);

	*ret_works = !answer && (double)kept == vectors;
	probe_tell(probe, "workgroup memory of %u bytes: %.0f of %u elements kept\n", bytes,
	        (double)kept, vectors);
	return answer;
}

/* Halved until it works. One that the driver refuses does not. */
int measure_workgroup_bytes(struct probe *probe, struct facts *facts, struct error *err)
{
	uint32_t bytes = probe->device->adapter->limits.workgroup_bytes;
	bool works = false;
	int answer = 0;

	for (; bytes >= BYTES_LEAST_TRIED; bytes /= 2) {
		answer = try_memory(probe, bytes, &works, err);
		if (works || answer == ANSWER_DEVICE_LOST)
			break;
	}
	if (works)
		facts->workgroup_bytes = bytes;
	return answer;
}
