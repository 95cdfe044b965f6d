/* SPDX-License-Identifier: Apache-2.0
 *
 * What a page's reports may and may not do: settle near-ties of its own origin, as far as its clock
 * can be believed; nothing else, whatever it says.
 */
#include "tests/api/service.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define OP     "matmul m=8 n=8 k=8"
#define BEST   "wg_x=2 wg_y=2 tile_m=4 tile_n=4"
#define NEAR   "wg_x=2 wg_y=2 tile_m=2 tile_n=4" /* 2% slower by our own measure */
#define FAR    "wg_x=4 wg_y=4 tile_m=2 tile_n=2" /* half as fast */
#define DEVICE "\"device\":\"swift\""

static void put_trial(const struct store_key *key, const char *schedule, double median_ns,
        enum store_trial_state state)
{
	struct store_trial trial = {.state = state, .median_ns = median_ns, .samples = 9};

	snprintf(trial.schedule, sizeof trial.schedule, "%s", schedule);
	ck_assert_int_eq(store_put_trial(store, key, &trial), 0);
}

static void tuned(void)
{
	struct store_kernel kernel = {.op = OP,
	        .schedule = BEST,
	        .generation = nnjit_generation,
	        .finished = true,
	        .measured = 3,
	        .of = 3,
	        .median_ns = 1e6,
	        .mad_ns = 10,
	        .baseline_ns = 4e6,
	        .samples = 9,
	        .checked = 64};
	struct op op;

	ck_assert_int_eq(op_parse(OP, &op, NULL), 0);
	const struct store_key key = {class_of(0xa1), 0xd1, op_key(&op), 0};
	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
	put_trial(&key, BEST, 1e6, STORE_TRIAL_TIMED);
	put_trial(&key, NEAR, 1.02e6, STORE_TRIAL_TIMED);
	put_trial(&key, FAR, 2e6, STORE_TRIAL_TIMED);
	put_trial(&key, "wg_x=8", 1.01e6, STORE_TRIAL_WRONG);
}

static void set_up_tuned(void)
{
	set_up();
	tuned();
}

/* What the report is answered with: "" or the problem's code. */
static const char *report(const char *schedule, const char *rest)
{
	static char code[64];
	char message[512];

	snprintf(message, sizeof message,
	        "{\"id\":1,\"method\":\"report\",\"params\":{\"op\":\"" OP "\"," DEVICE
	        ",\"schedule\":\"%s\",%s}}",
	        schedule, rest);
	json_t *reply = say(message);
	snprintf(code, sizeof code, "%s", text_at(reply, "error", "code"));
	json_decref(reply);
	return code;
}

static void expect_served(const char *schedule)
{
	json_t *reply = say(
	        "{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":\"" OP "\"," DEVICE "}}");

	ck_assert_str_eq(text_at(reply, "result", "schedule"), schedule);
	ck_assert_str_eq(
	        text_at(reply, "result", "settled_by"), strcmp(schedule, BEST) ? "page" : "");
	json_decref(reply);
}

START_TEST(a_page_settles_a_near_tie)
{
	expect_served(BEST);
	ck_assert_str_eq(report(BEST, "\"median_ns\":2e6,\"samples\":20,\"quantum_ns\":0"), "");
	expect_served(BEST);
	ck_assert_str_eq(report(NEAR, "\"median_ns\":1.5e6,\"samples\":20,\"quantum_ns\":0"), "");
	expect_served(NEAR);
	ck_assert_str_eq(report(NEAR, "\"median_ns\":2.5e6,\"samples\":20,\"quantum_ns\":0"), "");
	expect_served(BEST);
}
END_TEST

/* Reports of the rival against 2 ms of the best; what is then served. */
static const struct {
	const char *rival, *rest, *served;
} rows[] = {
        /* A lie makes no far schedule near, and none that is wrong right. */
        {FAR, "\"median_ns\":1,\"samples\":1000000,\"quantum_ns\":0", BEST},
        {"wg_x=8", "\"median_ns\":1,\"samples\":1000000,\"quantum_ns\":0", BEST},
        /* 5% by a clock that ticks once in a sample: our own 2% count for more. */
        {NEAR, "\"median_ns\":1.9e6,\"samples\":20,\"quantum_ns\":2e6", BEST},
        /* The same by a sample of 100 dispatches, 200 ticks. */
        {NEAR, "\"median_ns\":1.9e6,\"samples\":20,\"dispatches\":100,\"quantum_ns\":1e6", NEAR},
        /* Left out, the clock is a browser's. */
        {NEAR, "\"median_ns\":1.9e6,\"samples\":20", NEAR},
        {NEAR, "\"median_ns\":1.9e6,\"samples\":1", BEST},
};

START_TEST(reports_weigh_what_they_are_worth)
{
	const char *best = strstr(rows[_i].rest, ",\"samples");
	char told[128];

	snprintf(told, sizeof told, "\"median_ns\":2e6%s", best);
	ck_assert_str_eq(report(BEST, told), "");
	ck_assert_str_eq(report(rows[_i].rival, rows[_i].rest), "");
	expect_served(rows[_i].served);
}
END_TEST

