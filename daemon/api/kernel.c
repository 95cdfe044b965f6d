/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel as known now. Asking for one that is not tuned also queues its tuning. Tuned ones are
 * kept as ready text, because they are what pages ask for again and again.
 */
#include "base/cleanup.h"
#include "daemon/api/kernel_cache.h"
#include "daemon/api/layouts.h"
#include "daemon/api/parts.h"
#include "protocol/artifact_json.h"

#include <errno.h>
#include <string.h>

enum artifact_status kernel_status(enum tune_status status)
{
	static const enum artifact_status map[] = {
#define ENTRY(name) [TUNE_##name] = ARTIFACT_##name,
	        TUNE_EACH_STATUS(ENTRY)
#undef ENTRY
	};

	return map[status];
}

struct artifact kernel_artifact(const struct tune_kernel *kernel, enum target target)
{
	bool measured = kernel->best.samples > 0;
	const struct store_kernel *best = &kernel->best;

	return (struct artifact){
	        .op = kernel->id.op,
	        .schedule = kernel->schedule,
	        .target = target,
	        .device = kernel->id.device->id,
	        .facts = kernel->id.device->facts,
	        .status = kernel_status(kernel->status),
	        .measured = kernel->measured,
	        .of = kernel->of,
	        .predicted_ns = kernel->predicted_ns,
	        .median_ns = measured ? best->median_ns : 0,
	        .mad_ns = measured ? best->mad_ns : 0,
	        .baseline_ns = measured ? best->baseline_ns : 0,
	        .samples = measured ? best->samples : 0,
	        .wall_clock = best->wall_clock,
	        .pipeline_ns = measured ? best->pipeline_ns : 0,
	        .spirv_bytes = measured ? best->code_bytes : 0,
	        .max_rel_err = measured ? best->max_rel_err : 0,
	        .checked = measured ? best->checked : 0,
	        .share = measured ? best->share : 0,
	};
}

int kernel_json(struct api *api, const struct tune_kernel *kernel, enum target target,
        json_t **ret_object, struct problem *ret_problem)
{
	struct artifact artifact = kernel_artifact(kernel, target);
	int r = artifact_json(api->nnjit, &artifact, ret_object);

	if (r)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "",
		        "the kernel could not be generated: %s", strerror(-r));
	return 0;
}

int kernel_served(struct api *api, const char *origin, struct tune_kernel *kernel,
        enum target target, json_t **ret_object, struct problem *ret_problem)
{
	bool settled = settle(api, origin, kernel);
	int answer = kernel_json(api, kernel, target, ret_object, ret_problem);

	if (!answer && settled)
		json_object_set_new(*ret_object, "settled_by", json_string("page"));
	return answer;
}

int tune_problem(
        int answer, const struct error *err, const char *field, struct problem *ret_problem)
{
	if (answer == -ERANGE)
		return problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS,
		        *err->field ? err->field : field, "%s",
		        *err->text ? err->text : "no schedule fits this device");
	if (answer == -EAGAIN)
		return problem_set(ret_problem, PROBLEM_TOO_MANY, field, "%s",
		        *err->text ? err->text : "the queue is full; ask again in a minute");
	return problem_set(ret_problem, PROBLEM_INTERNAL, field, "%s",
	        *err->text ? err->text : strerror(-answer));
}

int kernel_get(struct api *api, const struct want *want, struct tune_kernel *ret_kernel,
        struct problem *ret_problem)
{
	struct error err = {0};
	int r = tune_get(api->tune, &want->id, ret_kernel, &err);

	if (r)
		return tune_problem(r, &err, "op", ret_problem);
	tune_for_runs(api->tune, want->runs, ret_kernel);
	return 0;
}

/* The answer is good without the job, so a full queue only means that it stays as it is. */
static void queue_tuning(const struct request *request, const struct want *want)
{
	(void)tune_subscribe(request->api->tune, &want->id, &(struct tune_params){0}, NULL, NULL);
}

static int kernel_whole(const struct request *request, const struct want *want, json_t **ret_object,
        struct problem *ret_problem)
{
	struct tune_kernel kernel;
	int answer = kernel_get(request->api, want, &kernel, ret_problem);

	if (!answer)
		answer = kernel_served(request->api, request_origin(request), &kernel, want->target,
		        ret_object, ret_problem);
	if (!answer && kernel.status != TUNE_TUNED)
		queue_tuning(request, want);
	return answer;
}

static int kernel_now(const struct request *request, const struct want *want, json_t **ret_object,
        bool *ret_tuned, struct problem *ret_problem)
{
	AUTO(free_pointer) struct parts *parts = NULL;
	AUTO(free_pointer) struct layouts *layouts = NULL;
	int answer = parts_read(request, want, &parts, ret_problem);

	if (!answer)
		answer = layouts_read(request, want, &layouts, ret_problem);
	if (answer)
		return answer;
	if (parts)
		answer = parts_json(request->api, parts, ret_object, ret_problem);
	else if (layouts)
		answer = layouts_json(
		        request->api, request_origin(request), layouts, ret_object, ret_problem);
	else
		answer = kernel_whole(request, want, ret_object, ret_problem);
	if (answer)
		return answer;
	for (uint32_t i = 0; parts && i < parts->kind_count; i++)
		queue_tuning(request, &parts->want[i]);
	for (uint32_t i = 0; layouts && i < LAYOUTS; i++)
		queue_tuning(request, &layouts->want[i]);
	const char *status = json_string_value(json_object_get(*ret_object, "status"));
	*ret_tuned = status && !strcmp(status, artifact_status_name(ARTIFACT_TUNED));
	return 0;
}

int handle_kernel(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct want want;
	bool tuned;
	int answer = want_read(request, &want, ret_problem);

	return answer ? answer : kernel_now(request, &want, ret_result, &tuned, ret_problem);
}

/* What an origin's own reports may settle is not for everybody's cache, nor what may be of another
 * operator. */
static bool is_special(const struct request *request, const struct want *want)
{
	struct store_key key = {want->id.device->id, want->id.device->driver, op_key(&want->id.op),
	        want->id.features & want->id.device->limits.features};
	struct store_reports reports;

	if (request_text(request, "constant"))
		return true;
	return request->peer && !store_get_reports(request->api->store, request->peer->origin, &key,
	                                want->op_text, &reports);
}

int kernel_text(const struct request *request, const char **ret_text, size_t *ret_length,
        struct problem *ret_problem)
{
	struct api *api = request->api;
	struct want want;
	bool tuned;
	json_t *object = NULL;
	int answer = want_read(request, &want, ret_problem);

	if (answer)
		return answer;
	uint64_t version = tune_version(api->tune);
	struct kernel_cache_key key = {want.op_text, want.id.device->id, want.id.features,
	        want.target, (uint64_t)want.runs};
	bool special = is_special(request, &want);
	*ret_text = special ? NULL : kernel_cache_get(api->cache, &key, version, ret_length);
	if (*ret_text)
		return 0;
	answer = kernel_now(request, &want, &object, &tuned, ret_problem);
	if (answer)
		return answer;
	free(api->text);
	api->text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(object);
	if (!api->text)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	*ret_text = api->text;
	*ret_length = strlen(api->text);
	if (tuned && !special)
		kernel_cache_put(api->cache, &key, version, api->text, *ret_length);
	return 0;
}
