/* SPDX-License-Identifier: Apache-2.0
 *
 * Prefetches, of a list or a model: tunes what is not tuned, within a budget that all share. A peer
 * is told how it goes; without one the jobs go on by themselves.
 */
#include "daemon/api/op_list.h"
#include "daemon/api/task.h"

#include <math.h>
#include <string.h>

#define BUDGET_S_MAX 86400

/* ---- Telling. */

static json_t *message_of(
        const struct task *task, const char *op, const char *name, bool failed, const char *why)
{
	json_t *message = task_event(task, name);

	json_object_set_new(message, "progress",
	        json_pack("{s:i,s:i,s:i,s:s}", "done", (int)task->done, "of", (int)task->count,
	                "failed", (int)task->failed, "op", op));
	if (failed)
		json_object_set_new(message, "error", task_failure(why));
	return message;
}

static void notice(struct task *task, const struct task_kernel *of, enum tune_event what,
        const struct tune_kernel *kernel, const char *why)
{
	struct api_peer *peer = task->peer;
	bool failed = what == TUNE_FAILED;
	json_t *finished = NULL;

	(void)kernel;
	if (what != TUNE_FINISHED && !failed)
		return;
	task->done++;
	task->failed += failed;
	json_t *progress = message_of(task, of->op, "progress", failed, why);
	if (task->done == task->count) {
		finished = message_of(task, of->op, "finished", false, NULL);
		task_end(task);
	}
	if (peer_push(peer, progress) && finished)
		peer_push(peer, finished);
	else
		json_decref(finished);
}

/* ---- Starting. */

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

static struct tune_params params_of(const struct op_entry *entry)
{
	return (struct tune_params){.priority = TUNE_PREFETCH, .budget_ns = entry->budget_ns};
}

/* Those that the device refuses are left out. */
static int start_watched(
        const struct request *request, const struct op_list *list, struct problem *ret_problem)
{
	struct task *task;
	uint32_t order[OP_LIST_MAX];
	int answer = task_create(request, list->count - list->refused, &task, ret_problem);

	if (answer)
		return answer;
	task->notice = notice;
	op_list_order(list, order);
	for (uint32_t i = 0; !answer && i < list->count; i++) {
		const struct op_entry *entry = &list->entries[order[i]];
		const struct tune_params params = params_of(entry);
		char field[24];
		snprintf(field, sizeof field, "ops[%u]", order[i]);
		if (!entry->refused)
			answer = task_wait(task, &entry->id, &params, list->model ? "model" : field,
			        ret_problem);
	}
	if (answer)
		task_end(task);
	return answer;
}

/* Without a peer there is nobody to tell. Those that find the queue full are told as not queued. */
static uint32_t start_unwatched(const struct request *request, const struct op_list *list)
{
	uint32_t queued = 0, order[OP_LIST_MAX];

	op_list_order(list, order);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct op_entry *entry = &list->entries[order[i]];
		const struct tune_params params = params_of(entry);
		queued += op_entry_open(entry) &&
		          !tune_subscribe(request->api->tune, &entry->id, &params, NULL, NULL);
	}
	return queued;
}

/* ---- The method. */

static json_t *prefetched_json(const struct op_entry *entry)
{
	json_t *object = json_pack("{s:s,s:I,s:s,s:f}", "op", entry->text, "times",
	        (json_int_t)entry->times, "status",
	        entry->refused ? "refused"
	                       : artifact_status_name(kernel_status(entry->kernel.status)),
	        "budget_s", round((double)entry->budget_ns / 1e6) / 1e3);

	if (*entry->name)
		json_object_set_new(object, "name", json_string(entry->name));
	if (entry->refused)
		json_object_set_new(object, "why", json_string(entry->why.text));
	return object;
}

/* What is tuned, and where to look how it goes on. */
static json_t *prefetch_json(const struct op_list *list)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->count; i++)
		json_array_append_new(array, prefetched_json(&list->entries[i]));
	return json_pack("{s:i,s:i,s:s,s:o}", "of", (int)(list->count - list->refused), "refused",
	        (int)list->refused, "look",
	        methods[list->model ? METHOD_MODEL : METHOD_KERNELS].path, "ops", array);
}

int handle_prefetch(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct op_list list;
	uint64_t budget_ns;
	double runs;
	int answer = read_budget(request, &budget_ns, ret_problem);

	if (!answer)
		answer = want_runs(request, &runs, ret_problem);
	if (!answer)
		answer = op_list_read(request, &list, ret_problem);
	if (answer)
		return answer;
	op_list_budget(&list, budget_ns, runs);
	if (list.count == list.refused)
		answer = problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS, "model",
		        "%s runs no operator that fits this device%s%.160s", model_name(list.model),
		        list.count ? ": " : "", list.count ? list.entries[0].why.text : "");
	else if (request->caller->peer)
		answer = start_watched(request, &list, ret_problem);
	if (!answer)
		*ret_result = prefetch_json(&list);
	if (!answer && !request->caller->peer)
		json_object_set_new(
		        *ret_result, "queued", json_integer(start_unwatched(request, &list)));
	op_list_free(&list);
	return answer;
}
