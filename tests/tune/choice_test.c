/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules are looked at and which is served: what other shapes taught goes first, a kernel
 * that runs seldom is one that compiles soon, and where all fail the plainest stands in.
 */
#include "session.h"

#include "space/space.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct space space_of(const char *text)
{
	struct limits limits = device()->limits;
	struct op op = op_of(text);
	struct space space;

	limits.features = limits.subgroup_min = limits.subgroup_max = 0;
	ck_assert_int_eq(space_enumerate(&op, &limits, &device()->facts, &space, NULL), 0);
	return space;
}

static void put_trial(const struct schedule *schedule, enum store_trial_state state,
        double pipeline_ns, double median_ns, uint32_t checked)
{
	struct store_trial trial = {.state = state,
	        .pipeline_ns = pipeline_ns,
	        .median_ns = median_ns,
	        .samples = 24,
	        .checked = checked,
	        .code_bytes = 1000};
	struct store_key key = key_of(SMALL);

	schedule_print(schedule, trial.schedule);
	ck_assert_int_eq(store_put_trial(now.store, &key, &trial), 0);
}

static void put_kernel(const char *text, const struct schedule *schedule)
{
	struct store_kernel kernel = {.generation = nnjit_generation,
	        .finished = true,
	        .median_ns = 1000,
	        .pipeline_ns = 1e6,
	        .samples = 24,
	        .checked = 99};
	struct store_key key = key_of(text);

	snprintf(kernel.op, sizeof kernel.op, "%s", text);
	schedule_print(schedule, kernel.schedule);
	ck_assert_int_eq(store_put_kernel(now.store, &key, &kernel), 0);
}

static const struct {
	double runs;
	uint32_t chosen; /* candidate of the space */
} choices[] = {{0, 0}, {1, 1}, {100, 1}, {1000, 2}, {1e12, 0}};

START_TEST(runs_weigh_compiling)
{
	begin(S_NS);
	run_until(enumerated);
	struct space space = space_of(SMALL);
	ck_assert_uint_ge(space.count, 5);
	put_kernel(SMALL, &space.candidates[0].schedule); /* 1 ms to compile, 1 us to run */
	put_trial(&space.candidates[0].schedule, STORE_TRIAL_TIMED, 1e6, 1000, 99);
	put_trial(&space.candidates[1].schedule, STORE_TRIAL_TIMED, 1e3, 3000, 99);
	put_trial(&space.candidates[2].schedule, STORE_TRIAL_TIMED, 5e5, 1200, 99);
	put_trial(&space.candidates[3].schedule, STORE_TRIAL_TIMED, 10, 10, 0); /* not verified */
	put_trial(&space.candidates[4].schedule, STORE_TRIAL_WRONG, 10, 10, 99);
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
		struct tune_kernel kernel = known_of(SMALL);
		char text[SCHEDULE_TEXT_BYTES];
		tune_for_runs(now.tune, choices[i].runs, &kernel);
		schedule_print(&space.candidates[choices[i].chosen].schedule, text);
		ck_assert_str_eq(kernel.best.schedule, text);
		ck_assert_mem_eq(&kernel.schedule, &space.candidates[choices[i].chosen].schedule,
		        sizeof kernel.schedule);
		ck_assert_int_eq(kernel.status, TUNE_TUNED);
		ck_assert_uint_eq(kernel.best.checked, 99);
	}
	end();
}
END_TEST

