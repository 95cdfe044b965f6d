/* SPDX-License-Identifier: Apache-2.0
 *
 * What drivers and devices do to a tuner at their worst, planted by NNJIT_TEST_FAULT: the search
 * goes on, who is to blame is out for good, and there is always something to serve.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

static const char *const faults[] = {"crash:2", "lost:2", "hang:2"};

START_TEST(fault_is_poisoned_and_not_tried_again)
{
	setenv("NNJIT_TEST_FAULT", faults[_i], 1);
	begin_brief();
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	struct tally first = tally(SMALL);
	ck_assert_uint_eq(first.by_state[STORE_TRIAL_POISONED], 1);
	ck_assert_uint_gt(strlen(first.why), 10);
	ck_assert_uint_gt(first.by_state[STORE_TRIAL_TIMED], 2); /* the search went on */
	ck_assert_str_ne(first.poisoned, now.last.best.schedule);
	ck_assert_uint_eq(counted()->tuning_worker_restarts, 1);
	ck_assert_uint_lt(now.stall_ns, STALL_NS);
	end();
	/* A worker without the fault, everything measured again but this one. */
	unsetenv("NNJIT_TEST_FAULT");
	begin_brief();
	run_until(enumerated);
	ask(SMALL, true);
	run_until(over);
	struct tally second = tally(SMALL);
	ck_assert_uint_eq(second.by_state[STORE_TRIAL_POISONED], 1);
	ck_assert_str_eq(second.poisoned, first.poisoned);
	ck_assert_str_eq(second.why, first.why);
	end();
}
END_TEST

START_TEST(wrong_results_are_not_served)
{
	setenv("NNJIT_TEST_FAULT", "wrong:0", 1);
	begin(4 * S_NS);
	run_until(enumerated);
	struct tune_kernel predicted = known_of(SMALL);
	ask(SMALL, false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_WRONG], 1);
	ck_assert_str_ne(now.last.best.schedule, predicted.best.schedule);
	end();
}
END_TEST

START_TEST(a_worker_that_always_dies_fails_the_job)
{
	char all[1024] = "crash:0";

	for (int i = 1; i < 64; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), ",crash:%d", i);
	setenv("NNJIT_TEST_FAULT", all, 1);
	begin(20 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_uint_eq(now.told[TUNE_FAILED], 1);
	ck_assert_ptr_nonnull(strstr(now.why, "3 times in a row"));
	ck_assert_uint_eq(stored_jobs(), 0);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_NAIVE);
	ck_assert(!known_of(SMALL).best.finished); /* tried again when asked for */
	end();
}
END_TEST

/* From when it is opened on, the device is taken for a GPU, whose candidates are compiled ahead;
 * the fault `ahead` makes the worker take it for one, too. */
static void tune_ahead(void)
{
	begin_brief();
	run_until(enumerated);
	ask(SMALL, false);
	run_until(begun);
	((struct tune_device *)(uintptr_t)device())->facts.cpu = false;
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
}

/* The one whose compiling kills the worker while others are timed is found and out; nobody else is
 * blamed. */
START_TEST(dies_while_compiling_ahead)
{
	setenv("NNJIT_TEST_FAULT", "ahead:1,compile:4", 1);
	tune_ahead();
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_POISONED], 1);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_LAUNCHED], 0);
	/* One if the worker came to compiling it only when it was asked to build it. */
	ck_assert_uint_ge(counted()->tuning_worker_restarts, 1);
	ck_assert_uint_le(counted()->tuning_worker_restarts, 2);
	ck_assert_uint_gt(tally(SMALL).by_state[STORE_TRIAL_TIMED], 4);
	end();
}
END_TEST

START_TEST(compiles_ahead)
{
	setenv("NNJIT_TEST_FAULT", "ahead:1", 1);
	tune_ahead();
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_LAUNCHED], 0);
	ck_assert_uint_eq(counted()->tuning_worker_restarts, 0);
	ck_assert_uint_eq(tally(SMALL).count, tally(SMALL).by_state[STORE_TRIAL_TIMED]);
	ck_assert_uint_gt(counted()->tuning_built_ahead, 2);
	end();
}
END_TEST

/* On a processor, where what is built first may lie badly, and only there. The worker says that all
 * schedules take 0.2 ms, a first build alone 2 ms: all tie, so that there are several finalists,
 * and who was built twice shows in what the best one took, whatever the clock says. */
