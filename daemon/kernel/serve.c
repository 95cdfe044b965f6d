/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers plans: what the tuner knows of each kernel now, the better way where there are two, and
 * the tuning of what is not tuned. Must not look at a schedule. Invariant: an answer waits for
 * nothing that it starts.
 */
#include "daemon/kernel/plans.h"

#include "base/cleanup.h"
#include "protocol/artifact_json.h"

#include <errno.h>
#include <string.h>

/* ---- One kernel. */

enum artifact_status kernel_status(enum tune_status status)
{
	static const enum artifact_status map[] = {
#define ENTRY(name) [TUNE_##name] = ARTIFACT_##name,
	        TUNE_EACH_STATUS(ENTRY)
#undef ENTRY
	};

	return map[status];
}

int kernel_problem(
        int answer, const struct error *err, const char *field, struct problem *ret_problem)
{
	if (answer == -ERANGE)
		return problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS,
		        *err->field ? err->field : field, "%s",
		        *err->text ? err->text : "no schedule fits this device");
	if (answer == -ENODEV)
		return problem_set(ret_problem, PROBLEM_NO_DEVICE, "device", "%s", err->text);
	if (answer == -EROFS)
		return problem_set(ret_problem, PROBLEM_TUNING_FAILED, "", "%s", err->text);
	if (answer == -EAGAIN)
		return problem_set(ret_problem, PROBLEM_TOO_MANY, field, "%s",
		        *err->text ? err->text : "the queue is full; ask again in a minute");
	return problem_set(ret_problem, PROBLEM_INTERNAL, field, "%s",
	        *err->text ? err->text : strerror(-answer));
}

int known_read(struct plans *plans, const struct plan_kernel *of, struct tune_kernel *ret_kernel,
        struct problem *ret_problem)
{
	struct error err = {0};
	int r = tune_get(plans->tune, &of->id, ret_kernel, &err);

	if (r)
		return kernel_problem(r, &err, "op", ret_problem);
	tune_for_runs(plans->tune, of->runs, ret_kernel);
	return 0;
}

static struct artifact artifact_of(const struct tune_kernel *kernel, enum target target)
{
	bool measured = kernel->best.samples > 0;
	const struct store_kernel *best = &kernel->best;

	struct artifact artifact = {
	        .op = kernel->id.op,
	        .schedule = kernel->schedule,
	        .target = target,
	        .device = kernel->id.device->id,
	        .facts = kernel->id.device->facts,
	        .status = kernel_status(kernel->status),
	        .measured = kernel->measured,
	        .of = kernel->of,
	        .predicted_ns = kernel->predicted_ns,
	        .median_ns = measured ? best->median_ns : 0,
	        .mad_ns = measured ? best->mad_ns : 0,
	        .baseline_ns = measured ? best->baseline_ns : 0,
	        .samples = measured ? best->samples : 0,
	        .wall_clock = best->wall_clock,
	        .pipeline_ns = measured ? best->pipeline_ns : 0,
	        .spirv_bytes = measured ? best->code_bytes : 0,
	        .max_rel_err = measured ? best->max_rel_err : 0,
	        .checked = measured ? best->checked : 0,
	        .share = measured ? best->share : 0,
	};

	memcpy(artifact.most, kernel->most, sizeof artifact.most);
	return artifact;
}

static int not_generated(int r, struct problem *ret_problem)
{
	return problem_set(ret_problem, PROBLEM_INTERNAL, "",
	        "the kernel could not be generated: %s", strerror(-r));
}

int known_json(struct plans *plans, const struct tune_kernel *kernel, enum target target,
        json_t **ret_object, struct problem *ret_problem)
{
	const struct artifact artifact = artifact_of(kernel, target);
	int r = artifact_json(plans->nnjit, &artifact, ret_object);

	return r ? not_generated(r, ret_problem) : 0;
}

/* ---- A plan. */

/* What is known of a kernel, with what the origin itself measured settling near-ties. */
static struct artifact settled_of(
        struct store *store, const struct plan_params *params, const struct tune_kernel *kernel)
{
	struct tune_kernel settled = *kernel;
	bool chosen = settle(store, params->origin, &settled);
	struct artifact artifact = artifact_of(&settled, params->target);

	artifact.settled = chosen;
	return artifact;
}

/* What is true of all kernels that run in every run is the least that is true of one. */
static enum artifact_status least(enum artifact_status all, enum artifact_status one)
{
	if (one == ARTIFACT_TUNED)
		return all;
	return all == ARTIFACT_TUNED || one < all ? one : all;
}

/* The number that the plan's kernel has among those of the way. */
static uint32_t take_kernel(struct served *served, const struct plan *plan, uint32_t kernel)
{
	const struct op *op = &plan->kernels[kernel].id.op;
	uint32_t i = 0;

	while (i < served->kernel_count && memcmp(&served->kernels[i].op, op, sizeof *op) != 0)
		i++;
	if (i == served->kernel_count)
		served->kernels[served->kernel_count++] = artifact_of(
		        &served->known[kernel], plan->params.target);
	return i;
}

