/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads plans. An operator that no binding holds is taken apart; parts that are alike share their
 * kernel. One with a constant input that can be laid out anew has two ways. The kernels
 * of a plan are operators like any other: tuned, stored and shared as such. Must not look at what
 * the tuner knows of a kernel. Invariant: each way's steps compute the whole operator.
 */
#include "daemon/kernel/plans.h"

#include <errno.h>
#include <string.h>

static uint32_t kernel_of(struct plan *plan, const struct op_step *step)
{
	uint32_t i = 0;

	while (i < plan->kernel_count &&
	        memcmp(&plan->kernels[i].id.op, &step->op, sizeof step->op) != 0)
		i++;
	if (i < plan->kernel_count || i == PLAN_KERNELS_MAX)
		return i;
	struct plan_kernel *kernel = &plan->kernels[plan->kernel_count++];
	*kernel = (struct plan_kernel){
	        plan->params.id, step->once ? 1 : plan->params.runs, !step->once};
	kernel->id.op = step->op;
	return i;
}

static bool add_step(struct plan *plan, const struct op_step *from)
{
	uint32_t kernel = kernel_of(plan, from);
	struct artifact_step *step = &plan->steps[plan->step_count++];

	*step = (struct artifact_step){kernel, from->repeat, from->once, {{0}}};
	memcpy(step->places, from->places, sizeof step->places);
	return kernel < PLAN_KERNELS_MAX;
}

/* False where it takes too many kernels. What is tuned comes first among them. */
static bool add_way(struct plan *plan, const struct op_way *way)
{
	bool fits = true;

	plan->ways[plan->way_count++] = (struct plan_way){
	        plan->step_count, way->count, way->scratch_bytes};
	for (uint32_t i = 0; i < way->count; i++)
		if (!way->steps[i].once)
			(void)kernel_of(plan, &way->steps[i]);
	for (uint32_t i = 0; fits && i < way->count; i++)
		fits = add_step(plan, &way->steps[i]);
	return fits;
}

static int read_parts(struct plan *plan, struct problem *ret_problem)
{
	const struct kernel_id *id = &plan->params.id;
	const uint64_t own = plan->params.binding_bytes;
	struct op_way way;
	struct error err;

	if (op_split(&id->op, own ? own : id->device->limits.binding_bytes, &way, &err))
		return problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS, err.field, "%s", err.text);
	if (!add_way(plan, &way))
		return problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS, "op",
		        "parts that a binding holds would take more than %d kernels: create the "
		        "device with a larger maxStorageBufferBindingSize",
		        PLAN_KERNELS_MAX);
	return 0;
}

static int read_layouts(struct plan *plan, struct problem *ret_problem)
{
	struct op_way way;
	struct error err;
	int r = op_relaid(&plan->params.id.op, plan->params.constant, &way, &err);

	if (r == -EINVAL)
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, err.field, "%s", err.text);
	if (!r && !plan_is_in_parts(plan))
		(void)add_way(plan, &way);
	return 0;
}

/* ---- Plans. */

int plan_read(struct plans *plans, const struct plan_params *params, struct plan *ret_plan,
        struct problem *ret_problem)
{
	struct plan plan;

	plan.params = *params;
	plan.kernel_count = plan.step_count = plan.way_count = 0;
	int answer = read_parts(&plan, ret_problem);
	if (!answer && params->constant)
		answer = read_layouts(&plan, ret_problem);
	if (answer)
		return answer;
	plan.params.constant = NULL;
	for (uint32_t i = 0; !params->again && i < plan.kernel_count; i++)
		kernel_share(plans->store, &plan.kernels[i].id);
	*ret_plan = plan;
	return 0;
}

const struct artifact_step *plan_last(const struct plan *plan, uint32_t way)
{
	return &plan->steps[plan->ways[way].first + plan->ways[way].count - 1];
}

bool plan_is_whole(const struct plan *plan)
{
	return plan->way_count == 1 && plan->step_count == 1 && plan->steps[0].repeat == 1 &&
	       !memcmp(&plan->kernels[0].id.op, &plan->params.id.op, sizeof plan->params.id.op);
}

bool plan_is_in_parts(const struct plan *plan)
{
	return plan->way_count == 1 && !plan_is_whole(plan);
}

uint32_t plan_tuned(const struct plan *plan)
{
	uint32_t count = 0;

	while (count < plan->kernel_count && plan->kernels[count].tuned)
		count++;
	return count;
}

uint32_t plan_runs_of(const struct plan *plan, uint32_t kernel)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kernel == kernel)
			count += plan->steps[i].repeat;
	return count;
}
