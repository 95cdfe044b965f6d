/* SPDX-License-Identifier: Apache-2.0
 *
 * Timings that pages measured themselves. A page's clock is coarse and a page is not trusted, so
 * they are kept apart from our own measurements, an origin's apart from another's, and decide
 * nothing but near-ties of what that origin is served (daemon/kernel). Bounded: schedules of a
 * kernel, kernels of an origin, reports of a connection in a second.
 */
#include "daemon/api/handler.h"

#include "daemon/log.h"
#include "space/space.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define REPORT_NS_MAX      60e9
#define REPORT_COUNT_MAX   1e6
#define QUANTUM_NS         100e3 /* of a page that does not say: what browsers round to */
#define REPORTS_PER_SECOND 32    /* of one connection: each waits for the disk */

json_t *reports_json(const struct request *request, const struct plan_params *want)
{
	const struct store_key key = kernel_key(&want->id);
	char op_text[OP_TEXT_BYTES];
	struct store_reports reports;
	json_t *array = json_array();

	op_print(&want->id.op, op_text);
	if (!want->origin ||
	        store_get_reports(request->api->store, want->origin, &key, op_text, &reports))
		return array;
	for (uint32_t i = 0; i < reports.count; i++) {
		const struct store_report *row = &reports.rows[i];
		json_array_append_new(
		        array, json_pack("{s:s,s:i,s:i,s:f,s:f,s:f}", "schedule", row->schedule,
		                       "count", (int)row->count, "samples", (int)row->samples,
		                       "median_ns", row->median_ns, "quantum_ns", row->quantum_ns,
		                       "weight", report_weight(row)));
	}
	return array;
}

/* ---- What a report says. */

struct told {
	uint64_t now_s;                                        /* when: Unix time */
	char op[OP_TEXT_BYTES], schedule[SCHEDULE_TEXT_BYTES]; /* canonical */
	double median_ns, samples, dispatches, quantum_ns;
};

static int check_count(double count, const char *name, struct problem *ret_problem)
{
	if (count >= 1 && count <= REPORT_COUNT_MAX && count == floor(count))
		return 0;
	return problem_set(ret_problem, PROBLEM_BAD_VALUE, name,
	        "%s must be a whole number from 1 to 1000000", name);
}

static bool is_given(const struct request *request, const char *name)
{
	return json_object_get(request->params, name) != NULL;
}

static int read_numbers(
        const struct request *request, struct told *told, struct problem *ret_problem)
{
	told->median_ns = request_number(request, "median_ns");
	told->samples = request_number(request, "samples");
	told->dispatches = is_given(request, "dispatches") ? request_number(request, "dispatches")
	                                                   : 1;
	told->quantum_ns = is_given(request, "quantum_ns") ? request_number(request, "quantum_ns")
	                                                   : QUANTUM_NS;

	if (!(told->median_ns > 0 && told->median_ns <= REPORT_NS_MAX))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "median_ns",
		        "median_ns must be above 0 and at most a minute (6e10)");
	if (!(told->quantum_ns >= 0 && told->quantum_ns <= REPORT_NS_MAX))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "quantum_ns",
		        "quantum_ns must be 0 (a fine clock) to a minute (6e10)");
	int answer = check_count(told->samples, "samples", ret_problem);
	return answer ? answer : check_count(told->dispatches, "dispatches", ret_problem);
}

static int check_schedule(const struct plan_params *want, const char *text, char *ret_canonical,
        struct problem *ret_problem)
{
	struct limits limits = tune_limits(&want->id);
	struct schedule schedule;
	struct error err = {0};

	if (schedule_parse(text, &schedule, &err) ||
	        space_check(&want->id.op, &schedule, &limits, &err))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "schedule",
		        "the schedule is not one this operator can have: %s; repeat the artifact's",
		        err.text);
	schedule_print(&schedule, ret_canonical);
	return 0;
}