static const struct {
	const char *schedule, *rest, *code;
} refused[] = {
        {BEST, "\"median_ns\":0,\"samples\":1", "bad-value"},
        {BEST, "\"median_ns\":-1,\"samples\":1", "bad-value"},
        {BEST, "\"median_ns\":1e99,\"samples\":1", "bad-value"},
        {BEST, "\"median_ns\":NaN,\"samples\":1", "bad-json"},
        {BEST, "\"median_ns\":\"one\",\"samples\":1", "bad-value"},
        {BEST, "\"median_ns\":1,\"samples\":0", "bad-value"},
        {BEST, "\"median_ns\":1,\"samples\":1.5", "bad-value"},
        {BEST, "\"median_ns\":1,\"samples\":1,\"dispatches\":0", "bad-value"},
        {BEST, "\"median_ns\":1,\"samples\":1,\"dispatches\":1e12", "bad-value"},
        {BEST, "\"median_ns\":1,\"samples\":1,\"quantum_ns\":-1", "bad-value"},
        {"wg_x=3000", "\"median_ns\":1,\"samples\":1", "bad-value"},
        {"nonsense", "\"median_ns\":1,\"samples\":1", "bad-value"},
};

START_TEST(nonsense_is_refused)
{
	ck_assert_str_eq(report(refused[_i].schedule, refused[_i].rest), refused[_i].code);
	expect_served(BEST);
}
END_TEST

static void become(const char *origin)
{
	const struct caller caller = caller_websocket(origin);

	api_peer_destroy(peer);
	ck_assert_int_eq(api_peer_create(api, &caller, NULL, NULL, &peer), 0);
}

START_TEST(an_origin_hurts_only_itself)
{
	json_t *result = NULL;
	struct problem problem;

	ck_assert_str_eq(report(BEST, "\"median_ns\":9e6,\"samples\":99,\"quantum_ns\":0"), "");
	ck_assert_str_eq(report(NEAR, "\"median_ns\":1,\"samples\":99,\"quantum_ns\":0"), "");
	expect_served(NEAR);
	become("http://127.0.0.1:9090");
	expect_served(BEST);
	become("");
	expect_served(BEST);
	json_t *params = json_pack("{s:s,s:s}", "op", OP, "device", "swift");
	ck_assert_int_eq(call_rest(METHOD_KERNEL, params, &result, &problem), 0);
	ck_assert_str_eq(text_at(result, "schedule", NULL), BEST);
	json_decref(result);
	json_decref(params);
	become("http://127.0.0.1:8080");
	expect_served(NEAR);
}
END_TEST

START_TEST(a_flood_is_bounded)
{
	struct metrics counts;
	uint32_t refusals = 0;

	for (int i = 0; i < 500; i++)
		refusals += *report(BEST, "\"median_ns\":1,\"samples\":1") != '\0';
	ck_assert_uint_gt(refusals, 0);
	ck_assert_int_eq(store_count(store, &counts), 0);
	ck_assert_uint_eq(counts.report_kernels, 1);
}
END_TEST

START_TEST(an_origin_has_room_for_so_many)
{
	struct store_reports reports = {
	        .generation = nnjit_generation, .origin = "http://a", .op = OP};
	struct metrics counts;

	for (uint32_t i = 0; i < STORE_ORIGIN_KERNELS_MAX + 8; i++) {
		reports.heard = i;
		ck_assert_int_eq(
		        store_put_reports(store, &(struct store_key){1, 2, i, 0}, &reports), 0);
	}
	ck_assert_int_eq(store_count(store, &counts), 0);
	ck_assert_uint_eq(counts.report_kernels, STORE_ORIGIN_KERNELS_MAX);
	for (uint32_t i = 0; i < STORE_ORIGIN_KERNELS_MAX + 8; i++)
		ck_assert_int_eq(store_get_reports(store, "http://a",
		                         &(struct store_key){1, 2, i, 0}, OP, &reports),
		        i < 8 ? -2 : 0);
}
END_TEST

START_TEST(leaders_are_those_nearby)
{
	json_t *reply = say(
	        "{\"id\":1,\"method\":\"leaders\",\"params\":{\"op\":\"" OP "\"," DEVICE "}}");
	const json_t *leaders = json_object_get(json_object_get(reply, "result"), "leaders");

	ck_assert_uint_eq(json_array_size(leaders), 2);
	ck_assert_str_eq(text_at(json_array_get(leaders, 0), "schedule", NULL), BEST);
	ck_assert_str_eq(text_at(json_array_get(leaders, 1), "schedule", NULL), NEAR);
	ck_assert_ptr_nonnull(strstr(text_at(json_array_get(leaders, 1), "code", NULL), "fn main"));
	json_decref(reply);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settle");
	TCase *tests = tcase_create("settle");

	tcase_add_checked_fixture(tests, set_up_tuned, tear_down);
	tcase_add_test(tests, a_page_settles_a_near_tie);
	tcase_add_loop_test(
	        tests, reports_weigh_what_they_are_worth, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_loop_test(tests, nonsense_is_refused, 0, (int)(sizeof refused / sizeof *refused));
	tcase_add_test(tests, an_origin_hurts_only_itself);
	tcase_add_test(tests, a_flood_is_bounded);
	tcase_add_test(tests, an_origin_has_room_for_so_many);
	tcase_add_test(tests, leaders_are_those_nearby);
	tcase_set_timeout(tests, 60);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
