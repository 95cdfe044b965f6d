/* SPDX-License-Identifier: Apache-2.0
 *
 * Real answers against the rows of types.def and the RESULT rows of methods.def: every member of an
 * answer has a row and is what the row says, and every row that must be answered is. What only a
 * GPU can bring about is planted in the store.
 */
#include "tests/api/service.h"

#include "daemon/origins/origins.h"
#include "protocol/answers.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define OP8 "matmul m=8 n=8 k=8"

static void check_object(const char *where, const json_t *value, enum answer_kind type);

static bool is_word(const char *words, const char *text)
{
	size_t length = strlen(text);

	for (; *words; words += strcspn(words, "|"), words += *words == '|')
		if (strcspn(words, "|") == length && !memcmp(words, text, length))
			return true;
	return false;
}

static void check_one(const char *where, const json_t *value, enum answer_kind kind)
{
	const char *words = kind < ANSWER_KIND_COUNT ? answer_infos[kind].words : NULL;

	if (words)
		ck_assert_msg(json_is_string(value) && is_word(words, json_string_value(value)),
		        "%s is not one of %s", where, words);
	else if (kind == ANSWER_TEXT)
		ck_assert_msg(json_is_string(value), "%s is no text", where);
	else if (kind == ANSWER_WHOLE)
		ck_assert_msg(json_is_integer(value), "%s is no whole number", where);
	else if (kind == ANSWER_NUMBER)
		ck_assert_msg(json_is_number(value), "%s is no number", where);
	else if (kind == ANSWER_BOOL)
		ck_assert_msg(json_is_boolean(value), "%s is no flag", where);
	else if (kind == ANSWER_OBJECT)
		ck_assert_msg(json_is_object(value), "%s is no object", where);
	else
		check_object(where, value, kind);
}

static void check_list(
        const char *where, const json_t *value, enum answer_kind kind, enum answer_shape shape)
{
	const json_t *item;
	size_t i;

	ck_assert_msg(json_is_array(value), "%s is no array", where);
	ck_assert_msg(
	        shape != SHAPE_TRIPLE || json_array_size(value) == 3, "%s is not three", where);
	json_array_foreach(value, i, item)
	{
		if (shape == SHAPE_TRIPLES)
			check_list(where, item, kind, SHAPE_TRIPLE);
		else if (shape != SHAPE_NULLS || !json_is_null(item))
			check_one(where, item, kind);
	}
}

static void check_member(const char *where, const json_t *value, const struct answer_member *member)
{
	const char *name;
	json_t *item;

	if (member->when == WHEN_NULLABLE && json_is_null(value))
		return;
	if (member->shape == SHAPE_ONE) {
		check_one(where, value, member->kind);
	} else if (member->shape != SHAPE_MAP) {
		check_list(where, value, member->kind, member->shape);
	} else {
		ck_assert_msg(json_is_object(value), "%s is no object", where);
		json_object_foreach((json_t *)value, name, item)
		        check_one(where, item, member->kind);
	}
}

static void check_object(const char *where, const json_t *value, enum answer_kind type)
{
	char inner[256];
	const char *name;
	json_t *item;

	ck_assert_msg(json_is_object(value), "%s is no object", where);
	json_object_foreach((json_t *)value, name, item)
	{
		const struct answer_member *member = answer_member_find(type, name);
		snprintf(inner, sizeof inner, "%s.%s", where, name);
		ck_assert_msg(member != NULL, "%s has no row", inner);
		check_member(inner, item, member);
	}
	for (uint32_t i = 0; i < answer_member_count; i++)
		ck_assert_msg(answer_members[i].of != type ||
		                      answer_members[i].when == WHEN_SOMETIMES ||
		                      json_object_get(value, answer_members[i].name),
		        "%s.%s is not answered", where, answer_members[i].name);
}

/* Of the types that a method answers with, the one that has all of the members. */
static enum answer_kind type_of(enum method method, const json_t *value)
{
	enum answer_kind types[ANSWER_TYPES_MAX];
	const char *name;
	json_t *item;

	answer_types(method, types);
	for (uint32_t i = 0; types[i + 1] != ANSWER_KIND_COUNT; i++) {
		bool all = true;
		json_object_foreach((json_t *)value, name, item)
		        all &= answer_member_find(types[i], name) != NULL;
		if (all)
			return types[i];
	}
	for (uint32_t i = 0;; i++)
		if (types[i + 1] == ANSWER_KIND_COUNT)
			return types[i];
}

static void plant_kernel(const char *text, const char *schedule)
{
	struct op op;
	struct store_kernel kernel = {.generation = nnjit_generation,
	        .finished = true,
	        .measured = 3,
	        .of = 3,
	        .median_ns = 1000,
	        .mad_ns = 10,
	        .baseline_ns = 2000,
	        .samples = 9,
	        .checked = 64,
	        .max_rel_err = 1e-7};
	struct store_trial trial = {.state = STORE_TRIAL_TIMED, .median_ns = 1010, .samples = 9};

	ck_assert_int_eq(op_parse(text, &op, NULL), 0);
	const struct store_key key = {class_of(0xb2), 0xd1, op_key(&op), 0};
	op_print(&op, kernel.op);
	snprintf(kernel.schedule, sizeof kernel.schedule, "%s", schedule);
	snprintf(trial.schedule, sizeof trial.schedule, "wg_x=4 wg_y=4");
	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
	ck_assert_int_eq(store_put_trial(store, &key, &trial), 0);
}

