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

int handle_status(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	struct api *api = request->api;
	int r = store_count(api->store, api->metrics);

	if (r)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "",
		        "the store cannot be read: %s", strerror(-r));
	tune_count(api->tune);
	*ret_result = json_pack("{s:s,s:I,s:I,s:i,s:b}", "version", PACKAGE_VERSION, "started_s",
	        (json_int_t)api->started_s, "uptime_s",
	        (json_int_t)time(NULL) - (json_int_t)api->started_s, "devices",
	        (int)tune_device_count(api->tune), "enumerated", tune_enumerated(api->tune));
	/* What the daemon does for others would tell an isolated page when they ask. */
	const struct metrics none = {0};
	if (*ret_result)
		metrics_json(request_audience(request) ? &none : api->metrics, *ret_result);
	return 0;
}
