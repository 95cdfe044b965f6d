/* SPDX-License-Identifier: Apache-2.0
 *
 * What a peer waits for. A watch and a prefetch are both a task: an id and one subscription an
 * operator; the tuner's notices become pushed messages that carry the task's id. A task ends when
 * all its subscriptions have, when it is cancelled, or with its peer.
 */
#include "daemon/api/handler.h"

#include "protocol/artifact.h"

#include <errno.h>
#include <string.h>

#define TASKS_MAX    256 /* of one peer */
#define PREFETCH_MAX 256 /* operators of one task */

struct wait {
	struct task *task;
	struct tune_subscription *subscription; /* NULL: over */
	char op[OP_TEXT_BYTES];
};
struct task {
	struct api_peer *peer;
	struct task *next;
	json_int_t id;
	bool prefetch;
	enum nnjit_target target;
	uint32_t count, done, failed;
	struct wait waits[]; /* count */
};

static struct task **find_task(struct api_peer *peer, json_int_t id)
{
	struct task **at = &peer->tasks;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void task_end(struct task **at)
{
	struct task *task = *at;

	*at = task->next;
	task->peer->task_count--;
	for (uint32_t i = 0; i < task->count; i++)
		tune_unsubscribe(task->waits[i].subscription);
	free(task);
}

void tasks_end(struct api_peer *peer)
{
	while (peer->tasks)
		task_end(&peer->tasks);
}

/* ---- From the tuner's notices to messages. */

static json_t *event(const struct task *task, const char *name)
{
	return json_pack("{s:I,s:s}", "id", task->id, "event", name);
}

static void add_kernel(json_t *message, const struct task *task, const struct tune_kernel *kernel)
{
	struct problem problem;
	json_t *object;

	json_object_set_new(message, "progress",
	        json_pack("{s:i,s:i}", "measured", (int)kernel->measured, "of", (int)kernel->of));
	if (!kernel_json(task->peer->api, kernel, task->target, &object, &problem))
		json_object_set_new(message, "kernel", object);
}

static json_t *failure(const char *why)
{
	struct problem problem;

	problem_set(&problem, PROBLEM_TUNING_FAILED, "", "%s", why ? why : "no reason is known");
	return problem_json(&problem);
}

static json_t *watch_message(const struct task *task, enum tune_event what,
        const struct tune_kernel *kernel, const char *why)
{
	json_t *message;

	switch (what) {
	case TUNE_PROGRESS:
		message = event(task, "progress");
		json_object_set_new(message, "progress",
		        json_pack("{s:i,s:i}", "measured", (int)kernel->measured, "of",
		                (int)kernel->of));
		return message;
	case TUNE_IMPROVED:
		message = event(task, "improved");
		add_kernel(message, task, kernel);
		return message;
	case TUNE_FINISHED:
		message = event(task, "tuned");
		add_kernel(message, task, kernel);
		return message;
	case TUNE_FAILED:
		message = event(task, "failed");
		json_object_set_new(message, "error", failure(why));
		return message;
	}
	return NULL;
}

static json_t *prefetch_message(const struct task *task, const char *op, const char *name,
        enum tune_event what, const char *why)
{
	json_t *message = event(task, name);

	json_object_set_new(message, "progress",
	        json_pack("{s:i,s:i,s:i,s:s}", "done", (int)task->done, "of", (int)task->count,
	                "failed", (int)task->failed, "op", op));
	if (what == TUNE_FAILED)
		json_object_set_new(message, "error", failure(why));
	return message;
}

static void watch_notice(
        struct task *task, enum tune_event what, const struct tune_kernel *kernel, const char *why)
{
	struct api_peer *peer = task->peer;
	json_t *message = watch_message(task, what, kernel, why);

	if (what == TUNE_FINISHED || what == TUNE_FAILED)
		task_end(find_task(peer, task->id));
	peer_push(peer, message);
}

static void prefetch_notice(
        struct task *task, const char *op, enum tune_event what, const char *why)
{
	struct api_peer *peer = task->peer;
	json_t *finished = NULL;

	if (what != TUNE_FINISHED && what != TUNE_FAILED)
		return;
	task->done++;
	task->failed += what == TUNE_FAILED;
	json_t *progress = prefetch_message(task, op, "progress", what, why);
	if (task->done == task->count) {
		finished = prefetch_message(task, op, "finished", TUNE_FINISHED, NULL);
		task_end(find_task(peer, task->id));
	}
	if (peer_push(peer, progress) && finished)
		peer_push(peer, finished);
	else
		json_decref(finished);
}

static void notice(
        void *context, enum tune_event what, const struct tune_kernel *kernel, const char *why)
{
	struct wait *wait = context;

	if (what == TUNE_FINISHED || what == TUNE_FAILED)
		wait->subscription = NULL;
	if (wait->task->prefetch)
		prefetch_notice(wait->task, wait->op, what, why);
	else
		watch_notice(wait->task, what, kernel, why);
}

/* ---- The methods. */

static int task_create(const struct request *request, uint32_t count, struct task **ret_task,
        struct problem *ret_problem)
{
	struct api_peer *peer = request->peer;

