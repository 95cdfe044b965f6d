/* SPDX-License-Identifier: Apache-2.0
 *
 * Models as a client asks for them: the list, one model's operators and time, prefetching all of
 * it under one budget, with and without somebody to tell, and what is refused.
 */
#include "tests/api/service.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TINY "\"sizes\":\"layers=1,hidden=64,vocab=100,seq=16\""

static const json_t *result_of(const json_t *reply)
{
	const json_t *result = json_object_get(reply, "result");

	if (!result)
		ck_abort_msg("%s", text_at(reply, "error", "detail"));
	return result;
}

static double number_at(const json_t *object, const char *member)
{
	ck_assert_msg(json_is_number(json_object_get(object, member)), "no number %s", member);
	return json_number_value(json_object_get(object, member));
}

START_TEST(models_are_listed)
{
	json_t *reply = say("{\"id\":1,\"method\":\"models\"}"), *model;
	const json_t *models = json_object_get(result_of(reply), "models");
	size_t i;

	ck_assert_uint_eq(json_array_size(models), 12);
	json_array_foreach((json_t *)models, i, model)
	{
		ck_assert_msg(
		        !json_object_get(model, "error"), "%s", text_at(model, "error", NULL));
		ck_assert_double_gt(number_at(model, "parameters"), 3e6);
		ck_assert(json_is_integer(
		        json_object_get(json_object_get(model, "inputs"), "batch")));
		ck_assert_uint_gt(json_object_size(json_object_get(model, "sizes")), 3);
	}
	json_decref(reply);
}
END_TEST

/* The totals are the sum of the rows, and the shares of it are all of it. */
START_TEST(a_model_is_the_sum_of_its_operators)
{
	json_t *reply = say("{\"id\":1,\"method\":\"model\",\"params\":{\"model\":\"bert-base\","
	                    "\"seq\":64}}");
	const json_t *model = result_of(reply), *total = json_object_get(model, "total");
	double default_ns = 0, tuned_ns = 0, share = 0;
	json_t *op;
	size_t i;

	json_array_foreach(json_object_get(model, "ops"), i, op)
	{
		ck_assert_str_eq(text_at(op, "status", NULL), "predicted");
		ck_assert_double_gt(number_at(op, "tuned_ns"), 0);
		ck_assert_double_ge(number_at(op, "default_ns"), number_at(op, "tuned_ns"));
		default_ns += number_at(op, "default_ns") * number_at(op, "times");
		tuned_ns += number_at(op, "tuned_ns") * number_at(op, "times");
		share += number_at(op, "share");
	}
	ck_assert_uint_eq(i, 12);
	ck_assert_double_lt(fabs(number_at(total, "default_ns") / default_ns - 1), 1e-3);
	ck_assert_double_lt(fabs(number_at(total, "tuned_ns") / tuned_ns - 1), 1e-3);
	ck_assert_double_lt(fabs(share - 1), 0.01);
	ck_assert_double_eq(number_at(total, "ops"), 12);
	ck_assert_double_eq(number_at(total, "tuned"), 0);
	ck_assert_double_eq(number_at(json_object_get(model, "inputs"), "seq"), 64);
	ck_assert_uint_eq(jobs_queued(), 0);
	json_decref(reply);
}
END_TEST

/* GPT-2's head and its embedding exceed a binding and are taken apart along its vocabulary. */
START_TEST(what_exceeds_a_binding)
{
	json_t *reply = say("{\"id\":1,\"method\":\"model\",\"params\":{\"model\":\"gpt2\"}}"), *op;
	double columns = 0, rows = 0;
	size_t i;

	json_array_foreach(json_object_get(result_of(reply), "ops"), i, op)
	{
		const char *text = text_at(op, "op", NULL);
		const char *n = strstr(text, " n="), *of = strstr(text, " rows=");
		ck_assert_str_ne(text_at(op, "status", NULL), "refused");
		if (!strcmp(text_at(op, "name", NULL), "head (part)"))
			columns += strtod(n + 3, NULL) * number_at(op, "times");
		if (strstr(text, "gather") && strstr(text, " of=50257"))
			rows += strtod(of + 6, NULL) * number_at(op, "times");
	}
	ck_assert_double_eq(columns, 50257);
	ck_assert_double_eq(rows, 50257);
	json_decref(reply);
}
END_TEST

