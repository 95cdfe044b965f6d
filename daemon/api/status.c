/* SPDX-License-Identifier: Apache-2.0
 *
 * What the daemon says of itself: that it lives, what it is doing, and what can be asked.
 */
#include "daemon/api/handler.h"

#include "protocol/openapi.h"

#include <config.h>
#include <errno.h>
#include <string.h>
#include <time.h>

int handle_health(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	(void)request;
	(void)ret_problem;
	*ret_result = json_pack(
	        "{s:s,s:s,s:s}", "service", "nnjit", "status", "ok", "version", PACKAGE_VERSION);
	return 0;
}

int handle_openapi(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	(void)request;
	(void)ret_problem;
	*ret_result = openapi_json(PACKAGE_VERSION);
	return 0;
}

static json_t *tuning_json(const struct tune *tune)
{
	struct tune_stats stats = tune_stats(tune);

	return json_pack("{s:i,s:i,s:I,s:I,s:I,s:i,s:i}", "jobs_queued", (int)stats.jobs_queued,
	        "jobs_running", (int)stats.jobs_running, "jobs_finished",
	        (json_int_t)stats.jobs_finished, "jobs_failed", (json_int_t)stats.jobs_failed,
	        "trials", (json_int_t)stats.trials, "workers", (int)stats.workers,
	        "worker_restarts", (int)stats.worker_restarts);
}

static json_t *store_json(const struct store_stats *stats)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "bytes", (json_int_t)stats->bytes, "kernels",
	        (json_int_t)stats->kernels, "trials", (json_int_t)stats->trials, "devices",
	        (json_int_t)stats->devices, "jobs", (json_int_t)stats->jobs);
}

int handle_status(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct api *api = request->api;
	struct store_stats stats = {0};
	int r = store_stats(api->store, &stats);

	if (r)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "",
		        "the store cannot be read: %s", strerror(-r));
	*ret_result = json_pack("{s:s,s:I,s:I,s:i,s:b,s:o,s:o,s:i,s:I,s:o}", "version",
	        PACKAGE_VERSION, "started_s", (json_int_t)api->started_s, "uptime_s",
	        (json_int_t)time(NULL) - (json_int_t)api->started_s, "devices",
	        (int)tune_device_count(api->tune), "enumerated", tune_enumerated(api->tune),
	        "tuning", tuning_json(api->tune), "store", store_json(&stats), "websockets",
	        (int)api->peers, "calls", (json_int_t)api->calls, "reports",
	        json_pack("{s:I}", "kernels", (json_int_t)stats.reports));
	return 0;
}
