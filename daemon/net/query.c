/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads queries. Must not know which parameters a method has.
 */
#include "daemon/net/query.h"

#include <string.h>

#define PARAMS_MAX 64 /* no method takes as many */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A new text, or NULL: a bad %, NUL or no UTF-8. */
static json_t *decoded(struct head_text part)
{
	char text[HEAD_BYTES];
	size_t length = 0;

	if (part.length > sizeof text)
		return NULL;
	for (size_t i = 0; i < part.length; i++) {
		char c = part.at[i] == '+' ? ' ' : part.at[i];
		if (c == '%') {
			int high = i + 2 < part.length ? hex(part.at[i + 1]) : -1;
			int low = high < 0 ? -1 : hex(part.at[i + 2]);
			if (low < 0)
				return NULL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (!c)
			return NULL;
		text[length++] = c;
	}
	return json_stringn(text, length);
}

static int take(struct head_text pair, json_t *params, struct problem *ret_problem)
{
	const char *equals = memchr(pair.at, '=', pair.length);
	size_t bytes = equals ? (size_t)(equals - pair.at) : pair.length;
	struct head_text rest = {pair.at + bytes + 1, equals ? pair.length - bytes - 1 : 0};
	json_t *name = decoded((struct head_text){pair.at, bytes}), *value = decoded(rest);
	int r = 0;

	if (!name)
		r = problem_set(ret_problem, PROBLEM_UNKNOWN_FIELD, "",
		        "a query parameter's name is not text in UTF-8");
	else if (json_object_get(params, json_string_value(name)))
		r = problem_set(ret_problem, PROBLEM_DUPLICATE_FIELD, json_string_value(name),
		        "the query parameter '%.40s' is given twice; give it once",
		        json_string_value(name));
	else if (!value || json_object_size(params) >= PARAMS_MAX)
		r = problem_set(ret_problem, PROBLEM_BAD_VALUE, json_string_value(name),
		        "the query parameter '%.40s' is not text in UTF-8, or one of too many",
		        json_string_value(name));
	else
		json_object_set(params, json_string_value(name), value);
	json_decref(name);
	json_decref(value);
	return r;
}

int query_params(struct head_text target, json_t **ret_params, struct problem *ret_problem)
{
	const char *at = memchr(target.at, '?', target.length), *end = target.at + target.length;
	json_t *params = json_object();
	int r = params ? 0 : problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");

	for (at = at ? at + 1 : end; !r && at < end;) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		struct head_text pair = {at, (size_t)((stop ? stop : end) - at)};
		r = pair.length ? take(pair, params, ret_problem) : 0;
		at += pair.length + 1;
	}
	if (r) {
		json_decref(params);
		return r;
	}
	*ret_params = params;
	return 0;
}
