/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages as they come from the WebSocket, against the real tuner and store. The devices are
 * planted in the store and the worker is a program that ends at once: what is known without a GPU
 * must be answered without one.
 */
#include "tests/api/service.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define GET(op) "{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" op "}}"
#define OLD(op) "{\"id\":1,\"method\":\"get\",\"params\":{\"op\":" op "}}" /* until 1.0 */
#define OP8     "\"matmul m=8 n=8 k=8\""

static const struct {
	const char *message;
	const char *code, *field;
	bool has_id;
} refused_rows[] = {
        {"", "bad-json", "", false},
        {"{", "bad-json", "", false},
        {"nonsense", "bad-json", "", false},
        {"{\"id\":1}x", "bad-json", "", false},
        {"{\"id\":1,\"method\":\"sta\\u0000tus\"}", "bad-json", "", false},
        {"{\"id\":1,\"id\":2,\"method\":\"status\"}", "duplicate-field", "id", false},
        {GET("{\"op\":\"matmul\",\"m\":1,\"m\":2}"), "duplicate-field", "m", false},
        {"[]", "bad-message", "", false},
        {"7", "bad-json", "", false},
        {"{\"id\":\"a\",\"method\":\"status\"}", "bad-message", "id", false},
        {"{\"id\":1}", "bad-message", "method", true},
        {"{\"id\":1,\"method\":5}", "bad-message", "method", true},
        {"{\"id\":1,\"method\":\"fly\"}", "unknown-method", "method", true},
        {"{\"id\":1,\"method\":\"kernel\",\"op\":\"x\"}", "bad-message", "op", true},
        {"{\"id\":1,\"method\":\"status\",\"params\":[]}", "bad-message", "params", true},
        {"{\"id\":1,\"method\":\"kernel\"}", "missing-field", "op", true},
        {"{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8 ",\"colour\":1}}",
                "unknown-field", "colour", true},
        {GET("\"matmull m=1\""), "unknown-operator", "op", true},
        {GET("\"matmul m=1 n=1 k=1 k=1\""), "duplicate-field", "k", true},
        {GET("\"matmul m=16384 n=16384 k=16384\""), "exceeds-limits", NULL, true},
        {"{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8 ",\"device\":\"voodoo\"}}",
                "unknown-device", "device", true},
        {"{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8 ",\"device\":\"e\"}}",
                "ambiguous-device", "device", true},
        {"{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8 ",\"features\":\"wings\"}}",
                "bad-value", "features", true},
        {"{\"method\":\"watch\",\"params\":{\"op\":" OP8 "}}", "bad-message", "id", false},
        {"{\"id\":1,\"method\":\"prefetch\",\"params\":{\"ops\":[]}}", "bad-value", "ops", true},
        {"{\"id\":1,\"method\":\"prefetch\",\"params\":{\"ops\":[" OP8 ",\"matmul m=1\"]}}",
                "missing-field", "ops[1]", true},
        {"{\"id\":1,\"method\":\"kernels\",\"params\":{\"status\":\"fresh\"}}", "bad-value",
                "status", true},
        {"{\"id\":1,\"method\":\"report\",\"params\":{\"op\":" OP8
         ",\"schedule\":\"wg_x=3000\",\"median_ns\":5,\"samples\":1}}",
                "bad-value", "schedule", true},
        {"{\"id\":1,\"method\":\"report\",\"params\":{\"op\":" OP8
         ",\"schedule\":\"wg_x=8\",\"median_ns\":-5,\"samples\":1}}",
                "bad-value", "median_ns", true},
        {"{\"id\":1,\"method\":\"report\",\"params\":{\"op\":" OP8
         ",\"schedule\":\"wg_x=8\",\"median_ns\":5,\"samples\":0.5}}",
                "bad-value", "samples", true},
        {"{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8 ",\"runs\":0}}", "bad-value",
                "runs", true},
        {"{\"id\":1,\"method\":\"watch\",\"params\":{\"op\":" OP8 ",\"runs\":2.5}}", "bad-value",
                "runs", true},
};

