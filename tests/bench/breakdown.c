/* SPDX-License-Identifier: Apache-2.0
 *
 * One trial a kernel by the worker's own code, its verdict's times gathered by stage. Loading the
 * operator is not a candidate's: it is done once for all of them.
 */
#include "tests/bench/breakdown.h"

#include "base/cleanup.h"
#include "daemon/gpu/answer.h"
#include "tests/bench/devices.h"
#include "tests/bench/times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[STAGE_COUNT] = {
        [STAGE_GENERATE] = "generate",
        [STAGE_VALIDATE] = "validate",
        [STAGE_CREATE] = "create",
        [STAGE_LAUNCH] = "launch",
        [STAGE_VERIFY] = "verify",
        [STAGE_ALL] = "total",
};

struct measuring {
	const struct catalogue *catalogue;
	size_t wanted;
	struct breakdown *rows;
	uint32_t count;
};

static void take(const struct verdict *v, double *const stages[STAGE_COUNT], size_t i)
{
	const double us[STAGE_COUNT] = {
	        [STAGE_GENERATE] = v->generate_ns / 1e3,
	        [STAGE_VALIDATE] = v->validate_ns / 1e3,
	        [STAGE_CREATE] = v->create_ns / 1e3,
	        [STAGE_LAUNCH] = (v->pipeline_ns - v->create_ns) / 1e3,
	        [STAGE_VERIFY] = v->verify_ns / 1e3,
	};
	double sum_us = 0;

	for (int s = 0; s < STAGE_ALL; s++) {
		stages[s][i] = us[s];
		sum_us += us[s];
	}
	stages[STAGE_ALL][i] = sum_us;
}

/* False where the kernel is not right. */
static bool try_kernel(
        struct builder *builder, const struct catalogue_kernel *kernel, struct verdict *ret_verdict)
{
	struct built *built = NULL;
	struct trial *trial = NULL;
	struct error err;

	devices_must(
	        workload_load(builder->device, &kernel->op, 1, &builder->workload, &err), &err);
	int answer = builder_build(builder, UINT32_MAX, &kernel->schedule, &built, &err);
	if (!answer)
		answer = trial_try(built, &trial, ret_verdict, &err);
	if (answer == ANSWER_DEVICE_LOST)
		devices_must(answer, &err);
	bool right = trial;
	trial_free(trial);
	workload_free(builder->workload);
	return right;
}

static void sum_up(struct breakdown *row, double *const stages[STAGE_COUNT])
{
	for (int s = 0; s < STAGE_COUNT && row->kernels; s++) {
		double sum_us = 0;
		for (size_t i = 0; i < row->kernels; i++)
			sum_us += stages[s][i];
		row->stages[s].mean_us = sum_us / (double)row->kernels;
		row->stages[s].p50_us = percentile(stages[s], row->kernels, 0.5);
		row->stages[s].p99_us = percentile(stages[s], row->kernels, 0.99);
	}
}

static void measure(struct builder *builder, void *data)
{
	struct measuring *m = data;
	AUTO(free_pointer) size_t *sample = calloc(m->wanted + 1, sizeof *sample);
	AUTO(free_pointer) double *times = calloc(STAGE_COUNT * (m->wanted + 1), sizeof *times);
	struct breakdown row = {0};
	double *stages[STAGE_COUNT];
	struct verdict verdict;

	if (!sample || !times)
		abort();
	if (m->count == BREAKDOWN_DEVICES_MOST)
		return;
	for (size_t s = 0; s < STAGE_COUNT; s++)
		stages[s] = times + s * m->wanted;
	size_t count = devices_sample(m->catalogue, builder->device, m->wanted, sample);
	for (size_t i = 0; i < count; i++) {
		if (try_kernel(builder, &m->catalogue->kernels[sample[i]], &verdict))
			take(&verdict, stages, row.kernels++);
		else
			row.wrong++;
	}
	devices_key(builder->device, row.device);
	sum_up(&row, stages);
	m->rows[m->count++] = row;
}

uint32_t breakdown_measure(const struct catalogue *catalogue, size_t wanted,
        struct breakdown ret_rows[BREAKDOWN_DEVICES_MOST])
{
	struct measuring m = {.catalogue = catalogue, .wanted = wanted, .rows = ret_rows};
	const struct devices_visitor visitor = {.name = "", .visit = measure, .data = &m};

	devices_visit(&visitor);
	return m.count;
}

void breakdown_print(const struct breakdown *row)
{
	printf("a candidate on %s (%zu tried, %zu not right):\n", row->device,
	        row->kernels + row->wrong, row->wrong);
	for (int s = 0; s < STAGE_COUNT; s++)
		printf("  %-32s %7.1f%% %8.1f %8.1f\n", names[s],
		        100 * row->stages[s].mean_us / row->stages[STAGE_ALL].mean_us,
		        row->stages[s].p50_us, row->stages[s].p99_us);
}

void breakdown_print_keys(const struct breakdown *row)
{
	for (int s = 0; s < STAGE_COUNT; s++)
		printf(" %s_%s_us=%.1f", row->device, names[s], row->stages[s].p50_us);
}
