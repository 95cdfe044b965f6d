/* SPDX-License-Identifier: Apache-2.0
 *
 * One WebSocket message, whole, as text: {"id":N,"method":NAME,"params":{...}} in, and
 * {"id":N,"result":...} or {"id":N,"error":PROBLEM} out. Whatever is wrong with a message costs
 * that message only. `kernel` is answered with the artifact's ready text.
 */
#include "daemon/api/handler.h"

#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

static char *reply_text(const json_t *id, const char *member, const char *text, size_t length)
{
	struct buffer out = {0};

	if (id)
		buffer_printf(&out,
		        "{\"id\":%" JSON_INTEGER_FORMAT ",\"%s\":", json_integer_value(id), member);
	else
		buffer_printf(&out, "{\"id\":null,\"%s\":", member);
	buffer_append(&out, text, length);
	buffer_putc(&out, '}');
	if (!out.failed)
		return out.data;
	buffer_free(&out);
	return NULL;
}

static char *reply_json(const json_t *id, const char *member, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(12));
	char *reply = text ? reply_text(id, member, text, strlen(text)) : NULL;

	free(text);
	json_decref(value);
	return reply;
}

static char *refuse(const json_t *id, const struct problem *problem)
{
	return reply_json(id, "error", problem_json(problem));
}

static void parse_problem(const json_error_t *error, struct problem *ret_problem)
{
	if (json_error_code(error) == json_error_duplicate_key) {
		char name[32] = "";
		const char *quote = strchr(error->text, '"');
		if (quote)
			snprintf(name, sizeof name, "%.*s", (int)strcspn(quote + 1, "\""),
			        quote + 1);
		problem_set(ret_problem, PROBLEM_DUPLICATE_FIELD, name,
		        "%s is given twice in one object (line %d, column %d); give it once",
		        *name ? name : "a member", error->line, error->column);
		return;
	}
	problem_set(ret_problem, PROBLEM_BAD_JSON, "",
	        "the message is not JSON (line %d, column %d: %.160s); send one object a message",
	        error->line, error->column, error->text);
}

static int read_method(const json_t *value, enum method *ret_method, struct problem *ret_problem)
{
	const char *name = json_string_value(value);
	char known[160] = "";
	size_t at = 0;

	if (!name)
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "method",
		        "a message needs \"method\", its name as text");
	*ret_method = method_by_name(name);
	if (*ret_method != METHOD_COUNT)
		return 0;
	for (enum method m = 0; m < METHOD_COUNT && at < sizeof known; m++)
		if (methods[m].name)
			at += (size_t)snprintf(known + at, sizeof known - at, "%s%s",
			        at ? ", " : "", methods[m].name);
	return problem_set(ret_problem, PROBLEM_UNKNOWN_METHOD, "method",
	        "there is no method '%.40s'; there are %s", name, known);
}

static int read_message(const json_t *root, struct call *ret_call, struct problem *ret_problem)
{
	const char *name;
	json_t *value;

	if (!json_is_object(root))
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "",
		        "a message is an object: "
		        "{\"id\":1,\"method\":\"kernel\",\"params\":{...}}");
	const json_t *id = json_object_get(root, "id");
	if (json_is_integer(id))
		ret_call->id = id;
	else if (id)
		return problem_set(ret_problem, PROBLEM_BAD_MESSAGE, "id", "id must be an integer");
	json_object_foreach((json_t *)root, name,
	        value) if (strcmp(name, "id") && strcmp(name, "method") &&
	                   strcmp(name, "params")) return problem_set(ret_problem,
	        PROBLEM_BAD_MESSAGE, name,
	        "a message has id, method and params, not '%.40s'; parameters go "
	        "into params",
	        name);
	ret_call->params = json_object_get(root, "params");
	return read_method(json_object_get(root, "method"), &ret_call->method, ret_problem);
}

/* `kernel` alone does not go through JSON values: its answer is text already. */
static char *answer_kernel(struct api *api, const struct call *call)
{
	struct problem problem = {0};
	json_t *params = NULL;
	const char *text;
	size_t length;

	api->metrics->calls++;
	int answer = protocol_params(METHOD_KERNEL, call->params, &params, &problem);
	const struct request request = {api, METHOD_KERNEL, params, call->caller, call->id};
	if (!answer)
		answer = kernel_text(&request, &text, &length, &problem);
	json_decref(params);
	return answer ? refuse(call->id, &problem) : reply_text(call->id, "result", text, length);
}

static char *answer_message(struct api *api, struct api_peer *peer, const json_t *root)
{
	struct call call = {.caller = &peer->caller};
	struct problem problem = {0};
	json_t *result;

	if (read_message(root, &call, &problem))
		return refuse(call.id, &problem);
	if (call.method == METHOD_KERNEL)
		return answer_kernel(api, &call);
	if (api_call(api, &call, &result, &problem))
		return refuse(call.id, &problem);
	return reply_json(call.id, "result", result);
}

bool api_message_waits(const struct api *api, const char *text, size_t length)
{
	if (!api_waits(api, METHOD_HELLO) || length > PROTOCOL_MESSAGE_BYTES)
		return false;
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(root, "method"));
	enum method method = name ? method_by_name(name) : METHOD_COUNT;
	json_decref(root);
	return method < METHOD_COUNT && api_waits(api, method);
}

char *api_message(struct api *api, struct api_peer *peer, const char *text, size_t length)
{
	struct problem problem = {0};
	json_error_t error;

	if (length > PROTOCOL_MESSAGE_BYTES) {
		problem_set(&problem, PROBLEM_FRAME_TOO_LARGE, "",
		        "the message has %zu bytes, at most %d are read; send less at a time",
		        length, PROTOCOL_MESSAGE_BYTES);
		return refuse(NULL, &problem);
	}
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		parse_problem(&error, &problem);
		return refuse(NULL, &problem);
	}
	char *reply = answer_message(api, peer, root);
	json_decref(root);
	return reply;
}
