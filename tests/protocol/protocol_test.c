/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol's tables and checks: parameters by their rows, operators in both spellings, problems
 * as JSON, and the OpenAPI document against the tables it is made from.
 */
#include "protocol/answers.h"
#include "protocol/artifact/artifact.h"
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
        {METHOD_PREFETCH, "{\"ops\":7}", PROBLEM_BAD_VALUE, "ops"},
        {METHOD_HELLO, "{\"adapter\":{},\"features\":[]}", PROBLEM_NONE, ""},
        {METHOD_HELLO, "{\"language_features\":[]}", PROBLEM_NONE, ""},
        {METHOD_HELLO, "{\"language_features\":\"x\"}", PROBLEM_BAD_VALUE, "language_features"},
        {METHOD_HELLO, "{\"adapter\":[]}", PROBLEM_BAD_VALUE, "adapter"},
        {METHOD_HELLO, "{\"features\":{}}", PROBLEM_BAD_VALUE, "features"},
        {METHOD_REPORT, "{\"op\":\"x\",\"schedule\":\"y\",\"samples\":3}", PROBLEM_MISSING_FIELD,
                "median_ns"},
};

START_TEST(params_are_checked)
{
	struct problem problem = {0};
	json_t *params = parse(param_rows[_i].params), *taken = NULL;
	int answer = protocol_params(param_rows[_i].method, params, &taken, &problem);

	ck_assert_int_eq(answer, (int)param_rows[_i].code);
	if (answer) {
		ck_assert_int_eq(problem.code, param_rows[_i].code);
		ck_assert_str_eq(problem.field, param_rows[_i].field);
		ck_assert_uint_gt(strlen(problem.detail), 20);
	} else {
		ck_assert(json_equal(taken, params));
	}
	json_decref(taken);
	json_decref(params);
}
END_TEST

START_TEST(no_params_are_an_empty_object)
{
	struct problem problem;
	json_t *taken = NULL;

	ck_assert_int_eq(protocol_params(METHOD_STATUS, NULL, &taken, &problem), 0);
	ck_assert_uint_eq(json_object_size(taken), 0);
	json_decref(taken);
	ck_assert_int_eq(
	        protocol_params(METHOD_KERNEL, NULL, &taken, &problem), PROBLEM_MISSING_FIELD);
}
END_TEST

