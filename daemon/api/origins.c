/* SPDX-License-Identifier: Apache-2.0
 *
 * For the device's owner: which origins asked, and the decisions about them; and the secret with
 * which the page /admin acts for the owner. Must not judge a request: daemon/net does.
 */
#include "daemon/api/handler.h"

#include "daemon/log.h"
#include "daemon/origins/origins.h"

#include <errno.h>
#include <string.h>

static void add_row(void *context, const struct origin_row *row)
{
	static const char *const statuses[] = {
	        [ORIGIN_IS_PENDING] = "pending",
	        [ORIGIN_IS_APPROVED] = "approved",
	        [ORIGIN_IS_DENIED] = "denied",
	};
	static const char *const kept[] = {
	        [ORIGIN_KEPT_ALWAYS] = "always",
	        [ORIGIN_KEPT_ONCE] = "once",
	        [ORIGIN_KEPT_CONFIGURED] = "configured",
	};
	json_t *object = json_pack("{s:s,s:s,s:I}", "origin", row->origin, "status",
	        statuses[row->status], "since_s", (json_int_t)row->since_s);

	if (row->status == ORIGIN_IS_PENDING) {
		json_object_set_new(object, "heard_s", json_integer((json_int_t)row->heard_s));
		json_object_set_new(object, "requests", json_integer(row->requests));
	} else {
		json_object_set_new(object, "kept", json_string(kept[row->kept]));
	}
	json_array_append_new(context, object);
}

int handle_origins(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	json_t *array = json_array();

	(void)ret_problem;
	origins_each(request->api->origins, add_row, array);
	*ret_result = json_pack("{s:o}", "origins", array);
	return 0;
}

static int refuse(int code, const char *origin, struct problem *ret_problem)
{
	switch (code) {
	case -EINVAL:
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "origin",
		        "'%.120s' is no origin that can be served; write it as "
		        "https://app.example, in lower case and without a path",
		        origin);
	case -ENOENT:
		return problem_set(ret_problem, PROBLEM_UNKNOWN_ORIGIN, "origin",
		        "nothing was decided about %.120s; `nnjitctl origins` lists what was",
		        origin);
	case -EPERM:
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, "origin",
		        "the configuration lists %.120s; take it out there, or deny it", origin);
	case -ENOSPC:
		return problem_set(ret_problem, PROBLEM_TOO_MANY, "",
		        "there is no room for another decision; revoke one that is not needed");
	default:
		return problem_set(ret_problem, PROBLEM_INTERNAL, "",
		        "the decision could not be stored: %s", strerror(-code));
	}
}

static int decide(const struct request *request, enum origin_decision decision, json_t **ret_result,
        struct problem *ret_problem)
{
	static const char *const done[] = {
	        [ORIGIN_APPROVE] = "approved",
	        [ORIGIN_APPROVE_ONCE] = "approved until the daemon ends",
	        [ORIGIN_DENY] = "denied",
	        [ORIGIN_REVOKE] = "revoked",
	};
	const char *origin = request_text(request, "origin");
	int code = origins_decide(request->api->origins, origin, decision);

	if (code)
		return refuse(code, origin, ret_problem);
	log_info("origins: %s is %s by user %lld", origin, done[decision],
	        (long long)request->caller->user);
	*ret_result = json_pack("{s:s,s:b}", "origin", origin, "served",
	        origins_serves(request->api->origins, origin));
	return 0;
}

int handle_approve(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	return decide(request, request_bool(request, "once") ? ORIGIN_APPROVE_ONCE : ORIGIN_APPROVE,
	        ret_result, ret_problem);
}

int handle_deny(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	return decide(request, ORIGIN_DENY, ret_result, ret_problem);
}

int handle_revoke(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	return decide(request, ORIGIN_REVOKE, ret_result, ret_problem);
}

int handle_admin(const struct request *request, json_t **ret_result, struct problem *ret_problem)
{
	char secret[SECRET_TEXT_BYTES];
	int code = origins_secret_create(request->api->origins, secret);

	if (code)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "", "no secret could be made: %s",
		        strerror(-code));
	*ret_result = json_pack("{s:s,s:i,s:i}", "secret", secret, "valid_s", (int)SECRET_S, "port",
	        (int)request->api->port);
	explicit_bzero(secret, sizeof secret);
	return 0;
}
