/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches: the answer of `kernel`, then what the tuner says of the kernels that it is served as,
 * as pushed messages; and how a watch or a prefetch is cancelled.
 */
#include "daemon/api/task.h"

static json_t *progress_json(uint32_t measured, uint32_t of)
{
	return json_pack("{s:i,s:i}", "measured", (int)measured, "of", (int)of);
}

/* ---- An operator served as itself. */

static void add_kernel(json_t *message, const struct task *task, const struct tune_kernel *kernel)
{
	struct problem problem;
	json_t *object;

	if (!plan_told_json(task->peer->api->plans, task->plan, kernel, &object, &problem))
		json_object_set_new(message, "kernel", object);
}

static json_t *whole_message(const struct task *task, enum tune_event what,
        const struct tune_kernel *kernel, const char *why)
{
	static const char *const names[] = {
	        [TUNE_PROGRESS] = "progress",
	        [TUNE_IMPROVED] = "improved",
	        [TUNE_FINISHED] = "tuned",
	        [TUNE_FAILED] = "failed",
	};
	json_t *message = task_event(task, names[what]);

	if (what == TUNE_FAILED)
		json_object_set_new(message, "error", task_failure(why));
	if (what == TUNE_FAILED && kernel->status != TUNE_NAIVE)
		return message;
	json_object_set_new(message, "progress", progress_json(kernel->measured, kernel->of));
	if (what != TUNE_PROGRESS)
		add_kernel(message, task, kernel);
	return message;
}

static void whole_notice(struct task *task, const struct task_kernel *of, enum tune_event what,
        const struct tune_kernel *kernel, const char *why)
{
	struct api_peer *peer = task->peer;
	json_t *message = whole_message(task, what, kernel, why);

	(void)of;
	if (what == TUNE_FINISHED || what == TUNE_FAILED)
		task_end(task);
	peer_push(peer, message);
}

/* ---- One served as several, or as the better of two. */

/* Any kernel's improvement is the whole's, which is tuned when all are. One part's failure is the
 * whole's; of two ways one will do. */
static void plan_notice(struct task *task, const struct task_kernel *of, enum tune_event what,
        const struct tune_kernel *kernel, const char *why)
{
	struct api_peer *peer = task->peer;
	struct problem problem;
	json_t *object;

	(void)of, (void)kernel;
	task->done += what == TUNE_FINISHED || what == TUNE_FAILED;
	task->failed += what == TUNE_FAILED;
	bool failed = plan_is_in_parts(task->plan) ? task->failed : task->failed == task->count;
	bool over = failed || task->done == task->count;
	json_t *message = task_event(task, failed                  ? "failed"
	                                   : over                  ? "tuned"
	                                   : what == TUNE_PROGRESS ? "progress"
	                                                           : "improved");
	json_object_set_new(message, "progress", progress_json(task->done, task->count));
	if (failed)
		json_object_set_new(message, "error", task_failure(why));
	else if (what != TUNE_PROGRESS &&
	         !plan_json(peer->api->plans, task->plan, &object, &problem))
		json_object_set_new(message, "kernel", object);
	if (over)
		task_end(task);
	peer_push(peer, message);
}

/* ---- The methods. */

static int start(
        const struct request *request, const struct plan *plan, struct problem *ret_problem)
{
	const struct tune_params params = {.again = request_bool(request, "again")};
	uint32_t count = plan_tuned(plan);
	struct task *task;
	int answer = task_create(request, count, &task, ret_problem);

	if (answer)
		return answer;
	task->notice = plan_is_whole(plan) ? whole_notice : plan_notice;
	task->plan = malloc(sizeof *task->plan);
	if (task->plan)
		*task->plan = *plan;
	else
		answer = problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	for (uint32_t i = 0; !answer && i < count; i++)
		answer = task_wait(task, &plan->kernels[i].id, &params, "op", ret_problem);
	if (answer)
		task_end(task);
	return answer;
}

int handle_watch(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct plans *plans = request->api->plans;
	struct plan_params want;
	struct plan plan;
	json_t *object = NULL;
	int answer = want_read(request, &want, ret_problem);

	want.again = request_bool(request, "again");
	if (!answer)
		answer = plan_read(plans, &want, &plan, ret_problem);
	if (!answer)
		answer = plan_json(plans, &plan, &object, ret_problem);
	if (!answer)
		answer = start(request, &plan, ret_problem);
	if (answer)
		json_decref(object);
	else
		*ret_result = object;
	return answer;
}

/* Cancelling what has just ended is no mistake: the two messages may have crossed. */
int handle_cancel(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	json_int_t id = (json_int_t)request_number(request, "request");
	struct task *task = task_find(request->caller->peer, id);

	(void)ret_problem;
	if (task)
		task_end(task);
	*ret_result = json_pack("{s:b}", "cancelled", task != NULL);
	return 0;
}
