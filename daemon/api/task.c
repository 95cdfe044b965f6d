/* SPDX-License-Identifier: Apache-2.0
 *
 * What a peer waits for: a task is an id and a subscription for each of its kernels. What the tuner
 * says goes to the task's notice, which makes messages of it. Must not know what a task is for.
 * Invariant: a task is on its peer's list until all its subscriptions are over, it is cancelled, or
 * its peer ends.
 */
#include "daemon/api/task.h"

#include <string.h>

#define TASKS_MAX 256 /* of one peer */

struct task *task_find(const struct api_peer *peer, json_int_t id)
{
	struct task *task = peer->tasks;

	while (task && task->id != id)
		task = task->next;
	return task;
}

int task_create(const struct request *request, uint32_t count, struct task **ret_task,
        struct problem *ret_problem)
{
	struct api_peer *peer = request->caller->peer;

	if (!json_is_integer(request->id))
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "id",
		        "give the request an integer id: the events that follow repeat it");
	json_int_t id = json_integer_value(request->id);
	if (task_find(peer, id))
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "id",
		        "id %lld still names a watch or prefetch of this connection; take another",
		        (long long)id);
	if (peer->task_count >= TASKS_MAX)
		return problem_set(ret_problem, PROBLEM_TOO_MANY, "",
		        "this connection already waits for %d kernels; let some finish or cancel "
		        "them",
		        TASKS_MAX);
	struct task *task = calloc(1, sizeof *task + count * sizeof *task->kernels);
	if (!task)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	*task = (struct task){.peer = peer, .id = id, .count = count, .next = peer->tasks};
	peer->tasks = task;
	peer->task_count++;
	*ret_task = task;
	return 0;
}

void task_end(struct task *task)
{
	struct task **at = &task->peer->tasks;

	while (*at != task)
		at = &(*at)->next;
	*at = task->next;
	task->peer->task_count--;
	for (uint32_t i = 0; i < task->waiting; i++)
		tune_unsubscribe(task->kernels[i].subscription);
	free(task->plan);
	free(task);
}

void tasks_end(struct api_peer *peer)
{
	while (peer->tasks)
		task_end(peer->tasks);
}

static void told(
        void *context, enum tune_event what, const struct tune_kernel *kernel, const char *why)
{
	struct task_kernel *of = context;

	if (what == TUNE_FINISHED || what == TUNE_FAILED)
		of->subscription = NULL;
	of->task->notice(of->task, of, what, kernel, why);
}

int task_wait(struct task *task, const struct kernel_id *id, const struct tune_params *params,
        const char *field, struct problem *ret_problem)
{
	struct task_kernel *kernel = &task->kernels[task->waiting++];
	struct tune_params own = *params;
	struct error err = {0};

	kernel->task = task;
	op_print(&id->op, kernel->op);
	own.notify = told;
	own.context = kernel;
	int r = tune_subscribe(task->peer->api->tune, id, &own, &kernel->subscription, &err);
	return r ? kernel_problem(r, &err, field, ret_problem) : 0;
}

/* ---- Messages. */

json_t *task_event(const struct task *task, const char *name)
{
	return json_pack("{s:I,s:s}", "id", task->id, "event", name);
}

json_t *task_failure(const char *why)
{
	struct problem problem;

	problem_set(&problem, PROBLEM_TUNING_FAILED, "", "%s", why ? why : "no reason is known");
	return problem_json(&problem);
}