/* An open dimension reaches as far as that of every kernel that has it. */
static void narrow(struct artifact *whole, const struct artifact *kernel)
{
	char name[24], own[24];

	for (uint32_t i = 0; i < whole->op.dynamic_count; i++) {
		op_dynamic_name(&whole->op, i, name);
		for (uint32_t j = 0; j < kernel->op.dynamic_count; j++) {
			uint32_t most = kernel->most[j];
			op_dynamic_name(&kernel->op, j, own);
			if (!strcmp(name, own) && most &&
			        (!whole->most[i] || most < whole->most[i]))
				whole->most[i] = most;
		}
	}
}

static void serve_steps(const struct plan *plan, const struct plan_way *way, struct served *served)
{
	const struct plan_params *params = &plan->params;

	served->whole = (struct artifact){.op = params->id.op,
	        .target = params->target,
	        .device = params->id.device->id,
	        .status = ARTIFACT_TUNED};
	served->kernel_count = 0;
	served->step_count = way->count;
	served->scratch_bytes = way->scratch_bytes;
	for (uint32_t i = 0; i < way->count; i++) {
		struct artifact_step *step = &served->steps[i];
		*step = plan->steps[way->first + i];
		step->kernel = take_kernel(served, plan, step->kernel);
		narrow(&served->whole, &served->kernels[step->kernel]);
		if (!step->once)
			served->whole.status = least(
			        served->whole.status, served->kernels[step->kernel].status);
	}
}

static void serve_kernel(struct store *store, const struct plan_params *params,
        const struct tune_kernel *kernel, struct served *served)
{
	served->kernels[0] = served->whole = settled_of(store, params, kernel);
	served->kernel_count = 1;
	served->step_count = 0;
}

/* The faster way. */
static void serve_way(struct store *store, const struct plan *plan, struct served *served)
{
	const struct plan_way *way = &plan->ways[choose_way(plan, served->known)];

	if (plan_is_in_parts(plan) || way->count > 1)
		serve_steps(plan, way, served);
	else
		serve_kernel(store, &plan->params, &served->known[plan->steps[way->first].kernel],
		        served);
	if (served->whole.status == ARTIFACT_TUNED && choice_is_open(plan, served->known))
		served->whole.status = ARTIFACT_TUNING; /* the choice is */
	if (!served->step_count)
		served->kernels[0].status = served->whole.status;
}

int serve(struct plans *plans, const struct plan *plan, struct served *ret_served,
        struct problem *ret_problem)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < plan->kernel_count; i++)
		r = known_read(plans, &plan->kernels[i], &ret_served->known[i], ret_problem);
	if (!r)
		serve_way(plans->store, plan, ret_served);
	return r;
}

void serve_queue(struct plans *plans, const struct plan *plan, const struct served *served)
{
	for (uint32_t i = 0; i < plan_tuned(plan); i++)
		(void)tune_queue(plans->tune, &served->known[i]);
}

int served_write(struct plans *plans, const struct served *served, int digits, struct buffer *text,
        struct problem *ret_problem)
{
	const struct artifact_steps all = {&served->whole, served->kernels, served->kernel_count,
	        served->steps, served->step_count, served->scratch_bytes};
	int r = served->step_count
	                ? artifact_steps_write(plans->nnjit, &all, digits, text)
	                : artifact_write(plans->nnjit, &served->kernels[0], digits, text);

	return r ? not_generated(r, ret_problem) : 0;
}

/* ---- As JSON. */

static int served_json(struct plans *plans, const struct served *served, json_t **ret_object,
        struct problem *ret_problem)
{
	AUTO(buffer_free) struct buffer text = {0};
	int r = served_write(plans, served, ARTIFACT_ALL_DIGITS, &text, ret_problem);

	if (!r && artifact_value(&text, ret_object))
		r = problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	return r;
}

int plan_json(struct plans *plans, const struct plan *plan, json_t **ret_object,
        struct problem *ret_problem)
{
	struct served served;
	int r = serve(plans, plan, &served, ret_problem);

	return r ? r : served_json(plans, &served, ret_object, ret_problem);
}

int plan_told_json(struct plans *plans, const struct plan *plan, const struct tune_kernel *kernel,
        json_t **ret_object, struct problem *ret_problem)
{
	struct tune_kernel told = *kernel;
	struct served served;

	tune_for_runs(plans->tune, plan->params.runs, &told);
	serve_kernel(plans->store, &plan->params, &told, &served);
	return served_json(plans, &served, ret_object, ret_problem);
}

int plan_answer(struct plans *plans, const struct plan *plan, json_t **ret_object,
        struct problem *ret_problem)
{
	struct served served;
	int r = serve(plans, plan, &served, ret_problem);

	if (!r)
		r = served_json(plans, &served, ret_object, ret_problem);
	if (!r)
		serve_queue(plans, plan, &served);
	return r;
}