START_TEST(lists_take_operators_apart_too)
{
	json_t *reply = say("{\"id\":7,\"method\":\"prefetch\",\"params\":{\"ops\":[\"matmul m=1 "
	                    "n=50257 k=768 trans_b=1\"]}}");
	double columns = 0;
	json_t *op;
	size_t i;

	json_array_foreach(json_object_get(result_of(reply), "ops"), i, op)
	{
		const char *text = text_at(op, "op", NULL);
		columns += strtod(strstr(text, " n=") + 3, NULL) * number_at(op, "times");
	}
	ck_assert_double_eq(columns, 50257);
	ck_assert_double_eq(number_at(result_of(reply), "of"), (double)i);
	json_decref(reply);
}
END_TEST

static double budgets(const json_t *result)
{
	double sum = 0;
	json_t *op;
	size_t i;

	json_array_foreach(json_object_get(result, "ops"), i, op) sum += number_at(op, "budget_s");
	return sum;
}

START_TEST(one_budget_is_shared)
{
	json_t *reply = say("{\"id\":7,\"method\":\"prefetch\",\"params\":{\"model\":\"bert-base\","
	                    "\"budget_s\":600}}"),
	       *op;
	const json_t *result = result_of(reply);
	double most_s = 0;
	size_t i;

	ck_assert_double_eq(number_at(result, "of"), 12);
	ck_assert_uint_eq(jobs_queued(), 12);
	/* Those that take no time worth the name get the least on top. */
	ck_assert_double_ge(budgets(result), 599);
	ck_assert_double_le(budgets(result), 600 + 12 * 0.3);
	json_array_foreach(
	        json_object_get(result, "ops"), i, op) if (number_at(op, "budget_s") > most_s)
	{
		most_s = number_at(op, "budget_s");
		ck_assert_double_gt(number_at(op, "times"), 0);
	}
	ck_assert_double_gt(most_s, 100); /* the feed forward's matmuls are most of the model */
	json_decref(reply);
	json_decref(say("{\"id\":8,\"method\":\"cancel\",\"params\":{\"request\":7}}"));
	ck_assert_uint_eq(jobs_queued(), 0);
}
END_TEST

/* Nothing is tuned for longer than so many runs can save. */
START_TEST(runs_bound_the_budget)
{
	json_t *once = say("{\"id\":7,\"method\":\"prefetch\",\"params\":{\"model\":\"bert-base\","
	                   "\"budget_s\":600,\"runs\":1}}"),
	       *often = say("{\"id\":8,\"method\":\"prefetch\",\"params\":{\"model\":\"bert-base\","
	                    "\"budget_s\":600,\"runs\":1000000}}");

	ck_assert_double_lt(budgets(result_of(once)), 60);
	ck_assert_double_ge(budgets(result_of(once)), 12 * 0.2 - 0.01);
	ck_assert_double_ge(budgets(result_of(often)), 599);
	json_decref(once);
	json_decref(often);
}
END_TEST

static int rest(
        enum method method, const char *params, json_t **ret_result, struct problem *problem)
{
	json_t *object = json_loads(params, 0, NULL);

	ck_assert_ptr_nonnull(object);
	int answer = call_rest(method, object, ret_result, problem);
	json_decref(object);
	return answer;
}

START_TEST(over_rest_it_is_queued)
{
	struct problem problem;
	json_t *result;

	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(rest(METHOD_PREFETCH,
		                         "{\"model\":\"bert-base\"," TINY ",\"budget_s\":\"6\"}",
		                         &result, &problem),
		        0);
		ck_assert_double_eq(number_at(result, "of"), 12);
		ck_assert_double_eq(number_at(result, "queued"), 12);
		ck_assert_str_eq(text_at(result, "look", NULL), "/v1/model");
		ck_assert_uint_eq(jobs_queued(), 12); /* the same ones */
		json_decref(result);
	}
	ck_assert_int_eq(rest(METHOD_PREFETCH,
	                         "{\"ops\":\"matmul m=8 n=8 k=8;relu shape=9;matmul m=8 n=8 k=8\"}",
	                         &result, &problem),
	        0);
	ck_assert_double_eq(number_at(result, "of"), 3);
	ck_assert_uint_eq(jobs_queued(), 14);
	json_decref(result);
}
END_TEST

