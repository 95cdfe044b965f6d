/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of requests. Must not know what a request is for. Invariant: what is not as it must be
 * is refused by a sentence that says how it must be.
 */
#include "daemon/gpu/request.h"
#include "daemon/gpu/answer.h"
#include "protocol/wire/wire.h"

#include <inttypes.h>
#include <string.h>

static int bad(struct error *err, const char *field, const char *rule)
{
	return error_set(err, ANSWER_BAD_REQUEST, field, "%s %s", field, rule);
}

int request_count(const json_t *request, const char *field, uint64_t most, uint64_t *ret_count,
        struct error *err)
{
	const json_t *value = json_object_get(request, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	        (uint64_t)json_integer_value(value) > most)
		return error_set(err, ANSWER_BAD_REQUEST, field,
		        "%s must be a whole number from 0 to %" PRIu64, field, most);
	*ret_count = (uint64_t)json_integer_value(value);
	return 0;
}

int request_device(const json_t *request, uint64_t *ret_id, struct error *err)
{
	uint64_t id = wire_hex_parse(json_object_get(request, "device"));

	if (!id)
		return bad(
		        err, "device", "must be an id of 16 hexadecimal digits, as list gives it");
	*ret_id = id;
	return 0;
}

int request_profile(const json_t *request, enum profile *ret_profile, struct error *err)
{
	const char *text = json_string_value(json_object_get(request, "profile"));

	if (text && !strcmp(text, "web"))
		*ret_profile = PROFILE_WEB;
	else if (text && !strcmp(text, "native"))
		*ret_profile = PROFILE_NATIVE;
	else
		return bad(err, "profile", "must be web or native");
	return 0;
}

int request_op(const json_t *request, struct op *ret_op, struct error *err)
{
	const char *text = json_string_value(json_object_get(request, "op"));
	struct error why;

	if (!text)
		return bad(err, "op", "must be an operator's text form");
	if (op_parse(text, ret_op, &why))
		return error_set(err, ANSWER_BAD_REQUEST, "op", "op cannot be read: %s", why.text);
	return 0;
}

static int read_schedule(const json_t *request, struct schedule *ret_schedule, struct error *err)
{
	const char *text = json_string_value(json_object_get(request, "schedule"));
	struct error why;

	if (!text)
		return bad(err, "schedule", "must be a schedule's text form");
	if (schedule_parse(text, ret_schedule, &why))
		return error_set(err, ANSWER_BAD_REQUEST, "schedule", "schedule cannot be read: %s",
		        why.text);
	return 0;
}

int request_candidate(
        const json_t *request, struct request_candidate *ret_candidate, struct error *err)
{
	struct request_candidate candidate = {
	        .twin = json_is_true(json_object_get(request, "twin"))};
	uint64_t number;
	int answer = request_count(request, "candidate", REQUEST_CANDIDATES_MAX - 1, &number, err);

	if (!answer)
		answer = read_schedule(request, &candidate.schedule, err);
	if (answer)
		return answer;
	candidate.number = (uint32_t)number;
	*ret_candidate = candidate;
	return 0;
}

int request_candidates(
        const json_t *request, struct request_candidates *ret_candidates, struct error *err)
{
	const json_t *array = json_object_get(request, "candidates");
	size_t count = json_array_size(array);
	struct request_candidates candidates = {.count = (uint32_t)count};
	bool seen[REQUEST_CANDIDATES_MAX] = {0};

	if (!count || count > REQUEST_CANDIDATES_MAX)
		return bad(err, "candidates", "must be an array of candidate numbers");
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(array, i);
		json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
		if (number < 0 || number >= REQUEST_CANDIDATES_MAX || seen[number])
			return bad(err, "candidates", "must be distinct numbers from 0 to 255");
		seen[number] = true;
		candidates.numbers[i] = (uint32_t)number;
	}
	*ret_candidates = candidates;
	return 0;
}
