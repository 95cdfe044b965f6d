/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel as known now, which also queues its tuning where who asks may start work, and the
 * kernels within a few percent of it. Must not decide what an operator is served as: daemon/kernel
 * does.
 */
#include "daemon/api/handler.h"

int handle_kernel(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct plans *plans = request->api->plans;
	struct plan_params want;
	struct plan plan;
	int answer = want_read(request, &want, ret_problem);

	if (!answer)
		answer = plan_read(plans, &want, &plan, ret_problem);
	if (answer)
		return answer;
	return caller_may(request->caller, CALLER_STARTER)
	               ? plan_answer(plans, &plan, ret_result, ret_problem)
	               : plan_json(plans, &plan, ret_result, ret_problem);
}

int kernel_text(const struct request *request, const char **ret_text, size_t *ret_length,
        struct problem *ret_problem)
{
	struct plan_params want;
	int answer = want_read(request, &want, ret_problem);

	return answer ? answer
	              : plan_text(request->api->plans, &want, ret_text, ret_length, ret_problem);
}

int handle_leaders(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct plan_params want;
	json_t *array;
	int answer = want_read(request, &want, ret_problem);

	if (!answer)
		answer = leaders_json(request->api->plans, &want, &array, ret_problem);
	if (!answer)
		*ret_result = json_pack("{s:o}", "leaders", array);
	return answer;
}