START_TEST(finalists_are_built_twice)
{
	setenv("NNJIT_TEST_FAULT", "even:200000,lame:10", 1);
	begin_brief();
	run_until(enumerated);
	ask(SMALL, false);
	run_until(begun);
	ck_assert_double_eq_tol(known_of(SMALL).best.median_ns, 2e6, 1);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	ck_assert_double_eq_tol(now.last.best.median_ns, device()->facts.cpu ? 2e5 : 2e6, 1);
	end();
}
END_TEST

/* Bad days of a device: the search ends with a kernel, and says by which clock it was timed. */
static const struct {
	const char *fault;
	bool wall;
} days[] = {{"slow:20", false}, {"busy:7", false}, {"jump:5", true}, {"untimed:0", true}};

START_TEST(bad_days)
{
	setenv("NNJIT_TEST_FAULT", days[_i].fault, 1);
	begin_brief();
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s: %s", days[_i].fault, now.why);
	ck_assert_int_eq(now.last.best.wall_clock, days[_i].wall);
	ck_assert_double_gt(now.last.best.median_ns, 0);
	ck_assert_double_lt(now.last.best.median_ns, 1e8);
	ck_assert_uint_gt(now.last.best.checked, 0);
	end();
}
END_TEST

START_TEST(out_of_memory_says_so)
{
	setenv("NNJIT_TEST_FAULT", "memory:64", 1);
	begin(4 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_uint_eq(now.told[TUNE_FAILED], 1);
	ck_assert_ptr_nonnull(strstr(now.why, "out of memory"));
	end();
}
END_TEST

/* Memory for a quarter of the rows: that is tried, and said to be all that was. */
START_TEST(short_memory_is_told)
{
	setenv("NNJIT_TEST_FAULT", "memory:4096", 1);
	begin(4 * S_NS);
	run_until(enumerated);
	ask("softmax rows=64 n=64", false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	ck_assert_double_eq_tol(now.last.best.share, 0.25, 0.01);
	end();
	unsetenv("NNJIT_TEST_FAULT");
	begin(4 * S_NS);
	ck_assert_double_eq_tol(known_of("softmax rows=64 n=64").best.share, 0.25, 0.01);
	ask(SMALL, false);
	run_until(over);
	ck_assert_double_eq(now.last.best.share, 1);
	end();
}
END_TEST

/* What a daemon left that was killed while a candidate ran: in this boot it is tried again; after a
 * reboot it is to blame. */
START_TEST(leftover_launch)
{
	struct store_trial trial = {.state = STORE_TRIAL_LAUNCHED};
	char boot[40] = "0-another-boot";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	bool rebooted = _i;

	if (!rebooted)
		ck_assert_int_eq(fscanf(file, "%39s", boot), 1);
	fclose(file);
	begin(4 * S_NS);
	run_until(enumerated);
	strcpy(trial.schedule, known_of(SMALL).best.schedule);
	snprintf(trial.why, sizeof trial.why, "%s", boot);
	struct store_key key = key_of(SMALL);
	ck_assert_int_eq(store_put_trial(now.store, &key, &trial), 0);
	ask(SMALL, false);
	run_until(over);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_POISONED], rebooted);
	if (rebooted)
		ck_assert_str_ne(now.last.best.schedule, trial.schedule);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("faults");
	TCase *tcase = tcase_create("faults");

	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_loop_test(
	        tcase, fault_is_poisoned_and_not_tried_again, 0, sizeof faults / sizeof *faults);
	tcase_add_test(tcase, wrong_results_are_not_served);
	tcase_add_test(tcase, a_worker_that_always_dies_fails_the_job);
	tcase_add_loop_test(tcase, leftover_launch, 0, 2);
	tcase_add_test(tcase, compiles_ahead);
	tcase_add_test(tcase, dies_while_compiling_ahead);
	tcase_add_test(tcase, finalists_are_built_twice);
	tcase_add_loop_test(tcase, bad_days, 0, sizeof days / sizeof *days);
	tcase_add_test(tcase, out_of_memory_says_so);
	tcase_add_test(tcase, short_memory_is_told);
	suite_add_tcase(suite, tcase);
	return session_main(suite);
}
