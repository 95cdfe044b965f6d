/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers and writers of the worker's messages, from the rows of wire.def: one pair of functions a
 * kind, and of each object one function that calls them member by member. A reader that fails
 * leaves its answer untouched.
 */
#include "protocol/wire/message.h"

#include "protocol/wire/member.h"
#include "protocol/wire/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Numbers. */

static int read_U64(
        const json_t *object, const struct rule *rule, uint64_t *ret_value, struct error *err)
{
	const json_t *value = json_object_get(object, rule->name);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	        (uint64_t)json_integer_value(value) > rule->most)
		return error_set(err, -EBADMSG, rule->name,
		        "%s must be a whole number from 0 to %" PRIu64, rule->name, rule->most);
	*ret_value = (uint64_t)json_integer_value(value);
	return 0;
}

static bool write_U64(json_t *object, const char *name, const uint64_t *value)
{
	return put(object, name, json_integer((json_int_t)*value));
}

static int read_U32(
        const json_t *object, const struct rule *rule, uint32_t *ret_value, struct error *err)
{
	uint64_t value;
	int r = read_U64(object, rule, &value, err);

	if (!r)
		*ret_value = (uint32_t)value;
	return r;
}

static bool write_U32(json_t *object, const char *name, const uint32_t *value)
{
	return put(object, name, json_integer(*value));
}

static int read_REAL(
        const json_t *object, const struct rule *rule, double *ret_value, struct error *err)
{
	const json_t *value = json_object_get(object, rule->name);

	if (!json_is_number(value))
		return refuse(rule, err);
	*ret_value = json_number_value(value);
	return 0;
}

/* JSON has no infinity: a number that large is as good as 1e300. */
static bool write_REAL(json_t *object, const char *name, const double *value)
{
	return put(object, name, json_real(*value < 1e300 ? *value : 1e300));
}

static int read_BOOL(
        const json_t *object, const struct rule *rule, bool *ret_value, struct error *err)
{
	const json_t *value = json_object_get(object, rule->name);

	if (value && !json_is_boolean(value))
		return refuse(rule, err);
	*ret_value = json_is_true(value);
	return 0;
}

static bool write_BOOL(json_t *object, const char *name, const bool *value)
{
	return put(object, name, json_boolean(*value));
}

/* ---- Text. */

static int read_TEXT(
        const json_t *object, const struct rule *rule, const char **ret_value, struct error *err)
{
	const char *text = json_string_value(json_object_get(object, rule->name));

	if (!text)
		return refuse(rule, err);
	*ret_value = text;
	return 0;
}

/* A driver's text that is not UTF-8 is replaced byte by byte. */
static json_t *text_json(const char *text)
{
	char plain[512];
	json_t *json = json_string(text);

	if (json)
		return json;
	snprintf(plain, sizeof plain, "%s", text);
	for (char *c = plain; *c; c++)
		if ((unsigned char)*c >= 128)
			*c = '?';
	return json_string(plain);
}

static bool write_TEXT(json_t *object, const char *name, const char *const *value)
{
	return put(object, name, text_json(*value));
}

static int read_HEX(
        const json_t *object, const struct rule *rule, uint64_t *ret_value, struct error *err)
{
	uint64_t id = wire_hex_parse(json_object_get(object, rule->name));

	if (!id)
		return refuse(rule, err);
	*ret_value = id;
	return 0;
}

static bool write_HEX(json_t *object, const char *name, const uint64_t *value)
{
	return put(object, name, wire_hex(*value));
}

/* `count` if the text (NULL: none) is none of the words. */
static uint32_t word_index(const char *text, const char *const *words, uint32_t count)
{
	uint32_t i = text ? 0 : count;

	while (i < count && strcmp(words[i], text) != 0)
		i++;
	return i;
}

static uint32_t find_word(
        const json_t *object, const char *name, const char *const *words, uint32_t count)
{
	return word_index(json_string_value(json_object_get(object, name)), words, count);
}

static const char *const profiles[WIRE_PROFILE_COUNT] = {
#define PROFILE(id, text) [WIRE_##id] = text,
#include "protocol/wire/wire.def"
};

enum wire_profile wire_profile_by_name(const char *name)
{
	return (enum wire_profile)word_index(name, profiles, WIRE_PROFILE_COUNT);
}

static int read_PROFILE(const json_t *object, const struct rule *rule, enum wire_profile *ret_value,
        struct error *err)
{
	uint32_t i = find_word(object, rule->name, profiles, WIRE_PROFILE_COUNT);

	if (i == WIRE_PROFILE_COUNT)
		return refuse(rule, err);
	*ret_value = (enum wire_profile)i;
	return 0;
}

static bool write_PROFILE(json_t *object, const char *name, const enum wire_profile *value)
{
	return put(object, name, json_string(profiles[*value]));
}

static const char *const clocks[WIRE_CLOCK_COUNT] = {
#define CLOCK(id, text) [WIRE_##id] = text,
#include "protocol/wire/wire.def"
};

static int read_CLOCK(const json_t *object, const struct rule *rule, enum wire_clock *ret_value,
        struct error *err)
{
	uint32_t i = find_word(object, rule->name, clocks, WIRE_CLOCK_COUNT);

	if (i == WIRE_CLOCK_COUNT)
		return refuse(rule, err);
	*ret_value = (enum wire_clock)i;
	return 0;
}

static bool write_CLOCK(json_t *object, const char *name, const enum wire_clock *value)
{
	return put(object, name, json_string(clocks[*value]));
}

