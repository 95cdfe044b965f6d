/* SPDX-License-Identifier: Apache-2.0
 *
 * What operators are served as: which kernels, in which steps, by which ways; and which stored set
 * of features serves a page.
 */
#include "daemon/kernel/plan.h"
#include "tests/api/service.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct plans *plans;

static void set_up_plans(void)
{
	set_up();
	ck_assert_int_eq(plans_create(tune, store, &plans), 0);
}

static void tear_down_plans(void)
{
	plans_destroy(plans);
	tear_down();
}

static struct plan_params params_of(const char *op, const char *constant)
{
	struct plan_params params = {.runs = 7, .constant = constant};
	struct error err;

	ck_assert_int_eq(op_parse(op, &params.id.op, NULL), 0);
	ck_assert_int_eq(tune_find_device(tune, SWIFTSHADER, &params.id.device, &err), 0);
	return params;
}

#define CUT "add shape=30000,30000" /* 3.6 GB a tensor, 128 MiB a binding */

static const struct {
	const char *op, *constant;
	uint32_t kernels, tuned, steps, ways;
	bool whole;
} rows[] = {
        {"matmul m=4 n=24 k=16", NULL, 1, 1, 1, 1, true},
        {"matmul m=4 n=24 k=16", "b", 3, 2, 3, 2, false},
        {"gelu shape=4,4", "x", 1, 1, 1, 1, true},
        {"matmul m=4 n=24 k=16 trans_a=1", "a", 3, 2, 3, 2, false},
        {CUT, NULL, 2, 2, 2, 1, false},
        {CUT, "x", 2, 2, 2, 1, false},
        {"matmul m=1 n=50257 k=768", NULL, 2, 2, 2, 1, false},
        {"gather rows=128256 inner=2048 count=4", NULL, 8, 8, 8, 1, false},
        {"slice shape=1,50257,768 begin=0,64,0 size=1,1,768", NULL, 1, 1, 1, 1, false},
};

START_TEST(plans_are_read)
{
	const struct plan_params params = params_of(rows[_i].op, rows[_i].constant);
	struct problem problem = {0};
	struct plan plan;
	struct op again;
	char text[OP_TEXT_BYTES];

	ck_assert_msg(!plan_read(plans, &params, &plan, &problem), "%s", problem.detail);
	ck_assert_uint_eq(plan.kernel_count, rows[_i].kernels);
	ck_assert_uint_eq(plan_tuned(&plan), rows[_i].tuned);
	ck_assert_uint_eq(plan.step_count, rows[_i].steps);
	ck_assert_uint_eq(plan.way_count, rows[_i].ways);
	ck_assert_int_eq(plan_is_whole(&plan), rows[_i].whole);
	ck_assert_int_eq(plan_is_in_parts(&plan), rows[_i].ways == 1 && !rows[_i].whole);
	for (uint32_t i = 0; i < plan.kernel_count; i++) {
		/* The same as if somebody had asked for it by its text. */
		op_print(&plan.kernels[i].id.op, text);
		ck_assert_int_eq(op_parse(text, &again, NULL), 0);
		ck_assert_mem_eq(&again, &plan.kernels[i].id.op, sizeof again);
		ck_assert_uint_gt(plan_runs_of(&plan, i), 0);
	}
}
END_TEST

START_TEST(parts_follow_each_other_in_the_buffers)
{
	const struct plan_params params = params_of(CUT, NULL);
	struct problem problem = {0};
	struct plan plan;

	ck_assert_int_eq(plan_read(plans, &params, &plan, &problem), 0);
	ck_assert_uint_eq(plan_runs_of(&plan, 0), 26);
	ck_assert_uint_eq(plan_runs_of(&plan, 1), 1);
	for (uint32_t i = 0; i < 3; i++) { /* x, y, out */
		const struct op_place *most = &plan.steps[0].places[i],
		                      *last = &plan.steps[1].places[i];
		ck_assert(most->tensor == i && last->tensor == i && !most->offset_bytes);
		ck_assert_uint_eq(last->offset_bytes, 26 * most->advance_bytes);
	}
	ck_assert(!plan.steps[0].once && !plan.ways[0].scratch_bytes);
}
END_TEST

