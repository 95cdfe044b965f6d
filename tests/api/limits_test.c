/* SPDX-License-Identifier: Apache-2.0
 *
 * The page's own limits decide what it is served, up and down: whole kernels where its bindings
 * hold the tensors, schedules that its workgroups may have, and those that others' do only where
 * they fit.
 */
#include "device/tier.h"
#include "tests/api/service.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "matmul m=1 n=50257 k=768"
#define OP   "matmul m=8 n=64 k=64"

static void hello(const char *limits)
{
	char message[512];

	snprintf(message, sizeof message,
	        "{\"id\":1,\"method\":\"hello\",\"params\":{\"adapter\":{\"vendor\":\"google\"},"
	        "\"limits\":%s}}",
	        limits);
	json_decref(say(message));
}

/* Asks as the page does; `rest`: more parameters. */
static json_t *ask(const char *op, const char *rest)
{
	char message[512];

	snprintf(message, sizeof message,
	        "{\"id\":2,\"method\":\"kernel\",\"params\":{\"op\":\"%s\"%s}}", op, rest);
	return say(message);
}

static size_t steps_of(const json_t *reply)
{
	return json_array_size(json_object_get(json_object_get(reply, "result"), "steps"));
}

/* What a page says of its limits and what a request says, and in how many steps it is served. */
static const struct {
	const char *limits, *rest;
	size_t steps; /* 0: one kernel */
} rows[] = {
        {"{}", "", 2},
        {"{\"maxStorageBufferBindingSize\":1073741824}", "", 0},
        {"{\"maxStorageBufferBindingSize\":134217728}", "", 2},
        {"{\"maxStorageBufferBindingSize\":67108864}", "", 3},
        {"{\"maxStorageBufferBindingSize\":1e30}", "", 0}, /* the device's own, at most */
        {"{\"maxStorageBufferBindingSize\":-1}", "", 2},
        {"{}", ",\"limits\":\"maxStorageBufferBindingSize=1073741824\"", 0},
        {"{}", ",\"limits\":\"all\"", 0},
        {"{\"maxStorageBufferBindingSize\":1073741824}",
                ",\"limits\":\"maxComputeInvocationsPerWorkgroup=256\"", 2},
};

START_TEST(bindings_are_the_pages_own)
{
	hello(rows[_i].limits);
	json_t *reply = ask(HEAD, rows[_i].rest);

	ck_assert_str_eq(text_at(reply, "error", "detail"), "");
	ck_assert_uint_eq(steps_of(reply), rows[_i].steps);
	ck_assert_str_eq(text_at(reply, "result", "op"), HEAD);
	json_decref(reply);
}
END_TEST

START_TEST(one_answer_is_not_anothers)
{
	for (int i = 0; i < 2; i++) { /* the second time from what is kept */
		hello("{}");
		json_t *small = ask(HEAD, "");
		hello("{\"maxStorageBufferBindingSize\":1073741824}");
		json_t *large = ask(HEAD, "");
		ck_assert_uint_eq(steps_of(small), 2);
		ck_assert_uint_eq(steps_of(large), 0);
		json_decref(small);
		json_decref(large);
	}
}
END_TEST

START_TEST(limits_that_are_none_are_refused)
{
	static const char *const texts[] = {"", "all,", "maxBufferSize=1",
	        "maxStorageBufferBindingSize", "maxStorageBufferBindingSize=-1",
	        "maxStorageBufferBindingSize=1x", "maxStorageBufferBindingSize=1,",
	        "binding_bytes=4096"};
	char rest[128];

	snprintf(rest, sizeof rest, ",\"limits\":\"%s\"", texts[_i]);
	json_t *reply = ask(OP, rest);
	ck_assert_str_eq(text_at(reply, "error", "code"), "bad-value");
	ck_assert_str_eq(text_at(reply, "error", "field"), "limits");
	json_decref(reply);
}
END_TEST

/* ---- Tiers. */

static const struct {
	uint32_t invocations, size_x, size_y, bytes, tier;
} tiers[] = {
        {256, 256, 256, 16384, TIER_DEFAULT},
        {256, 256, 256, 32767, TIER_DEFAULT},
        {128, 128, 128, 16384, 1},
        {1, 1, 1, 1, 1},
        {300, 1024, 1024, 32768, 4},
        {1024, 512, 1024, 49152, 2 + 8},
        {1024, 1024, 1024, 65536, 3 + 12},
        {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 3 + 12},
};