START_TEST(mistakes_are_problems)
{
	json_t *reply = say(refused_rows[_i].message);
	const json_t *error = json_object_get(reply, "error");

	ck_assert_str_eq(text_at(error, "code", NULL), refused_rows[_i].code);
	if (refused_rows[_i].field)
		ck_assert_str_eq(text_at(error, "field", NULL), refused_rows[_i].field);
	ck_assert_uint_gt(strlen(text_at(error, "detail", NULL)), 15);
	ck_assert_int_eq(json_is_integer(json_object_get(reply, "id")), refused_rows[_i].has_id);
	json_decref(reply);
	reply = say("{\"id\":2,\"method\":\"status\"}");
	ck_assert_ptr_nonnull(json_object_get(reply, "result"));
	json_decref(reply);
}
END_TEST

START_TEST(a_kernel_is_answered_as_predicted_at_once)
{
	json_t *reply = say(GET(OP8)),
	       *again = say(OLD("{\"op\":\"matmul\",\"k\":8,\"n\":8,\"m\":8}"));
	const json_t *kernel = json_object_get(reply, "result");

	ck_assert_int_eq(json_integer_value(json_object_get(reply, "id")), 1);
	ck_assert_str_eq(text_at(kernel, "op", NULL), "matmul m=8 n=8 k=8");
	ck_assert_str_eq(text_at(kernel, "target", NULL), "wgsl");
	ck_assert_ptr_nonnull(strstr(text_at(kernel, "code", NULL), "fn main"));
	ck_assert_str_eq(text_at(kernel, "code", NULL), text_at(again, "result", "code"));
	json_decref(reply);
	json_decref(again);
}
END_TEST

static void put_tuned(uint64_t device, uint32_t features, const char *schedule)
{
	struct op op;
	ck_assert_int_eq(op_parse("matmul m=8 n=8 k=8", &op, NULL), 0);
	const struct store_key key = {class_of(device), 0xd1, op_key(&op), features};
	struct store_kernel kernel = {
	        .generation = nnjit_generation,
	        .finished = true,
	        .measured = 3,
	        .of = 3,
	        .median_ns = 1000,
	        .mad_ns = 10,
	        .baseline_ns = 2000,
	        .samples = 9,
	        .checked = 64,
	};

	op_print(&op, kernel.op);
	snprintf(kernel.schedule, sizeof kernel.schedule, "%s", schedule);
	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
}

static const char hello_swiftshader[] =
        "{\"id\":1,\"method\":\"hello\",\"params\":{\"adapter\":{\"vendor\":\"google\","
        "\"architecture\":\"swiftshader\"},\"features\":[\"subgroups\",\"timestamp-query\"]}}";

START_TEST(a_page_gets_its_own_device)
{
	json_t *reply = say(hello_swiftshader);

	ck_assert_str_eq(text_at(reply, "result", "device"), SWIFTSHADER);
	ck_assert_uint_eq(
	        json_array_size(json_object_get(json_object_get(reply, "result"), "features")), 1);
	json_decref(reply);
	reply = say(GET(OP8));
	ck_assert_str_eq(text_at(reply, "result", "device"), SWIFTSHADER);
	json_decref(reply);
	reply = say("{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8
	            ",\"device\":\"LLVMpipe\"}}");
	ck_assert_str_eq(text_at(reply, "result", "device"), LLVMPIPE);
	json_decref(reply);
}
END_TEST

START_TEST(a_page_on_another_gpu_must_name_a_device)
{
	json_t *reply = say(
	        "{\"id\":1,\"method\":\"hello\",\"params\":{\"adapter\":{\"vendor\":\"intel\"}}}");

	ck_assert(json_is_null(json_object_get(json_object_get(reply, "result"), "device")));
	ck_assert_uint_gt(strlen(text_at(reply, "result", "reason")), 20);
	json_decref(reply);
	reply = say(GET(OP8));
	ck_assert_str_eq(text_at(reply, "error", "code"), "unknown-device");
	json_decref(reply);
	reply = say("{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8
	            ",\"device\":\"swift\"}}");
	ck_assert_str_eq(text_at(reply, "result", "device"), SWIFTSHADER);
	json_decref(reply);
}
END_TEST

START_TEST(a_tuning_serves_pages_with_other_features)
{
	json_t *reply;

	put_tuned(0xa1, 0, "wg_x=2 wg_y=2 tile_m=4 tile_n=4");
	reply = say(hello_swiftshader);
	json_decref(reply);
	for (int i = 0; i < 2; i++) { /* the second comes from the cache */
		reply = say(GET(OP8));
		ck_assert_str_eq(text_at(reply, "result", "status"), "tuned");
		ck_assert_str_eq(
		        text_at(reply, "result", "schedule"), "wg_x=2 wg_y=2 tile_m=4 tile_n=4");
		json_decref(reply);
	}
}
END_TEST