START_TEST(the_other_way_begins_with_what_runs_once)
{
	const struct plan_params params = params_of("matmul m=4 n=24 k=16", "b");
	struct problem problem = {0};
	struct plan plan;

	ck_assert_int_eq(plan_read(plans, &params, &plan, &problem), 0);
	ck_assert_uint_eq(plan_last(&plan, 0)->kernel, 0);
	ck_assert_uint_eq(plan_last(&plan, 1)->kernel, 1);
	const struct artifact_step *first = &plan.steps[plan.ways[1].first];
	ck_assert(first->once && !plan.kernels[first->kernel].tuned);
	ck_assert(plan.kernels[first->kernel].runs == 1 && plan.kernels[0].runs == 7);
	ck_assert_uint_eq(first->places[1].tensor, OP_SCRATCH);
	ck_assert_uint_eq(plan_last(&plan, 1)->places[1].tensor, OP_SCRATCH);
	ck_assert_uint_eq(plan.ways[1].scratch_bytes, 24 * 16 * 4);
}
END_TEST

/* ---- Features. */

#define OP8   "matmul m=1 n=8 k=64"
#define PLAIN "wg_x=8"
#define GROUP "split_k=4 subgroup=1"

static void put(uint32_t features, const char *schedule, bool finished)
{
	const struct plan_params params = params_of(OP8, NULL);
	struct kernel_id id = params.id;
	struct store_kernel kernel = {.op = OP8,
	        .generation = nnjit_generation,
	        .finished = finished,
	        .median_ns = 1e6,
	        .samples = 9};

	id.features = features;
	struct store_key key = kernel_key(&id);
	key.features = features;
	snprintf(kernel.schedule, sizeof kernel.schedule, "%s", schedule);
	ck_assert_int_eq(schedule_parse(schedule, &(struct schedule){0}, NULL), 0);
	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
}

#define S FEATURE_SUBGROUPS
#define D FEATURE_DOT4

/* What is stored, and which of it serves a page with these features. */
static const struct {
	struct {
		uint32_t features;
		const char *schedule; /* NULL: not stored */
		bool finished;
	} stored[3];
	uint32_t page, served;
} choices[] = {
        {{{0}}, S, S}, {{{0, PLAIN, true}}, 0, 0}, {{{0, PLAIN, true}}, S, 0},
        {{{0, PLAIN, true}, {S, GROUP, true}}, S, S}, {{{0, PLAIN, true}, {S, GROUP, true}}, 0, 0},
        {{{S, GROUP, true}}, 0, 0}, /* needs what the page lacks */
        {{{S, PLAIN, true}}, 0, S}, {{{S, PLAIN, false}}, 0, 0},
        {{{S, PLAIN, true}, {S | D, PLAIN, true}}, 0, S | D},
        {{{D, PLAIN, true}, {S, PLAIN, true}}, 0, S > D ? S : D},
        {{{S, PLAIN, true}, {S | D, PLAIN, true}, {0, PLAIN, true}}, D, S | D},
        {{{1u << 30, PLAIN, true}}, 0, 0}, /* beyond the device's */
};

START_TEST(one_tuning_serves_all_pages)
{
	struct plan_params params = params_of(OP8, NULL);

	for (size_t i = 0; i < 3; i++)
		if (choices[_i].stored[i].schedule)
			put(choices[_i].stored[i].features, choices[_i].stored[i].schedule,
			        choices[_i].stored[i].finished);
	params.id.features = choices[_i].page;
	kernel_share(store, &params.id);
	ck_assert_uint_eq(params.id.features, choices[_i].served);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *tests = tcase_create("plan");

	tcase_add_checked_fixture(tests, set_up_plans, tear_down_plans);
	tcase_add_loop_test(tests, plans_are_read, 0, sizeof rows / sizeof *rows);
	tcase_add_test(tests, parts_follow_each_other_in_the_buffers);
	tcase_add_test(tests, the_other_way_begins_with_what_runs_once);
	tcase_add_loop_test(
	        tests, one_tuning_serves_all_pages, 0, sizeof choices / sizeof *choices);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