	if (!peer)
		return problem_set(ret_problem, PROBLEM_UPGRADE_REQUIRED, "",
		        "this method pushes events and belongs to a WebSocket; open one at /v1/ws");
	if (!json_is_integer(request->id))
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "id",
		        "give the request an integer id: the events that follow repeat it");
	json_int_t id = json_integer_value(request->id);
	if (*find_task(peer, id))
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "id",
		        "id %lld still names a watch or prefetch of this connection; take another",
		        (long long)id);
	if (peer->task_count >= TASKS_MAX)
		return problem_set(ret_problem, PROBLEM_TOO_MANY, "",
		        "this connection already waits for %d kernels; let some finish or cancel "
		        "them",
		        TASKS_MAX);
	struct task *task = calloc(1, sizeof *task + count * sizeof *task->waits);
	if (!task)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	*task = (struct task){.peer = peer, .id = id, .count = count, .next = peer->tasks};
	peer->tasks = task;
	peer->task_count++;
	*ret_task = task;
	return 0;
}

static int wait_for(struct task *task, uint32_t index, const struct want *want, bool again,
        const char *field, struct problem *ret_problem)
{
	struct wait *wait = &task->waits[index];
	struct error err = {0};

	wait->task = task;
	memcpy(wait->op, want->op_text, sizeof wait->op);
	int r = tune_subscribe(task->peer->api->tune, want->device, &want->op, want->features,
	        task->prefetch ? TUNE_PREFETCH : TUNE_INTERACTIVE, 0, again, notice, wait,
	        &wait->subscription, &err);
	return r ? tune_problem(r, &err, field, ret_problem) : 0;
}

int handle_watch(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct tune_kernel kernel;
	struct task *task;
	struct want want;
	json_t *object;
	int answer = want_read(request, &want, ret_problem);

	if (!answer)
		answer = kernel_get(request, &want, &kernel, ret_problem);
	if (!answer)
		answer = kernel_json(request->api, &kernel, want.target, &object, ret_problem);
	if (answer)
		return answer;
	answer = task_create(request, 1, &task, ret_problem);
	if (!answer) {
		task->target = want.target;
		answer = wait_for(
		        task, 0, &want, request_bool(request, "again"), "op", ret_problem);
		if (answer)
			task_end(find_task(request->peer, task->id));
	}
	if (answer)
		json_decref(object);
	else
		*ret_result = object;
	return answer;
}

/* All are read before the first is subscribed, so that a list with a mistake does nothing. */
static int prefetch_check(
        const struct request *request, const json_t *ops, struct problem *ret_problem)
{
	struct want want;
	json_t *op;
	size_t i;

	json_array_foreach((json_t *)ops, i, op)
	{
		int answer = want_read_op(request, op, &want, ret_problem);
		if (answer && !strcmp(ret_problem->field, "device"))
			return answer;
		if (answer) {
			char inner[sizeof ret_problem->detail];
			memcpy(inner, ret_problem->detail, sizeof inner);
			snprintf(ret_problem->field, sizeof ret_problem->field, "ops[%zu]", i);
			snprintf(ret_problem->detail, sizeof ret_problem->detail,
			        "ops[%zu]: %.290s", i, inner);
			return answer;
		}
	}
	return 0;
}

static int prefetch_start(const struct request *request, struct task *task, const json_t *ops,
        struct problem *ret_problem)
{
	for (uint32_t i = 0; i < task->count; i++) {
		char field[24];
		struct want want;
		snprintf(field, sizeof field, "ops[%u]", i);
		int answer = want_read_op(request, json_array_get(ops, i), &want, ret_problem);
		if (!answer)
			answer = wait_for(task, i, &want, false, field, ret_problem);
		if (answer)
			return answer;
	}
	return 0;
}

int handle_prefetch(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	const json_t *ops = json_object_get(request->params, "ops");
	size_t count = json_array_size(ops);
	struct task *task;

	if (count < 1 || count > PREFETCH_MAX)
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "ops",
		        "ops must hold 1 to %d operators, not %zu", PREFETCH_MAX, count);
	int answer = prefetch_check(request, ops, ret_problem);
	if (!answer)
		answer = task_create(request, (uint32_t)count, &task, ret_problem);
	if (answer)
		return answer;
	task->prefetch = true;
	answer = prefetch_start(request, task, ops, ret_problem);
	if (answer) {
		task_end(find_task(request->peer, task->id));
		return answer;
	}
	*ret_result = json_pack("{s:I}", "of", (json_int_t)count);
	return 0;
}

/* Cancelling what has just ended is no mistake: the two messages may have crossed. */
int handle_cancel(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	if (!request->peer)
		return problem_set(ret_problem, PROBLEM_UPGRADE_REQUIRED, "",
		        "cancel belongs to a WebSocket; open one at /v1/ws");
	struct task **at = find_task(request->peer, (json_int_t)request_number(request, "request"));
	bool found = *at;
	if (found)
		task_end(at);
	*ret_result = json_pack("{s:b}", "cancelled", found);
	return 0;
}