START_TEST(parameters_answer_to_their_former_names)
{
	json_t *params = parse("{\"model\":\"t5-base\",\"target\":\"7\"}"), *taken = NULL;
	struct problem problem;

	ck_assert(method_takes(METHOD_MODEL, "target"));
	ck_assert(method_takes(METHOD_MODEL, "target_seq"));
	ck_assert(!method_takes(METHOD_KERNEL, "target_seq"));
	ck_assert_int_eq(protocol_params(METHOD_MODEL, params, &taken, &problem), 0);
	ck_assert_str_eq(json_string_value(json_object_get(taken, "target_seq")), "7");
	ck_assert_ptr_null(json_object_get(taken, "target"));
	json_decref(taken);
	json_object_set_new(params, "target_seq", json_integer(7));
	ck_assert_int_eq(
	        protocol_params(METHOD_MODEL, params, &taken, &problem), PROBLEM_DUPLICATE_FIELD);
	ck_assert_str_eq(problem.field, "target_seq");
	json_object_del(params, "target_seq");
	json_object_set_new(params, "target", json_string("wgsl"));
	ck_assert_int_eq(
	        protocol_params(METHOD_MODEL, params, &taken, &problem), PROBLEM_BAD_VALUE);
	ck_assert_str_eq(problem.field, "target");
	json_decref(params);
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
        {"{\"op\":\"matmul\",\"m\":\"?2\",\"n\":3,\"k\":\"?4..9\"}", PROBLEM_NONE,
                "matmul m=?2 n=3 k=?4..9"},
        {"{\"op\":\"add\",\"shape\":[8,\"?128\",768],\"y\":[768]}", PROBLEM_NONE,
                "add shape=8,?128,768 y=768"},
        {"{\"op\":\"add\",\"shape\":\"8,?128\"}", PROBLEM_NONE, "add shape=8,?128"},
        {"{\"op\":\"gelu\",\"shape\":7}", PROBLEM_NONE, "gelu shape=7"},
        {"{\"op\":\"conv2d\",\"c\":3,\"h\":8,\"w\":8,\"oc\":4,\"kernel\":[3,2],\"pad\":[1,0]}",
                PROBLEM_NONE, "conv2d c=3 h=8 w=8 oc=4 kernel=3,2 pad=1,0,1,0"},
        {"{\"op\":\"conv2d\",\"c\":3,\"h\":8,\"w\":8,\"oc\":4,\"kernel\":1,\"pad\":[0,1,2,3]}",
                PROBLEM_NONE, "conv2d c=3 h=8 w=8 oc=4 pad=0,1,2,3"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3,\"k\":4,\"scale\":0.125,\"act\":[\"relu\",\"tanh\"]}",
                PROBLEM_NONE, "matmul m=2 n=3 k=4 scale=0.125 act=relu+tanh"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3,\"k\":4,\"act\":[]}", PROBLEM_NONE,
                "matmul m=2 n=3 k=4"},
        {"{\"op\":\"map\",\"shape\":[5],\"steps\":[\"x\",\"alpha\",\"mul\"],\"alpha\":2}",
                PROBLEM_NONE, "map shape=5 steps=x,alpha,mul alpha=2"},
        {"{\"op\":\"transpose\",\"shape\":[2,3],\"perm\":[1,0]}", PROBLEM_NONE,
                "transpose shape=2,3 perm=1,0"},
        {"{\"op\":\"add\",\"shape\":[]}", PROBLEM_BAD_VALUE, "shape"},
        {"{\"op\":\"add\",\"shape\":[1,[2]]}", PROBLEM_BAD_VALUE, "shape"},
        {"{\"op\":\"add\",\"shape\":[1,null]}", PROBLEM_BAD_VALUE, "shape"},
        {"{\"op\":\"add\",\"shape\":{\"a\":1}}", PROBLEM_BAD_VALUE, "shape"},
        {"{\"op\":\"add\",\"shape\":[1,2,3,4,5,6,7]}", PROBLEM_BAD_VALUE, "shape"},
        {"{\"op\":\"add\",\"shape\":[2,2.5]}", PROBLEM_BAD_VALUE, "shape"},
        {"{\"op\":\"add\",\"shape\":[2],\"colour\":[1]}", PROBLEM_UNKNOWN_FIELD, "colour"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3,\"k\":4,\"scale\":\"nan\"}", PROBLEM_BAD_VALUE,
                "scale"},
        {"{\"op\":\"matmul\",\"m\":2,\"n\":3,\"k\":4,\"act\":[\"relu\",1]}", PROBLEM_BAD_VALUE,
                "act"},
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

/* As text from an object, so again as text: steps that fill every byte of a field among them. */
START_TEST(objects_can_be_written_as_text)
{
	struct problem problem = {0};
	char text[OP_TEXT_BYTES];
	struct op op, again;
	json_t *value = parse(
	        "{\"op\":\"map\",\"shape\":[\"?1..64\",2,\"?3..9\",1,1,1],\"steps\":[\"x\","
	        "\"hard_sigmoid\",\"hard_sigmoid\",\"hard_sigmoid\",\"hard_sigmoid\","
	        "\"hard_sigmoid\",\"hard_sigmoid\",\"hard_sigmoid\",\"hard_sigmoid\","
	        "\"hard_sigmoid\",\"hard_sigmoid\",\"hard_sigmoid\",\"hard_sigmoid\","
	        "\"hard_sigmoid\",\"hard_sigmoid\",\"hard_sigmoid\"]}");

	ck_assert_msg(protocol_op(value, &op, &problem) == 0, "%s", problem.detail);
	op_print(&op, text);
	json_t *string = json_string(text);
	ck_assert_msg(protocol_op(string, &again, &problem) == 0, "%s", problem.detail);
	ck_assert_mem_eq(&op, &again, sizeof op);
	json_decref(string);
	json_decref(value);
}
END_TEST

START_TEST(refusals_say_what_a_field_takes)
{
	struct problem problem = {0};
	struct op op;
	json_t *value = parse("{\"op\":\"matmul\",\"m\":[2],\"n\":3,\"k\":4}");

	protocol_op(value, &op, &problem);
	ck_assert_str_eq(problem.detail, "field 'm' must be a whole number from 1 to 67108864, or "
	                                 "dynamic: ?128, ?64..4096");
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
	ck_assert_int_eq(method_by_name("kernel"), METHOD_KERNEL);
	ck_assert_int_eq(method_by_name("get"), METHOD_KERNEL); /* until 1.0 */
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
		const char *verb = strcmp(methods[m].verb, "POST") ? "get" : "post";
		json_t *get = json_object_get(json_object_get(paths, methods[m].path), verb);
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

/* What answers are made of: each method has rows, each type is used and has a schema. */
START_TEST(answers_are_made_of_types)
{
	json_t *document = openapi_json("1.2.3");
	json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
	bool used[ANSWER_KIND_COUNT] = {[ANSWER_PROBLEM] = true};

	for (uint32_t i = 0; i < answer_member_count; i++) {
		const struct answer_member *member = &answer_members[i];
		used[member->kind] = true;
		if (!answer_infos[member->of].name)
			used[member->of] = true;
		ck_assert_ptr_eq(answer_member_find(member->of, member->name), member);
	}
	for (enum method m = 0; m < METHOD_COUNT; m++) {
		enum answer_kind types[ANSWER_TYPES_MAX], pushed = answer_pushed(m);
		answer_types(m, types);
		for (uint32_t i = 0; types[i] != ANSWER_KIND_COUNT; i++) {
			ck_assert_msg(answer_infos[types[i]].name || used[types[i]],
			        "%s answers with nothing", methods[m].doc);
			used[types[i]] = true;
		}
		if (pushed != ANSWER_KIND_COUNT)
			used[pushed] = true;
	}
	for (enum answer_kind kind = 0; kind < ANSWER_KIND_COUNT; kind++) {
		const char *name = answer_infos[kind].name;
		ck_assert_msg(!name || used[kind], "no answer holds a %s", name);
		ck_assert_msg(!name || json_object_get(schemas, name), "%s has no schema", name);
	}
	json_decref(document);
}
END_TEST

static void add_word(char *words, size_t bytes, const char *word)
{
	size_t length = strlen(words);

	snprintf(words + length, bytes - length, "%s%s", length ? "|" : "", word);
}

/* The words of types.def that are also the names of an enum. */
START_TEST(choices_are_the_names_in_the_code)
{
	char statuses[128] = "", types[128] = "";

	for (int status = ARTIFACT_PREDICTED; status <= ARTIFACT_NAIVE; status++)
		add_word(statuses, sizeof statuses,
		        artifact_status_name((enum artifact_status)status));
	ck_assert_str_eq(answer_infos[ANSWER_STATUS].words, statuses);
	add_word(statuses, sizeof statuses, "refused");
	ck_assert_str_eq(answer_infos[ANSWER_OP_STATUS].words, statuses);
	for (int type = 0; type < DTYPE_COUNT; type++)
		add_word(types, sizeof types, dtype_name((enum dtype)type));
	add_word(types, sizeof types, "u32"); /* of `dims` alone */
	ck_assert_str_eq(answer_infos[ANSWER_DTYPE].words, types);
}
END_TEST

/* Every operator is a schema that its own rows make: no field is missing, none too many. */
START_TEST(openapi_has_every_operator)
{
	json_t *document = openapi_json("1.2.3");
	json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
	char name[64];

	for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
		uint32_t fields = 0, required = 1;
		snprintf(name, sizeof name, "op.%s", op_name(kind));
		json_t *schema = json_object_get(schemas, name);
		ck_assert_msg(schema != NULL, "%s is missing", name);
		for (; op_field(kind, fields); fields++)
			required += protocol_field_required(op_field(kind, fields));
		ck_assert_uint_eq(
		        json_object_size(json_object_get(schema, "properties")), fields + 1);
		ck_assert_uint_eq(json_array_size(json_object_get(schema, "required")), required);
	}
	ck_assert_uint_eq(
	        json_array_size(json_object_get(json_object_get(schemas, "Operator"), "oneOf")),
	        OP_COUNT + 1);
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
	tcase_add_test(tests, parameters_answer_to_their_former_names);
	tcase_add_loop_test(tests, operators_in_both_spellings, 0, LENGTH(op_rows));
	tcase_add_test(tests, objects_can_be_written_as_text);
	tcase_add_test(tests, refusals_say_what_a_field_takes);
	tcase_add_test(tests, problems_are_problem_details);
	tcase_add_test(tests, names_and_paths_find_their_method);
	tcase_add_test(tests, openapi_has_every_route_and_parameter);
	tcase_add_test(tests, openapi_has_every_operator);
	tcase_add_test(tests, answers_are_made_of_types);
	tcase_add_test(tests, choices_are_the_names_in_the_code);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
