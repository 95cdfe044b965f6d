/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads plans. An operator that no binding holds is taken apart; parts but for the last are alike,
 * so two kernels do. One with a constant input that can be laid out anew has two ways. The kernels
 * of a plan are operators like any other: tuned, stored and shared as such. Must not look at what
 * the tuner knows of a kernel. Invariant: each way's steps compute the whole operator.
 */
#include "daemon/kernel/plans.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static uint32_t add_kernel(struct plan *plan, const struct op *op, double runs, bool tuned)
{
	struct plan_kernel *kernel = &plan->kernels[plan->kernel_count];

	assert(plan->kernel_count < PLAN_KERNELS_MAX);
	*kernel = (struct plan_kernel){plan->params.id, runs, tuned};
	kernel->id.op = *op;
	return plan->kernel_count++;
}

static struct plan_step *add_step(struct plan *plan, uint32_t kernel)
{
	struct plan_step *step = &plan->steps[plan->step_count++];

	*step = (struct plan_step){.kernel = kernel};
	return step;
}

/* The steps that no way has yet. */
static void add_way(struct plan *plan)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < plan->way_count; i++)
		first += plan->ways[i].count;
	plan->ways[plan->way_count++] = (struct plan_way){first, plan->step_count - first};
}

/* ---- In parts. */

static uint32_t kernel_of_part(struct plan *plan, const struct op *op)
{
	for (uint32_t i = 0; i < plan->kernel_count; i++)
		if (!memcmp(&plan->kernels[i].id.op, op, sizeof *op))
			return i;
	return add_kernel(plan, op, plan->params.runs, true);
}

static int read_parts(struct plan *plan, struct problem *ret_problem)
{
	const struct kernel_id *id = &plan->params.id;
	struct op_part parts[OP_PARTS_MAX];
	uint32_t count;
	struct error err;

	if (op_split(&id->op, id->device->limits.binding_bytes, parts, &count, &err))
		return problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS, err.field, "%s", err.text);
	for (uint32_t i = 0; i < count; i++) {
		struct plan_step *step = add_step(plan, kernel_of_part(plan, &parts[i].op));
		memcpy(step->offset_bytes, parts[i].offset_bytes, sizeof step->offset_bytes);
	}
	add_way(plan);
	return 0;
}

/* ---- Laid out anew. */

static int read_layouts(struct plan *plan, struct problem *ret_problem)
{
	const char *constant = plan->params.constant;
	struct op other, preparation;
	struct error err;
	int r = op_relaid(&plan->params.id.op, constant, &other, &preparation, &err);

	if (r == -EINVAL)
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, err.field, "%s", err.text);
	if (r || plan_is_in_parts(plan))
		return 0;
	snprintf(plan->constant, sizeof plan->constant, "%s", constant);
	uint32_t kernel = add_kernel(plan, &other, plan->params.runs, true);
	add_step(plan, add_kernel(plan, &preparation, 1, false))->once = true;
	add_step(plan, kernel);
	add_way(plan);
	return 0;
}

/* ---- Plans. */

int plan_read(struct plans *plans, const struct plan_params *params, struct plan *ret_plan,
        struct problem *ret_problem)
{
	struct plan plan;

	plan.params = *params;
	plan.constant[0] = '\0';
	plan.kernel_count = plan.step_count = plan.way_count = 0;
	int answer = read_parts(&plan, ret_problem);
	if (!answer && params->constant)
		answer = read_layouts(&plan, ret_problem);
	if (answer)
		return answer;
	plan.params.constant = NULL;
	for (uint32_t i = 0; i < plan.kernel_count; i++)
		plan.kernels[i].id.features = kernel_features(plans->store, &plan.kernels[i].id);
	*ret_plan = plan;
	return 0;
}

const struct plan_step *plan_last(const struct plan *plan, uint32_t way)
{
	return &plan->steps[plan->ways[way].first + plan->ways[way].count - 1];
}

bool plan_is_whole(const struct plan *plan)
{
	return plan->step_count == 1;
}

bool plan_is_in_parts(const struct plan *plan)
{
	return plan->way_count == 1 && plan->step_count > 1;
}

uint32_t plan_tuned(const struct plan *plan)
{
	uint32_t count = 0;

	while (count < plan->kernel_count && plan->kernels[count].tuned)
		count++;
	return count;
}

uint32_t plan_steps_of(const struct plan *plan, uint32_t kernel)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->step_count; i++)
		count += plan->steps[i].kernel == kernel;
	return count;
}
