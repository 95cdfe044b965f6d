/* SPDX-License-Identifier: Apache-2.0
 *
 * Near-ties, settled for one origin by what its own pages measured. The leaders are the schedules
 * that our own trials verified and timed within a few percent of the best. Among them, and only
 * them, reports decide, each as far as its clock can be believed. Invariant: what an origin reports
 * changes nothing that another is served, and nothing that is stored of our own.
 */
#include "daemon/kernel/plans.h"

#include "space/space.h"

#include <math.h>
#include <string.h>

#define NEAR         1.05 /* of the best's own time: what may be settled */
#define GOOD_QUANTA  10.0 /* a sample of so many ticks of the page's clock counts for half */
#define GOOD_SAMPLES 3.0  /* and so does this many samples */

/* ---- Leaders. */

#define LEADERS_MAX 4
struct leaders {
	uint32_t count; /* > 0; the kernel itself first, then by their time */
	struct store_trial trials[LEADERS_MAX];
};

struct gather {
	double limit_ns;
	const struct store_kernel *best;
	struct leaders *leaders;
};

static void insert(struct leaders *leaders, const struct store_trial *trial)
{
	uint32_t at = leaders->count < LEADERS_MAX ? leaders->count++ : LEADERS_MAX - 1;

	if (at == LEADERS_MAX - 1 && leaders->count == LEADERS_MAX &&
	        leaders->trials[at].median_ns && leaders->trials[at].median_ns <= trial->median_ns)
		return;
	for (; at > 1 && leaders->trials[at - 1].median_ns > trial->median_ns; at--)
		leaders->trials[at] = leaders->trials[at - 1];
	leaders->trials[at] = *trial;
}

static bool gather(void *context, const struct store_trial *trial)
{
	struct gather *to = context;

	if (trial->state == STORE_TRIAL_TIMED && trial->median_ns > 0 &&
	        trial->median_ns <= to->limit_ns && strcmp(trial->schedule, to->best->schedule))
		insert(to->leaders, trial);
	return true;
}

/* A tuned kernel and the schedules that our own trials put near it; of any other itself alone, and
 * of a dynamic one, as no other was verified as far as it is served. */
static void leaders_of(
        struct store *store, const struct tune_kernel *kernel, struct leaders *ret_leaders)
{
	const struct store_kernel *best = &kernel->best;
	struct store_key key = kernel_key(&kernel->id);
	struct leaders leaders = {.count = 1};
	struct gather to = {best->median_ns * NEAR, best, &leaders};
	struct store_trial *first = &leaders.trials[0];

	snprintf(first->schedule, sizeof first->schedule, "%s", best->schedule);
	first->median_ns = best->median_ns;
	first->mad_ns = best->mad_ns;
	first->samples = best->samples;
	if (kernel->status == TUNE_TUNED && !kernel->id.op.dynamic_count)
		(void)store_each_trial(store, &key, gather, &to);
	*ret_leaders = leaders;
}

/* Puts a leader in the kernel's place; false where it is not legal here any more. */
static bool take(const struct store_trial *leader, struct tune_kernel *kernel)
{
	struct limits limits = tune_limits(&kernel->id);
	struct schedule schedule;

	if (schedule_parse(leader->schedule, &schedule, NULL) ||
	        space_check(&kernel->id.op, &schedule, &limits, NULL))
		return false;
	kernel->schedule = schedule;
	snprintf(kernel->best.schedule, sizeof kernel->best.schedule, "%s", leader->schedule);
	kernel->best.median_ns = leader->median_ns;
	kernel->best.mad_ns = leader->mad_ns;
	kernel->best.samples = leader->samples;
	return true;
}

/* ---- Settling. */

static const struct store_report *report_of(
        const struct store_reports *reports, const char *schedule)
{
	for (uint32_t i = 0; i < reports->count; i++)
		if (!strcmp(reports->rows[i].schedule, schedule))
			return &reports->rows[i];
	return NULL;
}

double report_weight(const struct store_report *report)
{
	double quanta = report->quantum_ns > 0 ? report->span_ns / report->quantum_ns : INFINITY;
	double samples = report->samples;
	double by_clock = isinf(quanta) ? 1 : quanta / (quanta + GOOD_QUANTA);

	return by_clock * samples / (samples + GOOD_SAMPLES);
}

/* How many times the best's time the leader takes, all told: our measure and the page's, the latter
 * as far as both reports can be believed. */
static double standing(const struct store_trial *leader, const struct store_trial *best,
        const struct store_report *its, const struct store_report *of_best)
{
	double weight = fmin(report_weight(its), report_weight(of_best));

	return (1 - weight) * log(leader->median_ns / best->median_ns) +
	       weight * log(its->median_ns / of_best->median_ns);
}

bool settle(struct store *store, const char *origin, struct tune_kernel *kernel)
{
	struct store_key key = kernel_key(&kernel->id);
	struct store_reports reports;
	struct leaders leaders;
	double least = 0;
	uint32_t chosen = 0;

	if (!origin || kernel->status != TUNE_TUNED ||
	        store_get_reports(store, origin, &key, kernel->best.op, &reports))
		return false;
	leaders_of(store, kernel, &leaders);
	const struct store_report *of_best = report_of(&reports, leaders.trials[0].schedule);
	for (uint32_t i = 1; of_best && i < leaders.count; i++) {
		const struct store_report *its = report_of(&reports, leaders.trials[i].schedule);
		double all_told =
		        its ? standing(&leaders.trials[i], &leaders.trials[0], its, of_best) : 0;
		if (all_told < least) {
			least = all_told;
			chosen = i;
		}
	}
	return chosen && take(&leaders.trials[chosen], kernel);
}

/* ---- As JSON. */

static int leaders_of_whole(
        struct plans *plans, const struct plan *plan, json_t *array, struct problem *ret_problem)
{
	struct tune_kernel kernel;
	struct leaders leaders;
	json_t *object;
	int answer = known_read(plans, &plan->kernels[0], &kernel, ret_problem);

	if (answer)
		return answer;
	leaders_of(plans->store, &kernel, &leaders);
	for (uint32_t i = 0; !answer && i < leaders.count; i++) {
		if (i && !take(&leaders.trials[i], &kernel))
			continue;
		answer = known_json(plans, &kernel, plan->params.target, &object, ret_problem);
		if (!answer)
			json_array_append_new(array, object);
	}
	return answer;
}

int leaders_json(struct plans *plans, const struct plan_params *params, json_t **ret_array,
        struct problem *ret_problem)
{
	struct plan plan;
	int answer = plan_read(plans, params, &plan, ret_problem);

	if (answer)
		return answer;
	json_t *array = json_array();
	if (plan_is_whole(&plan))
		answer = leaders_of_whole(plans, &plan, array, ret_problem);
	if (answer)
		json_decref(array);
	else
		*ret_array = array;
	return answer;
}
