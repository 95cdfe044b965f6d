/* SPDX-License-Identifier: Apache-2.0
 *
 * The store as nnjitd uses it: records of every kind there and back, other drivers, other keys.
 */
#include "tests/store/fixture.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Kernels. */

START_TEST(kernel_round_trip)
{
	struct store *store = open_here();
	struct store_kernel put = kernel_make("matmul m=1 n=2 k=3", 7), got;
	bool stale = true;

	ck_assert_int_eq(store_get_kernel(store, &key_a, put.op, &got, &stale), -ENOENT);
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	for (int i = 0; i < 2; i++) { /* as it is, and after a restart */
		ck_assert_int_eq(store_get_kernel(store, &key_a, put.op, &got, &stale), 0);
		ck_assert(!stale);
		kernel_same(&put, &got);
		store_close(store);
		store = open_here();
	}
	put = kernel_make(put.op, 8);
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	ck_assert_int_eq(store_get_kernel(store, &key_a, put.op, &got, &stale), 0);
	kernel_same(&put, &got);
	store_close(store);
}
END_TEST

START_TEST(kernel_of_another_driver_is_stale)
{
	struct store *store = open_here();
	struct store_key old = key_a, older = key_a;
	struct store_kernel put = kernel_make("op", 1), newer = kernel_make("op", 2), got;
	bool stale;

	old.driver = 0xd0;
	older.driver = 0xff; /* sorts after, was measured before */
	ck_assert_int_eq(store_put_kernel(store, &old, &newer), 0);
	ck_assert_int_eq(store_put_kernel(store, &older, &put), 0);
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
	ck_assert(stale);
	kernel_same(&newer, &got);
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
	ck_assert(!stale);
	kernel_same(&put, &got);
	store_close(store);
}
END_TEST

START_TEST(other_keys_do_not_answer)
{
	struct store *store = open_here();
	struct store_kernel put = kernel_make("op", 1), got;
	struct store_key other[] = {key_a, key_a, key_a};
	bool stale;

	other[0].class ++;
	other[1].op++;
	other[2].features = 0;
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(store_get_kernel(store, &other[i], "op", &got, &stale), -ENOENT);
	/* The same hash, another operator. */
	ck_assert_int_eq(store_get_kernel(store, &key_a, "another", &got, &stale), -ENOENT);
	store_close(store);
}
END_TEST

START_TEST(each_kernel_until_told)
{
	struct store *store = open_here();
	struct store_key key = key_a;
	uint32_t seen = 0;

	for (key.op = 0; key.op < 9; key.op++) {
		struct store_kernel kernel = kernel_make("op", (uint32_t)key.op);
		ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
	}
	ck_assert_int_eq(store_each_kernel(store, count_kernel, &seen), 0);
	ck_assert_uint_eq(seen, 5);
	store_close(store);
}
END_TEST

/* ---- Trials. */

START_TEST(trial_round_trip)
{
	struct store *store = open_here();
	struct trials trials = {0};
	struct store_key other = key_a;

	other.driver++;
	for (uint32_t i = 0; i < 5; i++) {
		struct store_trial trial = trial_make(i, (enum store_trial_state)i);
		ck_assert_int_eq(store_put_trial(store, &key_a, &trial), 0);
	}
	struct store_trial elsewhere = trial_make(9, STORE_TRIAL_WRONG);
	ck_assert_int_eq(store_put_trial(store, &other, &elsewhere), 0);
	ck_assert_int_eq(store_each_trial(store, &key_a, collect, &trials), 0);
	ck_assert_uint_eq(trials.count, 5);
	for (uint32_t i = 0; i < 5; i++) {
		struct store_trial put = trial_make(i, (enum store_trial_state)i);
		ck_assert_str_eq(trials.trial[i].schedule, put.schedule);
		ck_assert_str_eq(trials.trial[i].why, put.why);
		ck_assert_int_eq(trials.trial[i].state, put.state);
		ck_assert_double_eq(trials.trial[i].median_ns, put.median_ns);
		ck_assert_double_eq(trials.trial[i].mad_ns, put.mad_ns);
		ck_assert_double_eq(trials.trial[i].pipeline_ns, put.pipeline_ns);
		ck_assert_uint_eq(trials.trial[i].samples, put.samples);
	}
	store_close(store);
}
END_TEST

