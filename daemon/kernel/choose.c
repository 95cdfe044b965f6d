/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses between an operator as it was asked for and the same with one input laid out anew. What
 * was measured goes before what is only predicted. As it was asked for goes before what is not
 * faster by more than near-ties are. Must not measure or ask for anything itself.
 */
#include "daemon/kernel/plans.h"

static double time_of(const struct tune_kernel *kernel)
{
	return kernel->best.samples ? kernel->best.median_ns : kernel->predicted_ns;
}

/* Whether laying the input out anew pays: `once_ns` is what doing so takes. */
static bool pays(const struct tune_kernel *asked, const struct tune_kernel *other, double runs,
        double once_ns)
{
	bool measured = asked->best.samples > 0;
	double gain_ns = time_of(asked) - TUNE_TIE * time_of(other);

	if (other->status == TUNE_NAIVE || measured != (other->best.samples > 0))
		return !measured && other->best.samples > 0 && other->status != TUNE_NAIVE;
	return gain_ns > 0 && (!(runs > 0) || runs * gain_ns > once_ns);
}

/* The kernel that a way of a few steps comes down to: the one that every run runs. */
static const struct tune_kernel *of_way(
        const struct plan *plan, uint32_t way, const struct tune_kernel *known)
{
	return &known[plan_last(plan, way)->kernel];
}

uint32_t choose_way(
        const struct plan *plan, const struct tune_kernel known[static PLAN_KERNELS_MAX])
{
	const struct artifact_step *first = &plan->steps[plan->ways[plan->way_count - 1].first];

	if (plan->way_count < 2)
		return 0;
	return pays(of_way(plan, 0, known), of_way(plan, 1, known), plan->params.runs,
	        time_of(&known[first->kernel]));
}

bool choice_is_open(
        const struct plan *plan, const struct tune_kernel known[static PLAN_KERNELS_MAX])
{
	for (uint32_t i = 0; plan->way_count > 1 && i < plan->way_count; i++) {
		enum tune_status status = of_way(plan, i, known)->status;
		if (status != TUNE_TUNED && status != TUNE_NAIVE)
			return true;
	}
	return false;
}
