/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe: what is measured in which order and for how long. What predicts most comes first, so
 * that a device which compiles slowly lacks the least useful facts. Invariant: a kernel that fails
 * is passed over; only a lost device ends the probe.
 */
#include "daemon/gpu/probe.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/probe_measures.h"

#define PEAKS_NS  1.2e9 /* for the two peaks that bound every kernel */
#define BUDGET_NS 3.5e9 /* for everything */

/* Whether to go on after this answer: the device works and there is time. */
static bool goes_on(const struct probe *probe, int answer, struct error *why)
{
	if (answer)
		fprintf(stderr, "nnjit-gpu: a probe kernel was passed over: %s\n", why->text);
	return answer != ANSWER_DEVICE_LOST && probe_has_time(probe);
}

/* The shapes of both kernels in turn, so that running out of time costs each the same. */
static int measure_peaks(struct probe *probe, struct facts *facts, struct error *err)
{
	int answer = measure_launch(probe, facts, err);
	bool more = goes_on(probe, answer, err);

	for (size_t i = 0; more && i < PROBE_SHAPES_MAX; i++) {
		answer = measure_fma_shape(probe, i, facts, err);
		if (!goes_on(probe, answer, err))
			break;
		answer = measure_copy_shape(probe, i, facts, err);
		more = goes_on(probe, answer, err);
	}
	return answer;
}

/* Without these, numbers would be wrong; they take milliseconds. */
static int measure_bounds(struct probe *probe, struct facts *facts, struct error *err)
{
	int answer = measure_turns(probe, facts, err);

	if (goes_on(probe, answer, err))
		answer = measure_workgroup_bytes(probe, facts, err);
	goes_on(probe, answer, err);
	return answer;
}

static int measure(struct probe *probe, struct facts *facts, struct error *err)
{
	static probe_measure *const measures[] = {measure_cores, measure_caches,
	        measure_workgroup_memory, measure_barrier, measure_registers, measure_half,
	        measure_dot4};
	double start_ns = device_now_ns();

	probe->deadline_ns = start_ns + PEAKS_NS;
	int answer = measure_bounds(probe, facts, err);
	start_ns = device_now_ns();
	probe->deadline_ns = start_ns + PEAKS_NS;
	if (answer != ANSWER_DEVICE_LOST)
		answer = measure_peaks(probe, facts, err);
	probe->deadline_ns = start_ns + BUDGET_NS;
	for (size_t i = 0; i < sizeof measures / sizeof *measures; i++) {
		if (answer == ANSWER_DEVICE_LOST || !probe_has_time(probe))
			break;
		answer = measures[i](probe, facts, err);
		goes_on(probe, answer, err);
	}
	return answer == ANSWER_DEVICE_LOST ? answer : 0;
}

int probe_facts(struct device *device, FILE *trace, struct facts *ret_facts, struct error *err)
{
	struct facts facts = {.lanes = device->adapter->limits.subgroup_min,
	        .cpu = device_is_cpu(device),
	        .version = FACTS_VERSION};
	struct probe probe = {.trace = trace};
	int answer = probe_prepare(&probe, device, err);

	if (!answer)
		answer = measure(&probe, &facts, err);
	if (answer != ANSWER_DEVICE_LOST)
		probe_finish(&probe);
	if (!answer)
		*ret_facts = facts;
	return answer;
}