START_TEST(tiers_stay_within_limits)
{
	const struct limits limits = {.invocations = tiers[_i].invocations,
	        .size_x = tiers[_i].size_x,
	        .size_y = tiers[_i].size_y,
	        .workgroup_bytes = tiers[_i].bytes};
	struct limits applied = limits_web_default;

	ck_assert_uint_eq(tier_of(&limits), tiers[_i].tier);
	ck_assert_uint_lt(tiers[_i].tier, 1u << TIER_BITS);
	tier_apply(tiers[_i].tier, &limits, &applied);
	ck_assert_uint_le(applied.invocations, limits.invocations);
	ck_assert_uint_le(applied.size_x, limits.size_x);
	ck_assert_uint_le(applied.size_y, limits.size_y);
	ck_assert_uint_le(applied.workgroup_bytes, limits.workgroup_bytes);
}
END_TEST

static void put(uint32_t tier, const char *schedule)
{
	struct store_kernel kernel = {.op = OP,
	        .generation = nnjit_generation,
	        .finished = true,
	        .median_ns = 1e6,
	        .samples = 9};
	struct schedule parsed;
	struct op op;

	ck_assert_int_eq(op_parse(OP, &op, NULL), 0);
	ck_assert_int_eq(schedule_parse(schedule, &parsed, NULL), 0);
	schedule_print(&parsed, kernel.schedule);
	const struct store_key key = {class_of(0xa1), 0xd1, op_key(&op), tier << 24};
	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
}

#define SMALL "wg_x=8 wg_y=8"   /* 64 invocations */
#define WIDE  "wg_x=16 wg_y=16" /* 256 */
#define ROOMY                                                                                    \
	"wg_x=8 wg_y=8 tile_n=8 tile_m=8 vec=4 stage_a=1 stage_b=1 k_step=32 unroll=4" /* 17 KiB \
	                                                                                */

#define NARROW_PAGE "{\"maxComputeInvocationsPerWorkgroup\":128,\"maxComputeWorkgroupSizeX\":128}"
#define ROOMY_PAGE  "{\"maxComputeWorkgroupStorageSize\":32768}"

/* What is stored under two tiers, who asks, and whose schedule is served; NULL: a prediction. */
static const struct {
	const char *by_default, *other;
	uint32_t tier;
	const char *page, *served;
} stored[] = {
        {WIDE, NULL, 0, "{}", WIDE},
        {WIDE, NULL, 0, NARROW_PAGE, NULL}, /* it does not fit */
        {SMALL, NULL, 0, NARROW_PAGE, SMALL},
        {WIDE, SMALL, 1, NARROW_PAGE, SMALL},
        {WIDE, SMALL, 1, "{}", WIDE}, /* its own goes first */
        {NULL, SMALL, 1, "{}", SMALL},
        {NULL, ROOMY, 4, "{}", NULL},
        {NULL, ROOMY, 4, ROOMY_PAGE, ROOMY},
        {WIDE, ROOMY, 4, "{}", WIDE},
        {NULL, WIDE, 4, "{}", WIDE},
};

START_TEST(what_fits_the_page_is_served)
{
	struct schedule schedule;
	char wanted[SCHEDULE_TEXT_BYTES];

	if (stored[_i].by_default)
		put(0, stored[_i].by_default);
	if (stored[_i].other)
		put(stored[_i].tier, stored[_i].other);
	hello(stored[_i].page);
	json_t *reply = ask(OP, "");
	ck_assert_str_eq(
	        text_at(reply, "result", "status"), stored[_i].served ? "tuned" : "predicted");
	if (stored[_i].served) {
		schedule_parse(stored[_i].served, &schedule, NULL);
		schedule_print(&schedule, wanted);
		ck_assert_str_eq(text_at(reply, "result", "schedule"), wanted);
	}
	json_decref(reply);
}
END_TEST

START_TEST(the_list_tells_limits)
{
	put(0, WIDE);
	put(4, ROOMY);
	json_t *reply = say("{\"id\":3,\"method\":\"kernels\"}"), *kernel;
	size_t i, seen = 0;

	json_array_foreach(json_object_get(json_object_get(reply, "result"), "kernels"), i, kernel)
	{
		const json_t *limits = json_object_get(kernel, "limits");
		seen += json_object_size(limits);
		ck_assert(!json_object_size(limits) ||
		          json_integer_value(json_object_get(
		                  limits, "maxComputeWorkgroupStorageSize")) == 32768);
	}
	ck_assert_uint_eq(i, 2);
	ck_assert_uint_eq(seen, 1);
	json_decref(reply);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tc = tcase_create("limits");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, bindings_are_the_pages_own, 0, sizeof rows / sizeof *rows);
	tcase_add_test(tc, one_answer_is_not_anothers);
	tcase_add_loop_test(tc, limits_that_are_none_are_refused, 0, 8);
	tcase_add_loop_test(tc, tiers_stay_within_limits, 0, sizeof tiers / sizeof *tiers);
	tcase_add_loop_test(tc, what_fits_the_page_is_served, 0, sizeof stored / sizeof *stored);
	tcase_add_test(tc, the_list_tells_limits);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