static const struct {
	const char *params;
	enum problem_code code;
	const char *field, *said;
} refused_rows[] = {
        {"{}", PROBLEM_MISSING_FIELD, "ops", "a `model`"},
        {"{\"model\":\"bert\"}", PROBLEM_UNKNOWN_MODEL, "model", "there are bart-large"},
        {"{\"model\":\"../models/gpt2\"}", PROBLEM_UNKNOWN_MODEL, "model", "there is no model"},
        {"{\"model\":\"gpt2\",\"ops\":[\"relu shape=1\"]}", PROBLEM_BAD_VALUE, "ops", "not both"},
        {"{\"ops\":[\"relu shape=1\"],\"seq\":3}", PROBLEM_BAD_VALUE, "seq", "belongs to a model"},
        {"{\"ops\":[\"relu shape=1\"],\"dtype\":\"f16\"}", PROBLEM_BAD_VALUE, "dtype",
                "belongs to a model"},
        {"{\"ops\":\"\"}", PROBLEM_BAD_VALUE, "ops", "not 0"},
        {"{\"ops\":\"relu shape=1;relux\"}", PROBLEM_UNKNOWN_OPERATOR, "ops[1]", "relux"},
        {"{\"model\":\"vit-b-16\",\"seq\":3}", PROBLEM_BAD_VALUE, "seq",
                "vit-b-16 has no input or size 'seq'"},
        {"{\"model\":\"gpt2\",\"seq\":1.5}", PROBLEM_BAD_VALUE, "seq", "a whole number"},
        {"{\"model\":\"gpt2\",\"seq\":-1}", PROBLEM_BAD_VALUE, "seq", "a whole number"},
        {"{\"model\":\"gpt2\",\"seq\":1000,\"cache\":100}", PROBLEM_BAD_VALUE, "seq",
                "gpt2 allows at most 924 (context-cache)"},
        {"{\"model\":\"gpt2\",\"dtype\":\"f8\"}", PROBLEM_BAD_VALUE, "dtype", "not 'f8'"},
        {"{\"model\":\"gpt2\",\"sizes\":\"hidden\"}", PROBLEM_BAD_VALUE, "sizes", "name=number"},
        {"{\"model\":\"gpt2\",\"sizes\":\"hidden=100\"}", PROBLEM_BAD_VALUE, "",
                "gpt2, heads: 'hidden/head': 100 / 64 leaves a remainder"},
        {"{\"model\":\"gpt2\",\"dynamic\":\"layers\"}", PROBLEM_BAD_VALUE, "layers",
                "gpt2 has no input 'layers'"},
        {"{\"model\":\"gpt2\",\"budget_s\":0}", PROBLEM_BAD_VALUE, "budget_s", "more than 0"},
        {"{\"model\":\"gpt2\",\"budget_s\":1e9}", PROBLEM_BAD_VALUE, "budget_s", "at most 86400"},
        {"{\"model\":\"gpt2\",\"runs\":-1}", PROBLEM_BAD_VALUE, "runs", "whole number from 1"},
        {"{\"model\":\"gpt2\",\"device\":\"voodoo\"}", PROBLEM_UNKNOWN_DEVICE, "device", "voodoo"},
        {"{\"model\":\"gpt2\",\"again\":true}", PROBLEM_UNKNOWN_FIELD, "again", "budget_s"},
};

START_TEST(what_is_wrong_is_named)
{
	struct problem problem = {0};
	json_t *result;

	ck_assert_int_eq(rest(METHOD_PREFETCH, refused_rows[_i].params, &result, &problem),
	        refused_rows[_i].code);
	ck_assert_str_eq(problem.field, refused_rows[_i].field);
	ck_assert_msg(strstr(problem.detail, refused_rows[_i].said) != NULL, "%s", problem.detail);
	ck_assert_uint_eq(jobs_queued(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *tests = tcase_create("methods");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, models_are_listed);
	tcase_add_test(tests, a_model_is_the_sum_of_its_operators);
	tcase_add_test(tests, what_exceeds_a_binding);
	tcase_add_test(tests, lists_take_operators_apart_too);
	tcase_add_test(tests, one_budget_is_shared);
	tcase_add_test(tests, runs_bound_the_budget);
	tcase_add_test(tests, over_rest_it_is_queued);
	tcase_add_loop_test(tests, what_is_wrong_is_named, 0,
	        (int)(sizeof refused_rows / sizeof *refused_rows));
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