START_TEST(artifacts_know_what_compiling_takes)
{
	begin(3 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_double_gt(now.last.best.pipeline_ns, 1000);
	ck_assert_uint_gt(now.last.best.code_bytes, 100);
	ck_assert(!now.last.best.naive);
	struct tune_kernel fastest = known_of(SMALL), soonest = fastest;
	tune_for_runs(now.tune, 1, &soonest);
	ck_assert_double_le(soonest.best.pipeline_ns + soonest.best.median_ns,
	        fastest.best.pipeline_ns + fastest.best.median_ns);
	ck_assert_uint_gt(soonest.best.checked, 0);
	end();
}
END_TEST

struct sought {
	const char *schedule;
	bool found;
};

static bool look(void *context, const struct store_trial *trial)
{
	struct sought *sought = context;

	sought->found |= !strcmp(trial->schedule, sought->schedule);
	return true;
}

static bool has_trial(const struct store_key *key, const char *schedule)
{
	struct sought sought = {schedule, false};

	ck_assert_int_eq(store_each_trial(now.store, key, look, &sought), 0);
	return sought.found;
}

/* The best of the nearest shape is among the first that are tried, however badly it is predicted;
 * that of a far one, or of another operator, is not. */
START_TEST(other_shapes_teach)
{
	begin(10 * S_NS);
	run_until(enumerated);
	struct space space = space_of(LONGER);
	uint32_t last = space.count - 1;
	ck_assert_uint_ge(space.count, 12);
	put_kernel("matmul m=90 n=60 k=48", &space.candidates[last].schedule);
	put_kernel("matmul m=9000 n=9000 k=9000", &space.candidates[last - 1].schedule);
	ask(LONGER, false);
	run_until(under_way);
	struct store_key key = key_of(LONGER);
	char near[SCHEDULE_TEXT_BYTES];
	schedule_print(&space.candidates[last].schedule, near);
	ck_assert_uint_ge(tally(LONGER).by_state[STORE_TRIAL_TIMED], 3);
	ck_assert(has_trial(&key, near));
	schedule_print(&space.candidates[last - 1].schedule, near);
	if (!over()) /* by then all may have had their turn */
		ck_assert(!has_trial(&key, near));
	end();
}
END_TEST

START_TEST(every_candidate_failing)
{
	setenv("NNJIT_TEST_FAULT", "wrong:*", 1);
	begin(100 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_uint_eq(now.told[TUNE_FAILED], 1);
	ck_assert_ptr_nonnull(strstr(now.why, "could be measured"));
	ck_assert_int_eq(now.last.status, TUNE_NAIVE);
	struct tune_kernel kernel = known_of(SMALL);
	ck_assert_int_eq(kernel.status, TUNE_NAIVE);
	ck_assert_uint_eq(kernel.best.checked, 0);
	ck_assert_uint_eq(kernel.best.samples, 0);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_WRONG], tally(SMALL).count);
	/* It is not tried again by itself. */
	uint64_t failed = counted()->tuning_jobs_failed;
	ask(SMALL, false);
	run_for(over, S_NS);
	ck_assert_uint_eq(now.told[TUNE_FAILED], 1);
	ck_assert_uint_eq(counted()->tuning_jobs_failed, failed);
	end();
	unsetenv("NNJIT_TEST_FAULT"); /* the driver was mended */
	begin(4 * S_NS);
	run_until(enumerated);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_NAIVE);
	ask(SMALL, true);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_TUNED);
	end();
}
END_TEST

/* As a driver leaves it that hung on each of them, so many seconds ago. */
static void put_failed(uint64_t seconds)
{
	const struct space space = space_of(SMALL);
	const struct store_key key = key_of(SMALL);
	struct store_kernel naive = {.generation = nnjit_generation,
	        .naive = true,
	        .finished = true,
	        .failures = 1,
	        .updated_s = (uint64_t)time(NULL) - seconds};

	for (uint32_t i = 0; i < space.count; i++)
		put_trial(&space.candidates[i].schedule, STORE_TRIAL_POISONED, 0, 0, 0);
	snprintf(naive.op, sizeof naive.op, "%s", SMALL);
	schedule_print(&space.candidates[0].schedule, naive.schedule);
	ck_assert_int_eq(store_put_kernel(now.store, &key, &naive), 0);
}

/* A machine that was busy once decides nothing for good; but not at once, and not each time. */
START_TEST(all_are_tried_again_later)
{
	begin(4 * S_NS);
	run_until(enumerated);
	put_failed(60);
	ask(SMALL, false);
	run_for(over, S_NS);
	ck_assert_uint_eq(now.told[TUNE_FAILED], 1);
	ck_assert_ptr_nonnull(strstr(now.why, "again later"));
	put_failed(700);
	ask(SMALL, false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_TUNED);
	ck_assert_uint_eq(known_of(SMALL).best.failures, 0);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("choice");
	TCase *tcase = tcase_create("choice");

	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, runs_weigh_compiling);
	tcase_add_test(tcase, artifacts_know_what_compiling_takes);
	tcase_add_test(tcase, other_shapes_teach);
	tcase_add_test(tcase, every_candidate_failing);
	tcase_add_test(tcase, all_are_tried_again_later);
	suite_add_tcase(suite, tcase);
	return session_main(suite);
}
