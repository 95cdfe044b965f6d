/* SPDX-License-Identifier: Apache-2.0
 *
 * Timings that pages measured themselves. A page's clock is coarse and a page is not trusted, so
 * these never decide which schedule is served; they are kept in memory, apart from our own
 * measurements, to show how far the two agree.
 */
#include "daemon/api/handler.h"

#include "daemon/log.h"
#include "protocol/wire.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define REPORTS_MAX 512 /* kept; the one heard of longest ago makes room */

struct report {
	char op[OP_TEXT_BYTES], schedule[SCHEDULE_TEXT_BYTES];
	uint64_t device;
	uint64_t heard; /* rank in time of the last one; 0: free */
	uint64_t count, samples;
	double least_ns, last_ns; /* medians reported */
};
struct reports {
	uint64_t heard;
	struct report reports[REPORTS_MAX];
};

int reports_create(struct reports **ret_reports)
{
	struct reports *reports = calloc(1, sizeof *reports);

	if (!reports)
		return -ENOMEM;
	*ret_reports = reports;
	return 0;
}

void reports_destroy(struct reports *reports)
{
	free(reports);
}

/* The row of this kernel, or the one to take over. */
static struct report *row_for(
        struct reports *reports, const char *op, const char *schedule, uint64_t device)
{
	struct report *oldest = &reports->reports[0];

	for (size_t i = 0; i < REPORTS_MAX; i++) {
		struct report *row = &reports->reports[i];
		if (row->heard && row->device == device && !strcmp(row->op, op) &&
		        !strcmp(row->schedule, schedule))
			return row;
		if (row->heard < oldest->heard)
			oldest = row;
	}
	*oldest = (struct report){.device = device, .least_ns = INFINITY};
	snprintf(oldest->op, sizeof oldest->op, "%s", op);
	snprintf(oldest->schedule, sizeof oldest->schedule, "%s", schedule);
	return oldest;
}

json_t *reports_summary(const struct reports *reports)
{
	uint32_t kernels = 0;

	for (size_t i = 0; i < REPORTS_MAX; i++)
		kernels += reports->reports[i].heard != 0;
	return json_pack("{s:i,s:I}", "kernels", (int)kernels, "count", (json_int_t)reports->heard);
}

json_t *reports_json(const struct reports *reports, const char *op, uint64_t device)
{
	json_t *array = json_array();

	for (size_t i = 0; i < REPORTS_MAX; i++) {
		const struct report *row = &reports->reports[i];
		if (!row->heard || row->device != device || strcmp(row->op, op))
			continue;
		json_array_append_new(array,
		        json_pack("{s:s,s:I,s:I,s:I,s:I}", "schedule", row->schedule, "count",
		                (json_int_t)row->count, "samples", (json_int_t)row->samples,
		                "least_ns", (json_int_t)llround(row->least_ns), "last_ns",
		                (json_int_t)llround(row->last_ns)));
	}
	return array;
}

#define REPORT_NS_MAX      60e9
#define REPORT_SAMPLES_MAX 1e6

static int check_numbers(double median_ns, double samples, struct problem *ret_problem)
{
	if (!(median_ns > 0 && median_ns <= REPORT_NS_MAX))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "median_ns",
		        "median_ns must be above 0 and at most a minute (6e10)");
	if (!(samples >= 1 && samples <= REPORT_SAMPLES_MAX) || samples != floor(samples))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "samples",
		        "samples must be a whole number from 1 to 1000000");
	return 0;
}

static int check_schedule(
        const struct want *want, const char *text, char *ret_canonical, struct problem *ret_problem)
{
	struct schedule schedule;
	struct error err = {0};

	if (schedule_parse(text, &schedule, &err) ||
	        space_check(&want->op, &schedule, &want->device->limits, &err))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "schedule",
		        "the schedule is not one this operator can have: %s; repeat the artifact's",
		        err.text);
	schedule_print(&schedule, ret_canonical);
	return 0;
}

int handle_report(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	double median_ns = request_number(request, "median_ns");
	double samples = request_number(request, "samples");
	struct reports *reports = request->api->reports;
	char schedule[SCHEDULE_TEXT_BYTES];
	struct want want;
	int answer = want_read(request, &want, ret_problem);

	if (!answer)
		answer = check_numbers(median_ns, samples, ret_problem);
	if (!answer)
		answer = check_schedule(
		        &want, request_text(request, "schedule"), schedule, ret_problem);
	if (answer)
		return answer;
	struct report *row = row_for(reports, want.op_text, schedule, want.device->id);
	row->heard = ++reports->heard;
	row->count++;
	row->samples += (uint64_t)samples;
	row->last_ns = median_ns;
	row->least_ns = fmin(row->least_ns, median_ns);
	request->api->changes++;
	log_debug("page reports %s on %s: %.0f ns (%s)", want.op_text, want.device->name, median_ns,
	        schedule);
	*ret_result = json_pack("{s:b}", "recorded", 1);
	return 0;
}
