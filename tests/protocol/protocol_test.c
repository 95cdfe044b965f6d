/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol's tables and checks: parameters by their rows, operators in both spellings, problems
 * as JSON, and the OpenAPI document against the tables it is made from.
 */
#include "protocol/openapi.h"
#include "protocol/params.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	ck_assert_msg(value != NULL, "the test's own JSON is wrong: %s", text);
	return value;
}

static const struct {
	enum method method;
	const char *params;
	enum problem_code code;
	const char *field;
} param_rows[] = {
        {METHOD_STATUS, "{}", PROBLEM_NONE, ""},
        {METHOD_STATUS, "{\"x\":1}", PROBLEM_UNKNOWN_FIELD, "x"},
        {METHOD_STATUS, "[]", PROBLEM_BAD_MESSAGE, "params"},
        {METHOD_KERNEL, "{\"op\":\"matmul m=1 n=1 k=1\"}", PROBLEM_NONE, ""},
        {METHOD_KERNEL, "{\"op\":{\"op\":\"matmul\"}}", PROBLEM_NONE, ""},
        {METHOD_KERNEL, "{}", PROBLEM_MISSING_FIELD, "op"},
        {METHOD_KERNEL, "{\"op\":7}", PROBLEM_BAD_VALUE, "op"},
        {METHOD_KERNEL, "{\"op\":\"x\",\"target\":\"glsl\"}", PROBLEM_BAD_VALUE, "target"},
        {METHOD_KERNEL, "{\"op\":\"x\",\"target\":\"spirv\"}", PROBLEM_NONE, ""},
        {METHOD_KERNEL, "{\"op\":\"x\",\"device\":3}", PROBLEM_BAD_VALUE, "device"},
        {METHOD_WATCH, "{\"op\":\"x\",\"again\":true}", PROBLEM_NONE, ""},
        {METHOD_WATCH, "{\"op\":\"x\",\"again\":\"1\"}", PROBLEM_NONE, ""},
        {METHOD_WATCH, "{\"op\":\"x\",\"again\":2}", PROBLEM_BAD_VALUE, "again"},
        {METHOD_WATCH, "{\"op\":\"x\",\"again\":\"yes\"}", PROBLEM_BAD_VALUE, "again"},
        {METHOD_CANCEL, "{\"request\":3}", PROBLEM_NONE, ""},
        {METHOD_CANCEL, "{\"request\":\"3\"}", PROBLEM_NONE, ""},
        {METHOD_CANCEL, "{\"request\":\"3x\"}", PROBLEM_BAD_VALUE, "request"},
        {METHOD_CANCEL, "{\"request\":\"\"}", PROBLEM_BAD_VALUE, "request"},
        {METHOD_CANCEL, "{\"request\":\"inf\"}", PROBLEM_BAD_VALUE, "request"},
        {METHOD_CANCEL, "{\"request\":null}", PROBLEM_BAD_VALUE, "request"},
        {METHOD_PREFETCH, "{\"ops\":[]}", PROBLEM_NONE, ""},
        {METHOD_PREFETCH, "{\"ops\":\"x\"}", PROBLEM_BAD_VALUE, "ops"},
        {METHOD_HELLO, "{\"adapter\":{},\"features\":[]}", PROBLEM_NONE, ""},
        {METHOD_HELLO, "{\"adapter\":[]}", PROBLEM_BAD_VALUE, "adapter"},
        {METHOD_HELLO, "{\"features\":{}}", PROBLEM_BAD_VALUE, "features"},
        {METHOD_REPORT, "{\"op\":\"x\",\"schedule\":\"y\",\"samples\":3}", PROBLEM_MISSING_FIELD,
                "median_ns"},
};

START_TEST(params_are_checked)
{
	struct problem problem = {0};
	json_t *params = parse(param_rows[_i].params);
	int answer = protocol_check_params(param_rows[_i].method, params, &problem);

	ck_assert_int_eq(answer, (int)param_rows[_i].code);
	if (answer) {
		ck_assert_int_eq(problem.code, param_rows[_i].code);
		ck_assert_str_eq(problem.field, param_rows[_i].field);
		ck_assert_uint_gt(strlen(problem.detail), 20);
	}
	json_decref(params);
}
END_TEST

START_TEST(no_params_are_an_empty_object)
{
	struct problem problem;

	ck_assert_int_eq(protocol_check_params(METHOD_STATUS, NULL, &problem), 0);
	ck_assert_int_eq(
	        protocol_check_params(METHOD_KERNEL, NULL, &problem), PROBLEM_MISSING_FIELD);
}
END_TEST

