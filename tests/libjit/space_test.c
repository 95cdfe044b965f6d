/* SPDX-License-Identifier: Apache-2.0
 *
 * The space: never empty, never over 64, every candidate legal and distinct, every kind of
 * schedule present, best first; schedule texts round-trip.
 */
#include "kernel_cases.h"
#include "shapes.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static struct limits tiny_limits(void)
{
	struct limits limits = limits_web_default;

	limits.invocations = limits.size_x = limits.size_y = 64;
	limits.workgroup_bytes = 1024;
	return limits;
}

static void check_space(const struct op *op, const struct limits *limits, const struct facts *facts)
{
	struct space space;
	struct error err;

	ck_assert_msg(space_enumerate(op, limits, facts, &space, &err) == 0, "%s", err.text);
	ck_assert_uint_ge(space.count, 1);
	ck_assert_uint_le(space.count, SPACE_MAX);
	for (uint32_t i = 0; i < space.count; i++) {
		const struct candidate *c = &space.candidates[i];
		ck_assert_msg(space_check(op, &c->schedule, limits, &err) == 0, "%s", err.text);
		ck_assert(c->predicted_ns > 0);
		ck_assert(i == 0 || c[-1].predicted_ns <= c->predicted_ns);
		for (uint32_t j = 0; j < i; j++)
			ck_assert(memcmp(
			        &space.candidates[j].schedule, &c->schedule, sizeof c->schedule));
	}
	struct schedule baseline = space_baseline(op);
	if (!space_check(op, &baseline, limits, NULL)) {
		ck_assert_uint_lt(space.baseline, space.count);
		ck_assert_mem_eq(
		        &space.candidates[space.baseline].schedule, &baseline, sizeof baseline);
	} else {
		ck_assert_uint_eq(space.baseline, space.count);
	}
}

START_TEST(spaces_are_sound)
{
	struct limits all = case_limits(), tiny = tiny_limits();
	struct facts unknown = {0};
	struct op op;

	ck_assert_int_eq(op_parse(shapes[_i], &op, NULL), 0);
	for (size_t f = 0; f < CASE_FACTS; f++) {
		check_space(&op, &all, &case_facts[f]);
		check_space(&op, &tiny, &case_facts[f]);
	}
	check_space(&op, &all, &unknown);
}
END_TEST

START_TEST(huge_shapes_have_a_space_too)
{
	static const char *const texts[] = {"matmul m=33554432 n=1 k=1",
	        "matmul m=1 n=33554432 k=1", "matmul m=1 n=1 k=33554432",
	        "matmul m=5792 n=5792 k=5792", "matmul m=8 n=8 k=8 batch=65535"};
	struct op op;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		ck_assert_int_eq(op_parse(texts[i], &op, NULL), 0);
		check_space(&op, &limits_web_default, &case_facts[0]);
	}
}
END_TEST

START_TEST(limits_refuse_with_a_reason)
{
	static const struct {
		const char *text, *field;
	} cases[] = {{"matmul m=33554433 n=1 k=1", "a"},
	        {"matmul m=2 n=2 k=2 batch=65536", "workgroups"}};
	struct space space;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error err = {0};
		struct op op;
		ck_assert_int_eq(op_parse(cases[i].text, &op, NULL), 0);
		ck_assert_int_eq(
		        space_enumerate(&op, &limits_web_default, &case_facts[0], &space, &err),
		        -ERANGE);
		ck_assert_msg(strstr(err.field, cases[i].field), "field is %s", err.field);
		ck_assert_msg(err.text[0], "a refusal says why");
	}
}
END_TEST

START_TEST(kinds_are_all_there)
{
	struct limits limits = case_limits();
	struct space space;
	struct op op;
	uint32_t direct = 0, staged = 0, split = 0, subgroup = 0, large = 0;

	ck_assert_int_eq(op_parse("matmul m=256 n=256 k=256", &op, NULL), 0);
	for (size_t f = 0; f < CASE_FACTS; f++) {
		ck_assert_int_eq(space_enumerate(&op, &limits, &case_facts[f], &space, NULL), 0);
		for (uint32_t i = 0; i < space.count; i++) {
			const uint16_t *a = space.candidates[i].schedule.axis;
			staged += a[AXIS_STAGE_A] || a[AXIS_STAGE_B];
			split += a[AXIS_SPLIT_K] > 1 && !a[AXIS_SUBGROUP];
			subgroup += a[AXIS_SUBGROUP];
			direct += !a[AXIS_STAGE_A] && !a[AXIS_STAGE_B] && a[AXIS_SPLIT_K] == 1;
			large += a[AXIS_TILE_M] * a[AXIS_TILE_N] >= 128;
		}
		ck_assert(direct && staged && split && subgroup);
	}
	ck_assert(large);
}
END_TEST

START_TEST(schedule_text_round_trips)
{
	struct limits limits = case_limits();
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=256 n=256 k=256", &op, NULL), 0);
	ck_assert_int_eq(space_enumerate(&op, &limits, &case_facts[0], &space, NULL), 0);
	for (uint32_t i = 0; i < space.count; i++) {
		char text[SCHEDULE_TEXT_BYTES];
		struct schedule again;
		schedule_print(&space.candidates[i].schedule, text);
		ck_assert_int_eq(schedule_parse(text, &again, NULL), 0);
		ck_assert_mem_eq(&again, &space.candidates[i].schedule, sizeof again);
	}
}
END_TEST

START_TEST(schedule_text_refused)
{
	static const char *const texts[] = {"wg_x", "wg_x=", "wg_x=a", "wg_x=8x", "wg_x=70000",
	        "=3", "colour=3", "wg_x=8,wg_y=8", "wg_x=-1"};
	struct schedule schedule;
	struct error err;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_msg(schedule_parse(texts[i], &schedule, &err) == -EINVAL, "%s", texts[i]);
}
END_TEST

START_TEST(limits_meet_is_the_tighter)
{
	struct limits a = limits_web_default, b = limits_web_default;

	a.invocations = 1024;
	a.features = FEATURE_SUBGROUPS;
	a.subgroup_min = a.subgroup_max = 32;
	b.workgroup_bytes = 1;
	struct limits met = limits_meet(&a, &b);
	ck_assert_uint_eq(met.invocations, 256);
	ck_assert_uint_eq(met.workgroup_bytes, 1);
	ck_assert_uint_eq(met.features, 0);
	ck_assert_uint_eq(met.subgroup_max, 0);
	met = limits_meet(&a, &a);
	ck_assert_uint_eq(met.subgroup_min, 32);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("space");
	TCase *tests = tcase_create("space");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, spaces_are_sound, 0, SHAPES);
	tcase_add_test(tests, huge_shapes_have_a_space_too);
	tcase_add_test(tests, limits_refuse_with_a_reason);
	tcase_add_test(tests, kinds_are_all_there);
	tcase_add_test(tests, schedule_text_round_trips);
	tcase_add_test(tests, schedule_text_refused);
	tcase_add_test(tests, limits_meet_is_the_tighter);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
