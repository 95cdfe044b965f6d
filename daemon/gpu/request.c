/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators and schedules of requests. Must not know what a request is for.
 */
#include "daemon/gpu/request.h"
#include "daemon/gpu/answer.h"

int request_op(const char *text, struct op *ret_op, struct error *err)
{
	struct error why;

	if (!op_parse(text, ret_op, &why))
		return 0;
	return error_set(err, ANSWER_BAD_REQUEST, "op", "op cannot be read: %s", why.text);
}

int request_schedule(const char *text, struct schedule *ret_schedule, struct error *err)
{
	struct error why;

	if (!schedule_parse(text, ret_schedule, &why))
		return 0;
	return error_set(
	        err, ANSWER_BAD_REQUEST, "schedule", "schedule cannot be read: %s", why.text);
}