/* ---- Candidates and their times. */

static int read_DEVICES(
        const json_t *object, const struct rule *rule, const json_t **ret_value, struct error *err)
{
	const json_t *array = json_object_get(object, rule->name);

	if (!json_is_array(array))
		return refuse(rule, err);
	*ret_value = array;
	return 0;
}

static bool write_DEVICES(json_t *object, const char *name, const json_t *const *value)
{
	return !json_object_set(object, name, (json_t *)*value);
}

static int read_LIMITS(
        const json_t *object, const struct rule *rule, struct limits *ret_value, struct error *err)
{
	const json_t *limits = json_object_get(object, rule->name);

	if (!json_is_object(limits))
		return refuse(rule, err);
	wire_limits_parse(limits, json_object_get(object, "features"), ret_value);
	return 0;
}

static bool write_LIMITS(json_t *object, const char *name, const struct limits *value)
{
	return put(object, name, wire_limits_json(value)) &&
	       put(object, "features", wire_features_json(value->features));
}

static int read_FACTS(
        const json_t *object, const struct rule *rule, struct facts *ret_value, struct error *err)
{
	const json_t *facts = json_object_get(object, rule->name);

	if (facts && !json_is_object(facts) && !json_is_null(facts))
		return refuse(rule, err);
	wire_facts_parse(facts, ret_value);
	return 0;
}

static bool write_FACTS(json_t *object, const char *name, const struct facts *value)
{
	return put(object, name, wire_facts_known(value) ? wire_facts_json(value) : json_null());
}

static int read_DRIVER(const json_t *object, const struct rule *rule, struct wire_driver *ret_value,
        struct error *err)
{
	const json_t *driver = json_object_get(object, rule->name);

	return json_is_object(driver) ? wire_read_driver(driver, ret_value, err)
	                              : refuse(rule, err);
}

static bool write_DRIVER(json_t *object, const char *name, const struct wire_driver *value)
{
	return put(object, name, wire_write_driver(value));
}

/* ---- Objects, from their rows. */

/* clang-format off */
#define OBJECT(object_name) \
	int wire_read_##object_name( \
	        const json_t *object, struct wire_##object_name *ret, struct error *err) \
	{ \
		struct wire_##object_name message = {}; \
		int r = 0; \
		(void)object; \
		(void)err;
#define REQUEST(id, name, reply) OBJECT(name)
#define FIELD(name, kind, most, must) \
		if (!r) \
			r = read_##kind(object, &(struct rule){#name, most, must}, &message.name, err);
#define END(name) \
		if (!r) \
			*ret = message; \
		return r; \
	}
#include "protocol/wire/wire.def"

#define OBJECT(object_name) \
	json_t *wire_write_##object_name(const struct wire_##object_name *message) \
	{ \
		json_t *object = json_object(); \
		bool done = object; \
		(void)message;
#define REQUEST(id, name, reply) \
	OBJECT(name) \
		done = done && put(object, "do", json_string(#name));
#define FIELD(name, kind, most, must) \
		done = done && write_##kind(object, #name, &message->name);
#define END(name) \
		if (done) \
			return object; \
		json_decref(object); \
		return NULL; \
	}
#include "protocol/wire/wire.def"
/* clang-format on */

/* ---- Which request, and how it ended. */

static const char *const requests[WIRE_REQUEST_COUNT] = {
#define REQUEST(id, name, reply) [WIRE_##id] = #name,
#include "protocol/wire/wire.def"
};

const char *wire_request_name(enum wire_request request)
{
	return requests[request];
}

int wire_read_request(const json_t *message, enum wire_request *ret_request, struct error *err)
{
	uint32_t request = find_word(message, "do", requests, WIRE_REQUEST_COUNT);
	char known[160] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < WIRE_REQUEST_COUNT && at < sizeof known; i++)
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s",
		        !i                           ? ""
		        : i + 1 < WIRE_REQUEST_COUNT ? ", "
		                                     : " or ",
		        requests[i]);
	if (request == WIRE_REQUEST_COUNT)
		return error_set(err, -EBADMSG, "do", "do must be %s", known);
	*ret_request = (enum wire_request)request;
	return 0;
}

static const char *const failures[WIRE_FAILURE_COUNT] = {
#define FAILURE(id, code, doc) [WIRE_##id] = code,
#include "protocol/wire/wire.def"
};

int wire_read_answer(const json_t *message, struct wire_answer *ret_answer)
{
	const json_t *ok = json_object_get(message, "ok"), *no = json_object_get(message, "error");
	const char *text = json_string_value(json_object_get(no, "text"));
	uint32_t failure = find_word(no, "code", failures, WIRE_FAILURE_COUNT);

	if (!json_is_object(ok) && failure == WIRE_FAILURE_COUNT)
		return -EBADMSG;
	*ret_answer = json_is_object(ok) ? (struct wire_answer){.ok = ok}
	                                 : (struct wire_answer){.failure = failure,
	                                           .text = text ? text : failures[failure]};
	return 0;
}

json_t *wire_write_ok(json_t *ok)
{
	return ok ? json_pack("{s:o}", "ok", ok)
	          : wire_write_failure(WIRE_OUT_OF_MEMORY, "no memory for the reply");
}

json_t *wire_write_failure(enum wire_failure failure, const char *text)
{
	return json_pack(
	        "{s:{s:s,s:o}}", "error", "code", failures[failure], "text", text_json(text));
}