static const struct {
	const char *value;
	enum problem_code code;
	const char *text; /* canonical, where it is right; the field at fault, where not */
} op_rows[] = {
        {"\"matmul m=2 n=3 k=4\"", PROBLEM_NONE, "matmul m=2 n=3 k=4"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3,\"k\":4}", PROBLEM_NONE, "matmul m=2 n=3 k=4"},
        {"{\"k\":\"4\",\"m\":2,\"bias\":true,\"n\":3,\"op\":\"matmul\"}", PROBLEM_NONE,
                "matmul m=2 n=3 k=4 bias=1"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3,\"k\":4,\"act\":\"gelu\",\"trans_b\":false}",
                PROBLEM_NONE, "matmul m=2 n=3 k=4 act=gelu"},
        {"\"conv m=2\"", PROBLEM_UNKNOWN_OPERATOR, "op"},
        {"{\"op\":\"conv\"}", PROBLEM_UNKNOWN_OPERATOR, "op"},
        {"{\"m\":2}", PROBLEM_MISSING_FIELD, "op"},
        {"{\"op\":5}", PROBLEM_MISSING_FIELD, "op"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3}", PROBLEM_MISSING_FIELD, "k"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3,\"k\":4,\"q\":1}", PROBLEM_UNKNOWN_FIELD, "q"},
        {"{\"op\":\"matmul\",\"m\":2.5,\"n\":3,\"k\":4}", PROBLEM_BAD_VALUE, "m"},
        {"{\"op\":\"matmul\",\"m\":-2,\"n\":3,\"k\":4}", PROBLEM_BAD_VALUE, "m"},
        {"{\"op\":\"matmul\",\"m\":0,\"n\":3,\"k\":4}", PROBLEM_BAD_VALUE, "m"},
        {"{\"op\":\"matmul\",\"m\":null,\"n\":3,\"k\":4}", PROBLEM_BAD_VALUE, "m"},
        {"{\"op\":\"matmul\",\"m\":[2],\"n\":3,\"k\":4}", PROBLEM_BAD_VALUE, "m"},
        {"\"matmul m=2 n=3 k=4 m=2\"", PROBLEM_DUPLICATE_FIELD, "m"},
        {"\"matmul m=60000000 n=60000000 k=1\"", PROBLEM_TOO_LARGE, NULL},
        {"\"matmul m=99999999999 n=3 k=4\"", PROBLEM_BAD_VALUE, "m"},
        {"\"matmul m\"", PROBLEM_BAD_SYNTAX, NULL},
        {"17", PROBLEM_BAD_VALUE, "op"},
};

START_TEST(operators_in_both_spellings)
{
	struct problem problem = {0};
	char text[OP_TEXT_BYTES];
	struct op op;
	json_t *value = parse(op_rows[_i].value);
	int answer = protocol_op(value, &op, &problem);

	ck_assert_msg(answer == (int)op_rows[_i].code, "%s: answered %d (%s)", op_rows[_i].value,
	        answer, problem.detail);
	if (!answer) {
		op_print(&op, text);
		ck_assert_str_eq(text, op_rows[_i].text);
	} else if (op_rows[_i].text) {
		ck_assert_str_eq(problem.field, op_rows[_i].text);
	}
	json_decref(value);
}
END_TEST

START_TEST(problems_are_problem_details)
{
	struct problem problem;
	const char *member;
	json_t *value;
	char members[80] = "";

	ck_assert_int_eq(
	        problem_set(&problem, PROBLEM_UNKNOWN_DEVICE, "device", "%s", "what \xff to do"),
	        PROBLEM_UNKNOWN_DEVICE);
	json_t *object = problem_json(&problem);
	json_object_foreach(object, member, value)
	{
		strcat(members, member);
		strcat(members, " ");
	}
	ck_assert_str_eq(members, "type title status code field detail ");
	ck_assert_str_eq(json_string_value(json_object_get(object, "code")), "unknown-device");
	ck_assert_int_eq(json_integer_value(json_object_get(object, "status")), 404);
	ck_assert_str_eq(json_string_value(json_object_get(object, "detail")), "what ? to do");
	json_decref(object);
}
END_TEST

START_TEST(names_and_paths_find_their_method)
{
	for (enum method m = 0; m < METHOD_COUNT; m++) {
		ck_assert(methods[m].name || methods[m].path);
		if (methods[m].name)
			ck_assert_int_eq(method_by_name(methods[m].name), m);
		if (methods[m].path)
			ck_assert_int_eq(method_by_path(methods[m].path), m);
	}
	ck_assert_int_eq(method_by_name("no such"), METHOD_COUNT);
	ck_assert_int_eq(method_by_path("/v1/none"), METHOD_COUNT);
}
END_TEST

START_TEST(openapi_has_every_route_and_parameter)
{
	json_t *document = openapi_json("1.2.3");
	json_t *paths = json_object_get(document, "paths");
	size_t routes = 0;

	ck_assert_ptr_nonnull(document);
	for (enum method m = 0; m < METHOD_COUNT; m++) {
		size_t wanted = 0;
		if (!methods[m].path)
			continue;
		json_t *get = json_object_get(json_object_get(paths, methods[m].path), "get");
		for (uint32_t i = 0; i < method_param_count; i++)
			wanted += method_params[i].method == m;
		ck_assert_msg(get != NULL, "%s is missing", methods[m].path);
		ck_assert_uint_eq(json_array_size(json_object_get(get, "parameters")), wanted);
		ck_assert_ptr_nonnull(json_object_get(json_object_get(get, "responses"), "200"));
		routes++;
	}
	ck_assert_uint_eq(json_object_size(paths), routes);
	json_decref(document);
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
	Suite *suite = suite_create("protocol");
	TCase *tests = tcase_create("protocol");

	tcase_add_loop_test(tests, params_are_checked, 0, LENGTH(param_rows));
	tcase_add_test(tests, no_params_are_an_empty_object);
	tcase_add_loop_test(tests, operators_in_both_spellings, 0, LENGTH(op_rows));
	tcase_add_test(tests, problems_are_problem_details);
	tcase_add_test(tests, names_and_paths_find_their_method);
	tcase_add_test(tests, openapi_has_every_route_and_parameter);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