START_TEST(trials_many_and_deleted)
{
	struct store *store = open_here();
	struct store_trial put[10];
	struct trials trials = {0};

	for (uint32_t i = 0; i < 10; i++)
		put[i] = trial_make(i, STORE_TRIAL_TIMED);
	ck_assert_int_eq(store_put_trials(store, &key_a, put, 10), 0);
	ck_assert_int_eq(store_put_trials(store, &key_a, put, 0), 0);
	ck_assert_int_eq(store_delete_trial(store, &key_a, put[4].schedule), 0);
	ck_assert_int_eq(store_delete_trial(store, &key_a, put[4].schedule), 0);
	ck_assert_int_eq(store_each_trial(store, &key_a, collect, &trials), 0);
	ck_assert_uint_eq(trials.count, 9);
	store_close(store);
}
END_TEST

/* ---- Devices and jobs. */

static bool one_device(void *context, uint64_t device, const json_t *object)
{
	json_t **seen = context;

	ck_assert_uint_eq(device, 0xfeedface);
	*seen = json_deep_copy(object);
	return true;
}

START_TEST(device_round_trip)
{
	struct store *store = open_here();
	json_t *put = json_pack("{s:s,s:{s:f}}", "name", "Große GPU", "facts", "fma_gflops", 12.5);
	json_t *got = NULL;

	ck_assert_int_eq(store_put_device(store, 0xfeedface, put), 0);
	ck_assert_int_eq(store_each_device(store, one_device, &got), 0);
	ck_assert(json_equal(put, got));
	json_decref(put);
	json_decref(got);
	store_close(store);
}
END_TEST

struct jobs {
	uint32_t count, priorities;
	struct store *store;
};

/* Deleting from within the walk is allowed. */
static bool one_job(
        void *context, const struct store_key *key, const char *op_text, uint32_t priority)
{
	struct jobs *jobs = context;

	ck_assert_str_eq(op_text, "matmul m=1 n=1 k=1");
	jobs->count++;
	jobs->priorities += priority;
	ck_assert_int_eq(store_delete_job(jobs->store, key), 0);
	return true;
}

START_TEST(job_round_trip)
{
	struct store *store = open_here();
	struct jobs jobs = {.store = store};
	struct store_key key = key_a;

	ck_assert_int_eq(store_delete_job(store, &key), 0);
	for (key.op = 0; key.op < 4; key.op++)
		ck_assert_int_eq(
		        store_put_job(store, &key, "matmul m=1 n=1 k=1", (uint32_t)key.op), 0);
	ck_assert_int_eq(store_each_job(store, one_job, &jobs), 0);
	ck_assert_uint_eq(jobs.count, 4);
	ck_assert_uint_eq(jobs.priorities, 6);
	ck_assert_int_eq(store_each_job(store, one_job, &jobs), 0);
	ck_assert_uint_eq(jobs.count, 4);
	store_close(store);
}
END_TEST

START_TEST(entries_are_counted)
{
	struct store *store = open_here();
	struct store_kernel kernel = kernel_make("op", 1);
	struct store_trial trial = trial_make(1, STORE_TRIAL_TIMED);
	struct metrics counts;

	ck_assert_int_eq(store_put_kernel(store, &key_a, &kernel), 0);
	ck_assert_int_eq(store_put_trial(store, &key_a, &trial), 0);
	ck_assert_int_eq(store_put_job(store, &key_a, "op", 0), 0);
	ck_assert_int_eq(store_count(store, &counts), 0);
	ck_assert_uint_eq(counts.store_kernels, 1);
	ck_assert_uint_eq(counts.store_trials, 1);
	ck_assert_uint_eq(counts.store_devices, 0);
	ck_assert_uint_eq(counts.store_jobs, 1);
	ck_assert_uint_gt(counts.store_bytes, 4096);
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tcase = tcase_create("store");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, kernel_round_trip);
	tcase_add_test(tcase, kernel_of_another_driver_is_stale);
	tcase_add_test(tcase, other_keys_do_not_answer);
	tcase_add_test(tcase, each_kernel_until_told);
	tcase_add_test(tcase, trial_round_trip);
	tcase_add_test(tcase, trials_many_and_deleted);
	tcase_add_test(tcase, device_round_trip);
	tcase_add_test(tcase, job_round_trip);
	tcase_add_test(tcase, entries_are_counted);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