static int check_pace(struct api_peer *peer, uint64_t now_s, struct problem *ret_problem)
{
	if (peer->report_s != now_s)
		peer->report_count = 0;
	peer->report_s = now_s;
	if (peer->report_count++ < REPORTS_PER_SECOND)
		return 0;
	return problem_set(ret_problem, PROBLEM_TOO_MANY, "",
	        "more than %d reports in a second; report medians, not samples",
	        REPORTS_PER_SECOND);
}

/* ---- Keeping it. */

/* The row of the schedule, a new one, or the one heard of longest ago, emptied. */
static struct store_report *row_for(struct store_reports *reports, const char *schedule)
{
	struct store_report *oldest = &reports->rows[0];

	for (uint32_t i = 0; i < reports->count; i++) {
		if (!strcmp(reports->rows[i].schedule, schedule))
			return &reports->rows[i];
		if (reports->rows[i].heard < oldest->heard)
			oldest = &reports->rows[i];
	}
	if (reports->count < STORE_REPORTS_MAX)
		oldest = &reports->rows[reports->count++];
	*oldest = (struct store_report){0};
	snprintf(oldest->schedule, sizeof oldest->schedule, "%s", schedule);
	return oldest;
}

static uint64_t last_heard(const struct store_reports *reports)
{
	uint64_t heard = 0;

	for (uint32_t i = 0; i < reports->count; i++)
		if (reports->rows[i].heard > heard)
			heard = reports->rows[i].heard;
	return heard;
}

static int keep(struct store *store, const struct plan_params *want, const struct told *told)
{
	const struct store_key key = kernel_key(&want->id);
	struct store_reports reports;

	if (store_get_reports(store, want->origin, &key, told->op, &reports)) {
		reports = (struct store_reports){.generation = nnjit_generation};
		snprintf(reports.origin, sizeof reports.origin, "%s", want->origin);
		snprintf(reports.op, sizeof reports.op, "%s", told->op);
	}
	uint64_t heard = last_heard(&reports);
	struct store_report *row = row_for(&reports, told->schedule);
	row->median_ns = told->median_ns;
	row->span_ns = told->median_ns * told->dispatches;
	row->quantum_ns = told->quantum_ns;
	row->samples = (uint32_t)told->samples;
	row->count += row->count < INT32_MAX;
	row->heard = heard + 1;
	reports.heard = told->now_s;
	return store_put_reports(store, &key, &reports);
}

static int keep_problem(int code, struct problem *ret_problem)
{
	if (code == -ENOSPC)
		return problem_set(ret_problem, PROBLEM_TOO_MANY, "",
		        "there is no room for another report; nothing is lost but this one");
	if (code == -EAGAIN)
		return problem_set(ret_problem, PROBLEM_TOO_MANY, "",
		        "the store is being checked after an unclean end; report again in a "
		        "second");
	return problem_set(ret_problem, PROBLEM_INTERNAL, "", "the report could not be stored: %s",
	        strerror(-code));
}

int handle_report(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct told told = {.now_s = (uint64_t)time(NULL)};
	struct plan_params want;
	int answer = want_read_stored(request, &want, ret_problem);

	if (!answer)
		answer = read_numbers(request, &told, ret_problem);
	if (!answer)
		answer = check_schedule(
		        &want, request_text(request, "schedule"), told.schedule, ret_problem);
	if (!answer)
		answer = check_pace(request->caller->peer, told.now_s, ret_problem);
	if (answer)
		return answer;
	op_print(&want.id.op, told.op);
	int code = keep(request->api->store, &want, &told);
	if (code)
		return keep_problem(code, ret_problem);
	request->api->changes++;
	log_debug("a page of %s reports %s on %s: %.0f ns (%s)", want.origin, told.op,
	        want.id.device->name, told.median_ns, told.schedule);
	*ret_result = json_pack("{s:b}", "recorded", 1);
	return 0;
}
