/* SPDX-License-Identifier: Apache-2.0
 *
 * What a peer waits for. A watch and a prefetch are both a task: an id and one subscription an
 * operator; the tuner's notices become pushed messages that carry the task's id. A task ends when
 * all its subscriptions have, when it is cancelled, or with its peer.
 */
#include "base/cleanup.h"
#include "daemon/api/layouts.h"
#include "daemon/api/parts.h"
#include "daemon/api/wants.h"

#include "protocol/artifact/artifact.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define TASKS_MAX    256 /* of one peer */
#define BUDGET_S_MAX 86400

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
	/* Of a watched operator that is served as others, each of which is waited for; owned. */
	struct parts *parts;
	struct layouts *layouts;
	enum target target;
	double runs; /* of a watch: what its kernels are chosen for */
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
	free(task->parts);
	free(task->layouts);
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
	struct api_peer *peer = task->peer;
	struct tune_kernel served = *kernel;
	struct problem problem;
	json_t *object;

	json_object_set_new(message, "progress",
	        json_pack("{s:i,s:i}", "measured", (int)kernel->measured, "of", (int)kernel->of));
	tune_for_runs(peer->api->tune, task->runs, &served);
	if (!kernel_served(peer->api, peer->origin, &served, task->target, &object, &problem))
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
		if (kernel->status == TUNE_NAIVE)
			add_kernel(message, task, kernel);
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

static int others_json(const struct task *task, json_t **ret_object)
{
	struct api_peer *peer = task->peer;
	struct problem problem;

	return task->parts
	               ? parts_json(peer->api, task->parts, ret_object, &problem)
	               : layouts_json(peer->api, peer->origin, task->layouts, ret_object, &problem);
}

/* Any part's or layout's improvement is the whole's, which is tuned when all are. One part's
 * failure is the whole's; of layouts one will do. */
static void others_notice(struct task *task, enum tune_event what, const char *why)
{
	struct api_peer *peer = task->peer;
	json_t *object, *message;

	task->done += what == TUNE_FINISHED || what == TUNE_FAILED;
	task->failed += what == TUNE_FAILED;
	bool failed = task->parts ? task->failed : task->failed == task->count;
	bool over = failed || task->done == task->count;
	message = event(task, failed                  ? "failed"
	                      : over                  ? "tuned"
	                      : what == TUNE_PROGRESS ? "progress"
	                                              : "improved");
	json_object_set_new(message, "progress",
	        json_pack("{s:i,s:i}", "measured", (int)task->done, "of", (int)task->count));
	if (failed)
		json_object_set_new(message, "error", failure(why));
	else if (what != TUNE_PROGRESS && !others_json(task, &object))
		json_object_set_new(message, "kernel", object);
	if (over)
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
	else if (wait->task->parts || wait->task->layouts)
		others_notice(wait->task, what, why);
	else
		watch_notice(wait->task, what, kernel, why);
}

/* ---- The methods. */

static int task_create(const struct request *request, uint32_t count, struct task **ret_task,
        struct problem *ret_problem)
{
	struct api_peer *peer = request->peer;

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

static int wait_for(struct task *task, uint32_t index, const struct want *want, uint64_t budget_ns,
        bool again, const char *field, struct problem *ret_problem)
{
	struct wait *wait = &task->waits[index];
	struct error err = {0};

	wait->task = task;
	memcpy(wait->op, want->op_text, sizeof wait->op);
	const struct tune_params params = {
	        .priority = task->prefetch ? TUNE_PREFETCH : TUNE_INTERACTIVE,
	        .budget_ns = budget_ns,
	        .again = again,
	        .notify = notice,
	        .context = wait};
	int r = tune_subscribe(
	        task->peer->api->tune, &want->id, &params, &wait->subscription, &err);
	return r ? tune_problem(r, &err, field, ret_problem) : 0;
}

static int watch_whole(const struct request *request, const struct want *want, json_t **ret_object,
        struct problem *ret_problem)
{
	struct tune_kernel kernel;
	int answer = kernel_get(request->api, want, &kernel, ret_problem);

	return answer ? answer
	              : kernel_served(request->api, request_origin(request), &kernel, want->target,
	                        ret_object, ret_problem);
}

/* What a watched operator is served as, where that is not itself. */
struct others {
	struct parts *parts;
	struct layouts *layouts;
};

/* Subscribes to the operator, or to each of those that it is served as, which the task takes over.
 */
static int watch_start(const struct request *request, const struct want *want,
        struct others *others, struct problem *ret_problem)
{
	const struct want *wants = others->parts     ? others->parts->want
	                           : others->layouts ? others->layouts->want
	                                             : want;
	uint32_t count = others->parts ? others->parts->kind_count : others->layouts ? LAYOUTS : 1;
	struct task *task;
	int answer = task_create(request, count, &task, ret_problem);