static const struct {
	enum method method;
	const char *params;
} rows[] = {
        {METHOD_HEALTH, "{}"},
        {METHOD_OPENAPI, "{}"},
        {METHOD_STATUS, "{}"},
        {METHOD_DEVICES, "{}"},
        {METHOD_KERNEL, "{\"op\":\"" OP8 "\"}"},
        {METHOD_KERNEL, "{\"op\":\"matmul m=16 n=16 k=16\",\"target\":\"spirv\"}"},
        {METHOD_KERNEL, "{\"op\":\"matmul m=?16 n=16 k=16\"}"},
        {METHOD_KERNEL, "{\"op\":\"add shape=30000,30000\"}"},
        {METHOD_KERNEL, "{\"op\":\"matmul m=64 n=64 k=64\",\"constant\":\"b\"}"},
        {METHOD_REPORT, "{\"op\":\"" OP8 "\",\"schedule\":\"wg_x=8 wg_y=8\",\"median_ns\":5,"
                        "\"samples\":9}"},
        {METHOD_TRIALS, "{\"op\":\"" OP8 "\"}"},
        {METHOD_KERNELS, "{}"},
        {METHOD_LEADERS, "{\"op\":\"" OP8 "\"}"},
        {METHOD_MODELS, "{}"},
        {METHOD_MODEL, "{\"model\":\"t5-base\",\"target\":8}"},
        {METHOD_HELLO, "{}"},
        {METHOD_HELLO, "{\"adapter\":{\"vendor\":\"mesa\"}}"},
        {METHOD_HELLO, "{\"adapter\":{\"vendor\":\"nobody\"}}"},
        {METHOD_WATCH, "{\"op\":\"" OP8 "\"}"},
        {METHOD_CANCEL, "{\"request\":1}"},
        {METHOD_PREFETCH, "{\"ops\":[\"" OP8 "\"],\"budget_s\":5}"},
        {METHOD_PREFETCH, "{\"model\":\"bert-base\",\"seq\":8}"},
        {METHOD_APPROVE, "{\"origin\":\"https://app.example\",\"once\":true}"},
        {METHOD_DENY, "{\"origin\":\"https://app.example\"}"},
        {METHOD_REVOKE, "{\"origin\":\"https://decided.example\"}"},
        {METHOD_ORIGINS, "{}"},
        {METHOD_ADMIN, "{}"},
};
#define ROWS ((int)(sizeof rows / sizeof *rows))

START_TEST(answers_are_as_their_rows_say)
{
	json_t *params = json_loads(rows[_i].params, 0, NULL), *id = json_integer(1), *result;
	const char *name = methods[rows[_i].method].name;
	struct caller caller = caller_websocket("http://127.0.0.1:8080");
	const struct call call = {&caller, rows[_i].method, params, id};
	struct problem problem = {0};

	caller.peer = peer;
	caller.rights |= caller_owner(0).rights;
	ck_assert_int_eq(origins_judge(origins, "https://asks.example", 20), ORIGIN_PENDING);
	ck_assert_int_eq(origins_decide(origins, "https://decided.example", ORIGIN_DENY), 0);
	plant_kernel(OP8, "wg_x=8 wg_y=8");
	ck_assert_ptr_nonnull(params);
	ck_assert_msg(!api_call(api, &call, &result, &problem), "%s: %s", rows[_i].params,
	        problem.detail);
	check_object(name ? name : "answer", result, type_of(rows[_i].method, result));
	json_decref(result);
	json_decref(params);
	json_decref(id);
}
END_TEST

START_TEST(every_method_is_asked)
{
	for (enum method m = 0; m < METHOD_COUNT; m++) {
		bool asked = false;
		for (int i = 0; i < ROWS; i++)
			asked |= rows[i].method == m;
		ck_assert_msg(asked, "no row asks for: %s", methods[m].doc);
	}
}
END_TEST

/* The method's row says who may call it. */
START_TEST(who_has_no_right_is_refused_by_the_row)
{
	json_t *params = json_loads("{\"op\":\"" OP8 "\"}", 0, NULL), *result = NULL;

	for (enum method m = 0; m < METHOD_COUNT; m++) {
		struct problem problem = {0};
		int answer = call_rest(m, params, &result, &problem);
		ck_assert_int_eq(
		        answer == PROBLEM_UPGRADE_REQUIRED, methods[m].caller == CALLER_PEER);
		ck_assert_int_eq(answer == PROBLEM_NOT_OWNER,
		        methods[m].caller == CALLER_ADMIN || methods[m].caller == CALLER_OWNER);
		ck_assert(methods[m].path || methods[m].caller != CALLER_ANYONE);
		if (!answer)
			json_decref(result);
	}
	json_decref(params);
}
END_TEST

/* A GET of a browser that names no origin is answered, and queues nothing. */
START_TEST(who_may_not_start_work_starts_none)
{
	json_t *params = json_loads("{\"op\":\"" OP8 "\"}", 0, NULL), *result;
	struct caller caller = caller_rest("");
	const struct call call = {.caller = &caller, .method = METHOD_KERNEL, .params = params};
	struct problem problem = {0};

	caller.rights &= ~(1u << CALLER_STARTER);
	ck_assert_int_eq(api_call(api, &call, &result, &problem), 0);
	ck_assert_str_eq(text_at(result, "status", NULL), "predicted");
	ck_assert_uint_eq(jobs_queued(), 0);
	json_decref(result);
	json_decref(params);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("answers");
	TCase *tests = tcase_create("answers");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(tests, answers_are_as_their_rows_say, 0, ROWS);
	tcase_add_test(tests, every_method_is_asked);
	tcase_add_test(tests, who_has_no_right_is_refused_by_the_row);
	tcase_add_test(tests, who_may_not_start_work_starts_none);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