START_TEST(a_tuning_that_needs_a_feature_is_kept_from_pages_without_it)
{
	json_t *reply;

	put_tuned(0xa1, FEATURE_SUBGROUPS, "wg_x=2 split_k=4 subgroup=1");
	reply = say("{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8
	            ",\"device\":\"swift\"}}");
	ck_assert_str_ne(text_at(reply, "result", "status"), "tuned");
	json_decref(reply);
}
END_TEST

/* What is a feature of the device counts as such alone, and what is one of WGSL. */
START_TEST(features_of_both_kinds)
{
	static const struct {
		const char *device, *language;
		size_t count;
	} rows[] = {{"[\"subgroups\"]", "[]", 1},
	        {"[]", "[\"packed_4x8_integer_dot_product\",\"pointer_composite_access\"]", 1},
	        {"[\"subgroups\"]", "[\"packed_4x8_integer_dot_product\"]", 2},
	        {"[\"packed_4x8_integer_dot_product\"]", "[\"subgroups\"]", 0},
	        {"[\"shader-f16\"]", "[]", 0}}; /* which the device lacks */
	char message[256];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(message, sizeof message,
		        "{\"id\":1,\"method\":\"hello\",\"params\":{\"adapter\":{\"vendor\":"
		        "\"google\"},\"features\":%s,\"language_features\":%s}}",
		        rows[i].device, rows[i].language);
		json_t *reply = say(message);
		const json_t *result = json_object_get(reply, "result");
		ck_assert_uint_eq(
		        json_array_size(json_object_get(result, "features")), rows[i].count);
		json_decref(reply);
	}
}
END_TEST

/* Tuned with more features than this page has, but by a kernel that needs none of the rest. */
START_TEST(a_tuning_with_more_features_serves_where_its_kernel_needs_fewer)
{
	json_t *reply;

	put_tuned(0xa1, FEATURE_SUBGROUPS | FEATURE_DOT4, "wg_x=2 wg_y=2 tile_m=4 tile_n=4");
	reply = say(hello_swiftshader);
	json_decref(reply);
	reply = say(GET(OP8));
	ck_assert_str_eq(text_at(reply, "result", "status"), "tuned");
	json_decref(reply);
}
END_TEST

START_TEST(features_are_named_or_refused)
{
	static const struct {
		const char *features, *code;
	} rows[] = {{"none", ""}, {"all", ""}, {"subgroups", ""},
	        {"shader-f16,packed_4x8_integer_dot_product", ""}, {"subgroup", "bad-value"},
	        {"", "bad-value"}, {"subgroups,", "bad-value"}, {"timestamp-query", "bad-value"}};
	char message[256];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(message, sizeof message,
		        "{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":" OP8
		        ",\"features\":\"%s\"}}",
		        rows[i].features);
		json_t *reply = say(message);
		ck_assert_str_eq(text_at(reply, "error", "code"), rows[i].code);
		json_decref(reply);
	}
}
END_TEST

START_TEST(watches_are_ended_by_their_id)
{
	json_t *reply = say("{\"id\":7,\"method\":\"watch\",\"params\":{\"op\":" OP8 "}}");

	ck_assert_str_eq(text_at(reply, "result", "op"), "matmul m=8 n=8 k=8");
	json_decref(reply);
	reply = say("{\"id\":7,\"method\":\"watch\",\"params\":{\"op\":" OP8 "}}");
	ck_assert_str_eq(text_at(reply, "error", "code"), "bad-message");
	json_decref(reply);
	for (int i = 0; i < 2; i++) {
		reply = say("{\"id\":8,\"method\":\"cancel\",\"params\":{\"request\":7}}");
		ck_assert_int_eq(json_is_true(json_object_get(
		                         json_object_get(reply, "result"), "cancelled")),
		        i == 0);
		json_decref(reply);
	}
}
END_TEST

START_TEST(a_page_that_leaves_takes_its_watches_along)
{
	json_t *reply = say("{\"id\":7,\"method\":\"prefetch\",\"params\":{\"ops\":[" OP8
	                    ",\"matmul m=1 n=2 k=3\"]}}");

	ck_assert_int_eq(
	        json_integer_value(json_object_get(json_object_get(reply, "result"), "of")), 2);
	json_decref(reply);
} /* tear_down destroys the peer; the sanitizers watch what is left */
END_TEST

