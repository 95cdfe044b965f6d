/* SPDX-License-Identifier: Apache-2.0
 *
 * What the operators of a request take, and how they share a budget for tuning. Must not ask the
 * tuner for anything.
 */
#include "daemon/api/op_list.h"

#include "cost/roofline.h"
#include "space/space.h"

#include <math.h>

#define LEAST_NS 200000000ull /* of a budget, for one operator */
#define MOST_NS  86400000000000ull
#define OPEN     0.25 /* of a time, that tuning may win whatever is predicted */

double op_entry_tuned_ns(const struct op_entry *entry)
{
	const struct tune_kernel *kernel = &entry->kernel;

	return kernel->best.median_ns > 0 ? kernel->best.median_ns : kernel->predicted_ns;
}

/* Where the default kernel cannot run on the device, the best known one stands for it. */
double op_entry_default_ns(const struct op_entry *entry)
{
	const struct tune_kernel *kernel = &entry->kernel;
	const struct schedule baseline = space_baseline(&kernel->id.op);

	if (kernel->best.median_ns > 0)
		return kernel->best.baseline_ns > 0 ? kernel->best.baseline_ns
		                                    : kernel->best.median_ns;
	double predicted_ns = space_predict_ns(
	        &kernel->id.op, &baseline, &kernel->id.device->facts);
	return fmax(predicted_ns, kernel->predicted_ns);
}

bool op_entry_open(const struct op_entry *entry)
{
	return !entry->refused && entry->kernel.status != TUNE_TUNED &&
	       entry->kernel.status != TUNE_NAIVE;
}

/* What tuning may still win in one pass over the list. A prediction is no measurement: however near
 * the roofline it claims to be, a part of the time is always taken to be open. */
static double gain_ns(const struct op_entry *entry)
{
	const struct tune_kernel *kernel = &entry->kernel;
	double now_ns = op_entry_tuned_ns(entry);
	double least_ns = roofline_ns(&kernel->id.op, &kernel->id.device->facts);

	return fmax(now_ns - least_ns, OPEN * now_ns) * (double)entry->times;
}

void op_list_budget(struct op_list *list, uint64_t budget_ns, double runs)
{
	double sum_ns = 0;

	for (uint32_t i = 0; i < list->count; i++)
		if (op_entry_open(&list->entries[i]))
			sum_ns += gain_ns(&list->entries[i]);
	for (uint32_t i = 0; (budget_ns || runs > 0) && i < list->count; i++) {
		struct op_entry *entry = &list->entries[i];
		if (!op_entry_open(entry))
			continue;
		double own_ns = gain_ns(entry), part_ns = INFINITY;
		if (budget_ns)
			part_ns = sum_ns > 0 ? own_ns / sum_ns * (double)budget_ns : 0;
		if (runs > 0)
			part_ns = fmin(part_ns, runs * own_ns);
		entry->budget_ns = part_ns < (double)LEAST_NS  ? LEAST_NS
		                   : part_ns < (double)MOST_NS ? (uint64_t)part_ns
		                                               : MOST_NS;
	}
}

void op_list_order(const struct op_list *list, uint32_t ret_order[static OP_LIST_MAX])
{
	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t at = i;
		for (; at &&
		        list->entries[ret_order[at - 1]].budget_ns > list->entries[i].budget_ns;
		        at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = i;
	}
}
