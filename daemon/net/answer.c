/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes REST's bodies. A kernel has three forms: its artifact as JSON, or the bare code that the
 * artifact carries, when the client accepts that and the target is of that kind. Must not decide
 * anything about a kernel.
 */
#include "daemon/net/answer.h"

#include "base/base64.h"
#include "base/buffer.h"
#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *type;
	enum answer_form form;
} forms[] = {
        {"application/json", ANSWER_JSON},
        {"application/*", ANSWER_JSON},
        {"*/*", ANSWER_JSON},
        {"text/wgsl", ANSWER_CODE},
        {"text/plain", ANSWER_CODE},
        {"application/x-spirv", ANSWER_WORDS},
        {"application/octet-stream", ANSWER_WORDS},
};

static struct head_text next_part(struct head_text *rest, char separator)
{
	const char *end = rest->length ? memchr(rest->at, separator, rest->length) : NULL;
	struct head_text part = {rest->at, end ? (size_t)(end - rest->at) : rest->length};

	rest->at += part.length + (end != NULL);
	rest->length -= part.length + (end != NULL);
	while (part.length && *part.at == ' ')
		part.at++, part.length--;
	while (part.length && part.at[part.length - 1] == ' ')
		part.length--;
	return part;
}

/* RFC 9110, 12.4.2, in thousandths; 1000 where the range names no q. */
static int quality(struct head_text parameters)
{
	while (parameters.length) {
		struct head_text one = next_part(&parameters, ';');
		int value = 0, scale = 1000;
		if (one.length < 3 || (one.at[0] | 0x20) != 'q' || one.at[1] != '=')
			continue;
		for (size_t i = 2; i < one.length && scale; i++) {
			if (one.at[i] == '.')
				continue;
			value += (one.at[i] - '0') * scale;
			scale /= 10;
		}
		return value;
	}
	return 1000;
}

enum answer_form answer_form(struct head_text accept)
{
	enum answer_form best = ANSWER_JSON;
	int best_quality = 0;

	while (accept.length) {
		struct head_text range = next_part(&accept, ',');
		struct head_text type = next_part(&range, ';');
		int q = quality(range);
		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
			if (q <= best_quality || !head_is(type, forms[i].type))
				continue;
			best = forms[i].form;
			best_quality = q;
		}
	}
	return best;
}

void answer_free(struct answer *answer)
{
	free(answer->body);
	*answer = (struct answer){0};
}

static void set_json(struct answer *answer, uint32_t status, const char *type, const json_t *value)
{
	*answer = (struct answer){.status = status, .type = type};
	answer->body = json_dumps(value, JSON_COMPACT);
	if (answer->body)
		answer->length = strlen(answer->body);
	else
		answer->status = 500;
}

void answer_problem(const struct problem *problem, struct answer *ret_answer)
{
	json_t *object = problem_json(problem);

	set_json(ret_answer, problem_status(problem->code), "application/problem+json", object);
	json_decref(object);
}

static void set_bytes(struct answer *answer, const char *type, const char *bytes, size_t length)
{
	*answer = (struct answer){.status = 200, .type = type, .length = length};
	answer->body = malloc(length + 1);
	if (answer->body)
		memcpy(answer->body, bytes, length);
	else
		answer->status = 500;
}

/* Whether the artifact's code was set bare. */
static bool set_code(struct answer *answer, const json_t *artifact, enum answer_form form)
{
	AUTO(buffer_free) struct buffer words = {0};
	const char *code = json_string_value(json_object_get(artifact, "code"));
	const char *target = json_string_value(json_object_get(artifact, "target"));

	if (!code || !target)
		return false;
	if (form == ANSWER_CODE && !strcmp(target, "wgsl")) {
		set_bytes(answer, "text/wgsl; charset=utf-8", code, strlen(code));
		return true;
	}
	if (form != ANSWER_WORDS || strcmp(target, "spirv") || base64_decode(&words, code))
		return false;
	set_bytes(answer, "application/octet-stream", words.data, words.length);
	return true;
}

/* Status and health show the time, manifests are files that may change; what not everybody may call
 * does something, or must not be kept; a kernel that is not tuned yet is asked for again by its
 * method, which may have to queue it again. */
static bool is_lasting(enum method method, const json_t *result)
{
	if (methods[method].caller != CALLER_ANYONE || method == METHOD_HEALTH ||
	        method == METHOD_STATUS || method == METHOD_MODELS || method == METHOD_MODEL)
		return false;
	if (method != METHOD_KERNEL)
		return true;
	const char *status = json_string_value(json_object_get(result, "status"));
	return status && !strcmp(status, "tuned");
}

void answer_method(
        struct api *api, const struct call *call, enum answer_form form, struct answer *ret_answer)
{
	struct problem problem = {0};
	json_t *result = NULL;

	if (api_call(api, call, &result, &problem)) {
		answer_problem(&problem, ret_answer);
		return;
	}
	if (call->method != METHOD_KERNEL || form == ANSWER_JSON ||
	        !set_code(ret_answer, result, form))
		set_json(ret_answer, 200, "application/json", result);
	ret_answer->lasting = ret_answer->status == 200 && is_lasting(call->method, result);
	json_decref(result);
}