START_TEST(reports_are_counted_apart)
{
	const char *message =
	        "{\"id\":1,\"method\":\"report\",\"params\":{\"op\":" OP8
	        ",\"schedule\":\"wg_x=2 wg_y=2 tile_m=4 tile_n=4\",\"median_ns\":1500,"
	        "\"samples\":20}}";
	uint64_t version = api_version(api);

	json_decref(say(message));
	json_decref(say(message));
	ck_assert_uint_ne(api_version(api), version);
	json_t *reply = say("{\"id\":2,\"method\":\"trials\",\"params\":{\"op\":" OP8 "}}");
	const json_t *result = json_object_get(reply, "result");
	const json_t *report = json_array_get(json_object_get(result, "reports"), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(report, "count")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(report, "samples")), 20);
	ck_assert_uint_eq(json_array_size(json_object_get(result, "trials")), 0);
	json_decref(reply);
}
END_TEST

START_TEST(lists_filter)
{
	static const struct {
		const char *params;
		size_t count;
	} rows[] = {{"{}", 2}, {"{\"device\":\"swift\"}", 1}, {"{\"op\":\"m=8\"}", 2},
	        {"{\"op\":\"m=9\"}", 0}, {"{\"status\":\"tuned\"}", 2},
	        {"{\"status\":\"stale\"}", 0}};
	char message[128];

	put_tuned(0xa1, 0, "wg_x=2");
	put_tuned(0xb2, 0, "wg_x=4");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(message, sizeof message, "{\"id\":1,\"method\":\"kernels\",\"params\":%s}",
		        rows[i].params);
		json_t *reply = say(message);
		const json_t *result = json_object_get(reply, "result");
		ck_assert_uint_eq(
		        json_array_size(json_object_get(result, "kernels")), rows[i].count);
		json_decref(reply);
	}
}
END_TEST

START_TEST(what_is_too_long_is_refused_unread)
{
	size_t length = PROTOCOL_MESSAGE_BYTES + 1;
	char *text = malloc(length);

	ck_assert_ptr_nonnull(text);
	memset(text, ' ', length);
	char *reply = api_message(api, peer, text, length);
	ck_assert_ptr_nonnull(strstr(reply, "frame-too-large"));
	free(reply);
	free(text);
}
END_TEST

static json_int_t counted(const char *member)
{
	json_t *reply = say("{\"id\":1,\"method\":\"status\"}");
	const json_t *status = json_object_get(reply, "result");
	const json_t *tuning = json_object_get(status, "tuning");
	json_int_t value = json_integer_value(json_object_get(status, member)
	                                              ? json_object_get(status, member)
	                                              : json_object_get(tuning, member));

	json_decref(reply);
	return value;
}

START_TEST(status_shows_what_was_counted)
{
	ck_assert_int_eq(counted("calls"), 1);
	ck_assert_int_eq(counted("calls"), 2);
	ck_assert_int_eq(counted("websockets"), 1);
	ck_assert_int_eq(counted("jobs_queued"), 0);
	json_decref(say(GET(OP8)));
	ck_assert_int_eq(counted("jobs_queued"), 1);
	ck_assert_int_eq(counted("calls"), 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tests = tcase_create("message");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(
	        tests, mistakes_are_problems, 0, (int)(sizeof refused_rows / sizeof *refused_rows));
	tcase_add_test(tests, a_kernel_is_answered_as_predicted_at_once);
	tcase_add_test(tests, a_page_gets_its_own_device);
	tcase_add_test(tests, a_page_on_another_gpu_must_name_a_device);
	tcase_add_test(tests, a_tuning_serves_pages_with_other_features);
	tcase_add_test(tests, a_tuning_that_needs_a_feature_is_kept_from_pages_without_it);
	tcase_add_test(tests, features_of_both_kinds);
	tcase_add_test(tests, a_tuning_with_more_features_serves_where_its_kernel_needs_fewer);
	tcase_add_test(tests, features_are_named_or_refused);
	tcase_add_test(tests, watches_are_ended_by_their_id);
	tcase_add_test(tests, a_page_that_leaves_takes_its_watches_along);
	tcase_add_test(tests, reports_are_counted_apart);
	tcase_add_test(tests, lists_filter);
	tcase_add_test(tests, status_shows_what_was_counted);
	tcase_add_test(tests, what_is_too_long_is_refused_unread);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
