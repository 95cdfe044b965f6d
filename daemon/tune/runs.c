/* SPDX-License-Identifier: Apache-2.0
 *
 * The first run counts too: which of the kernels measured costs least to compile once and run so
 * often. Decided from the stored trials, without measuring; the same trials give the same answer.
 * Invariant: only what was verified on the device is chosen.
 */
#include "daemon/log.h"
#include "daemon/tune/state.h"
#include "space/space.h"

#include <string.h>

struct choice {
	double runs, cost_ns;
	struct store_trial best; /* schedule "": what was given */
	const char *given;
};

static double cost_ns(double pipeline_ns, double median_ns, double runs)
{
	return pipeline_ns + runs * median_ns;
}

static bool look(void *context, const struct store_trial *trial)
{
	struct choice *choice = context;
	double cost = cost_ns(trial->pipeline_ns, trial->median_ns, choice->runs);

	if (trial->state == STORE_TRIAL_TIMED && trial->samples && trial->checked &&
	        trial->pipeline_ns > 0 && strcmp(trial->schedule, choice->given) != 0 &&
	        cost < choice->cost_ns) {
		choice->cost_ns = cost;
		choice->best = *trial;
	}
	return true;
}

/* The trial in place of what was given, where it is still legal. */
static void take(struct tune_kernel *kernel, const struct store_trial *trial)
{
	struct limits limits = tune_limits(&kernel->id);
	struct store_kernel *best = &kernel->best;
	struct schedule schedule;

	if (schedule_parse(trial->schedule, &schedule, NULL) ||
	        space_check(&kernel->id.op, &schedule, &limits, NULL))
		return;
	kernel->schedule = schedule;
	memcpy(best->schedule, trial->schedule, sizeof best->schedule);
	best->median_ns = trial->median_ns;
	best->mad_ns = trial->mad_ns;
	best->samples = trial->samples;
	best->pipeline_ns = trial->pipeline_ns;
	best->code_bytes = trial->code_bytes;
	best->max_rel_err = trial->max_rel_err;
	best->checked = trial->checked;
	kernel->predicted_ns = space_predict_ns(
	        &kernel->id.op, &schedule, &kernel->id.device->facts);
}

void tune_for_runs(struct tune *tune, double runs, struct tune_kernel *kernel)
{
	const struct store_kernel *best = &kernel->best;
	struct store_key key = kernel_key(&kernel->id);
	struct choice choice = {.runs = runs,
	        .cost_ns = cost_ns(best->pipeline_ns, best->median_ns, runs),
	        .given = best->schedule};

	/* Of a dynamic kernel the fastest alone was verified as far as it is served. */
	if (kernel->id.op.dynamic_count)
		return;
	if (!(runs > 0) || !best->samples || best->pipeline_ns <= 0 ||
	        (kernel->status != TUNE_TUNED && kernel->status != TUNE_TUNING))
		return;
	int code = store_each_trial(tune->store, &key, look, &choice);
	if (code)
		log_warning("%s: its trials cannot be read: %s; the fastest is served", best->op,
		        strerror(-code));
	if (choice.best.schedule[0])
		take(kernel, &choice.best);
}