	if (answer)
		return answer;
	task->target = want->target;
	task->runs = want->runs;
	task->parts = TAKE(others->parts);
	task->layouts = TAKE(others->layouts);
	for (uint32_t i = 0; !answer && i < count; i++)
		answer = wait_for(
		        task, i, &wants[i], 0, request_bool(request, "again"), "op", ret_problem);
	if (answer)
		task_end(find_task(request->peer, task->id));
	return answer;
}

static void free_others(struct others *others)
{
	free(others->parts);
	free(others->layouts);
}

int handle_watch(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	AUTO(free_others) struct others others = {0};
	struct want want;
	json_t *object = NULL;
	int answer = want_read(request, &want, ret_problem);

	if (!answer)
		answer = parts_read(request, &want, &others.parts, ret_problem);
	if (!answer && !others.parts)
		answer = layouts_read(request, &want, &others.layouts, ret_problem);
	if (answer)
		return answer;
	if (others.parts)
		answer = parts_json(request->api, others.parts, &object, ret_problem);
	else if (others.layouts)
		answer = layouts_json(request->api, request_origin(request), others.layouts,
		        &object, ret_problem);
	else
		answer = watch_whole(request, &want, &object, ret_problem);
	if (!answer)
		answer = watch_start(request, &want, &others, ret_problem);
	if (answer)
		json_decref(object);
	else
		*ret_result = object;
	return answer;
}

/* ---- Prefetches, of a list or a model. */

static int read_budget(
        const struct request *request, uint64_t *ret_budget_ns, struct problem *ret_problem)
{
	double seconds = request_number(request, "budget_s");

	*ret_budget_ns = 0;
	if (!json_object_get(request->params, "budget_s"))
		return 0;
	if (!(seconds > 0 && seconds <= BUDGET_S_MAX))
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "budget_s",
		        "budget_s must be more than 0 and at most %d seconds", BUDGET_S_MAX);
	*ret_budget_ns = (uint64_t)(seconds * 1e9);
	return 0;
}

/* Those that the device refuses are left out. */
static int prefetch_watched(
        const struct request *request, const struct wants *wants, struct problem *ret_problem)
{
	struct task *task;
	uint32_t next = 0, order[WANTS_MAX];
	int answer = task_create(request, wants->count - wants->refused, &task, ret_problem);

	if (answer)
		return answer;
	task->prefetch = true;
	wants_order(wants, order);
	for (uint32_t i = 0; !answer && i < wants->count; i++) {
		const struct wanted *wanted = &wants->items[order[i]];
		char field[24];
		snprintf(field, sizeof field, "ops[%u]", order[i]);
		if (!wanted->refused)
			answer = wait_for(task, next++, &wanted->want, wanted->budget_ns, false,
			        wants->model ? "model" : field, ret_problem);
	}
	if (answer)
		task_end(find_task(request->peer, task->id));
	return answer;
}

/* Without a peer there is nobody to tell: the jobs go on by themselves. Those that find the queue
 * full are told as not queued. */
static uint32_t prefetch_queued(const struct request *request, const struct wants *wants)
{
	uint32_t queued = 0, order[WANTS_MAX];

	wants_order(wants, order);
	for (uint32_t i = 0; i < wants->count; i++) {
		const struct wanted *wanted = &wants->items[order[i]];
		const struct want *want = &wanted->want;
		const struct tune_params params = {
		        .priority = TUNE_PREFETCH, .budget_ns = wanted->budget_ns};
		queued += !wanted->refused && wanted_open(wanted) &&
		          !tune_subscribe(request->api->tune, &want->id, &params, NULL, NULL);
	}
	return queued;
}

static json_t *prefetched_json(const struct wanted *wanted)
{
	json_t *object = json_pack("{s:s,s:I,s:s,s:f}", "op", wanted->want.op_text, "times",
	        (json_int_t)wanted->times, "status",
	        wanted->refused ? "refused"
	                        : artifact_status_name(kernel_status(wanted->kernel.status)),
	        "budget_s", round((double)wanted->budget_ns / 1e6) / 1e3);

	if (*wanted->name)
		json_object_set_new(object, "name", json_string(wanted->name));
	if (wanted->refused)
		json_object_set_new(object, "why", json_string(wanted->why.text));
	return object;
}

/* What is tuned, and where to look how it goes on. */
static json_t *prefetch_json(const struct wants *wants)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < wants->count; i++)
		json_array_append_new(array, prefetched_json(&wants->items[i]));
	return json_pack("{s:i,s:i,s:s,s:o}", "of", (int)(wants->count - wants->refused), "refused",
	        (int)wants->refused, "look",
	        methods[wants->model ? METHOD_MODEL : METHOD_KERNELS].path, "ops", array);
}

int handle_prefetch(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct wants wants;
	uint64_t budget_ns;
	double runs;
	int answer = read_budget(request, &budget_ns, ret_problem);

	if (!answer)
		answer = want_runs(request, &runs, ret_problem);
	if (!answer)
		answer = wants_read(request, &wants, ret_problem);
	if (answer)
		return answer;
	wants_share(&wants, budget_ns, runs);
	if (wants.count == wants.refused)
		answer = problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS, "model",
		        "%s runs no operator that fits this device%s%.160s",
		        model_name(wants.model), wants.count ? ": " : "",
		        wants.count ? wants.items[0].why.text : "");
	else if (request->peer)
		answer = prefetch_watched(request, &wants, ret_problem);
	if (!answer)
		*ret_result = prefetch_json(&wants);
	if (!answer && !request->peer)
		json_object_set_new(
		        *ret_result, "queued", json_integer(prefetch_queued(request, &wants)));
	wants_free(&wants);
	return answer;
}

/* Cancelling what has just ended is no mistake: the two messages may have crossed. */
int handle_cancel(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	(void)ret_problem;
	struct task **at = find_task(request->peer, (json_int_t)request_number(request, "request"));
	bool found = *at;
	if (found)
		task_end(at);
	*ret_result = json_pack("{s:b}", "cancelled", found);
	return 0;
}
