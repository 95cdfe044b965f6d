/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes wrong with a store that is open: records that do not check out, scans that write, a
 * full disk, and kill -9 in the middle of writes.
 */
#include "tests/store/fixture.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/record.h"

#include <check.h>
#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Changes the only record of a table, behind the store's back. */
static void meddle(
        const char *table, void (*change)(struct buffer *record, MDB_val key, size_t by), size_t by)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor;
	MDB_val key, value;
	AUTO(buffer_free) struct buffer record = {0};

	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_set_maxdbs(env, 8), 0);
	ck_assert_int_eq(mdb_env_open(env, folder, 0, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, table, 0, &dbi), 0);
	ck_assert_int_eq(mdb_cursor_open(txn, dbi, &cursor), 0);
	ck_assert_int_eq(mdb_cursor_get(cursor, &key, &value, MDB_FIRST), 0);
	buffer_append(&record, value.mv_data, value.mv_size);
	change(&record, key, by);
	value = (MDB_val){record.length, record.data};
	ck_assert_int_eq(mdb_cursor_put(cursor, &key, &value, 0), 0);
	mdb_cursor_close(cursor);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void flip_bit(struct buffer *record, MDB_val key, size_t at)
{
	(void)key;
	((char *)record->data)[at % record->length] ^= 0x10;
}

static void corrupt(const char *table, size_t at)
{
	meddle(table, flip_bit, at);
}

/* As version 1 wrote it: without the last `bytes`. */
static void make_old(struct buffer *record, MDB_val key, size_t bytes)
{
	record->length -= bytes;
	((char *)record->data)[4] = 1;
	ck_assert_int_eq(record_seal(record, (struct store_bytes){key.mv_data, key.mv_size}), 0);
}

START_TEST(old_records_are_read)
{
	struct store *store = open_here();
	struct store_kernel put = kernel_make("op", 1), got;
	struct trials trials = {0};
	struct store_trial trial = trial_make(1, STORE_TRIAL_TIMED);
	bool stale;

	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	ck_assert_int_eq(store_put_trial(store, &key_a, &trial), 0);
	store_close(store);
	meddle("kernels", make_old, 8 + 8 + 1 + 8 + 4 * OP_DYNAMIC_MAX + 4);
	meddle("trials", make_old, 8 + 8 + 4);
	store = open_here();
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
	ck_assert_double_eq(got.median_ns, put.median_ns);
	ck_assert_double_eq(got.pipeline_ns, 0);
	ck_assert_uint_eq(got.code_bytes, 0);
	ck_assert(!got.naive);
	ck_assert_double_eq(got.share, 1);
	ck_assert_uint_eq(got.reach[0], 0);
	ck_assert_int_eq(store_each_trial(store, &key_a, collect, &trials), 0);
	ck_assert_uint_eq(trials.count, 1);
	store_close(store);
}
END_TEST

START_TEST(corrupt_record_is_absent_and_stays)
{
	struct store *store = open_here();
	struct store_kernel put = kernel_make("op", 1), got;
	struct metrics counts;
	struct trials trials = {0};
	struct store_trial trial = trial_make(1, STORE_TRIAL_TIMED);
	uint32_t seen = 0;
	bool stale;

	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	ck_assert_int_eq(store_put_trial(store, &key_a, &trial), 0);
	store_close(store);
	corrupt("kernels", (size_t)_i * 13);
	corrupt("trials", (size_t)_i * 13);
	store = open_here();
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), -ENOENT);
	ck_assert_int_eq(store_each_kernel(store, count_kernel, &seen), 0);
	ck_assert_uint_eq(seen, 0);
	ck_assert_int_eq(store_each_trial(store, &key_a, collect, &trials), 0);
	ck_assert_uint_eq(trials.count, 0);
	ck_assert_int_eq(store_count(store, &counts), 0);
	ck_assert_uint_eq(counts.store_kernels, 1);
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
	store_close(store);
}
END_TEST

START_TEST(record_bytes_are_fixed)
{
	AUTO(buffer_free) struct buffer record = {0};
	static const unsigned char expected[] = {0x4e, 0x4e, 0x4a, 0x52, 3, 0, 5, 0, 18, 0, 0, 0};
	static const unsigned char fields[] = {
	        2, 0, 0, 0, 'o', 'p', 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f};

	record_begin(&record, RECORD_JOB);
	record_put_text(&record, "op", 2);
	record_put_u32(&record, 0x01020304);
	record_put_f64(&record, 1.5);
	ck_assert_int_eq(record_seal(&record, (struct store_bytes){"k", 1}), 0);
	ck_assert_uint_eq(record.length, 20 + sizeof fields);
	ck_assert_mem_eq(record.data, expected, sizeof expected);
	ck_assert_mem_eq(record.data + 20, fields, sizeof fields);
	/* The same record under another key does not check out. */
	struct record_reader reader;
	ck_assert_int_eq(
	        record_open((struct store_bytes){"k", 1},
	                (struct store_bytes){record.data, record.length}, RECORD_JOB, &reader),
	        0);
	ck_assert_int_eq(
	        record_open((struct store_bytes){"l", 1},
	                (struct store_bytes){record.data, record.length}, RECORD_JOB, &reader),
	        -EBADMSG);
	ck_assert_int_eq(
	        record_open((struct store_bytes){"k", 1},
	                (struct store_bytes){record.data, record.length}, RECORD_KERNEL, &reader),
	        -EBADMSG);
}
END_TEST

/* A full disk, played by the process's own file size limit. */
START_TEST(full_disk_loses_nothing)
{
	struct store *store = open_here();
	struct store_key key = key_a;
	struct store_kernel got;
	struct rlimit limit = {512 * 1024, RLIM_INFINITY};
	int code = 0;
	bool stale;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (key.op = 0; !code && key.op < 100000; key.op++) {
		struct store_kernel kernel = kernel_make("op", (uint32_t)key.op);
		code = store_put_kernel(store, &key, &kernel);
	}
	ck_assert_int_eq(code, -ENOSPC);
	uint64_t written = key.op - 1;
	ck_assert_uint_gt(written, 100);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 2; i++) {
		for (key.op = 0; key.op < written; key.op++) {
			struct store_kernel put = kernel_make("op", (uint32_t)key.op);
			ck_assert_int_eq(store_get_kernel(store, &key, "op", &got, &stale), 0);
			kernel_same(&put, &got);
		}
		store_close(store);
		store = open_here();
	}
	struct store_kernel more = kernel_make("op", 5);
	ck_assert_int_eq(store_put_kernel(store, &key, &more), 0); /* room again */
	store_close(store);
}
END_TEST

/* Records deleted and put from within a scan: each that stays is shown once, in order. */
struct meddling {
	struct store *store;
	uint64_t last;
	uint32_t seen;
};

static bool meddle_on(
        void *context, const struct store_key *key, const char *op_text, uint32_t priority)
{
	struct meddling *meddling = context;
	struct store_key own = *key, put = *key;

	(void)op_text, (void)priority;
	ck_assert(!meddling->seen || own.op > meddling->last);
	meddling->last = own.op;
	meddling->seen++;
	put.features = 7;
	for (put.op = 1000; put.op < 1008; put.op++)
		ck_assert_int_eq(store_put_job(meddling->store, &put, "op", 0), 0);
	for (put.op = 1000; put.op < 1008; put.op++)
		ck_assert_int_eq(store_delete_job(meddling->store, &put), 0);
	if (own.op % 2)
		ck_assert_int_eq(store_delete_job(meddling->store, &own), 0);
	return true;
}

START_TEST(a_scan_outlives_what_is_written)
{
	struct store *store = open_here();
	struct meddling meddling = {.store = store};
	struct store_key key = key_a;

	for (key.op = 0; key.op < 60; key.op++)
		ck_assert_int_eq(store_put_job(store, &key, "op", 0), 0);
	ck_assert_int_eq(store_each_job(store, meddle_on, &meddling), 0);
	ck_assert_uint_eq(meddling.seen, 60);
	meddling = (struct meddling){.store = store};
	ck_assert_int_eq(store_each_job(store, meddle_on, &meddling), 0);
	ck_assert_uint_eq(meddling.seen, 30);
	store_close(store);
}
END_TEST

/* Writes until killed, telling the parent through a pipe what was acknowledged. */
static void write_until_killed(int out, uint64_t from)
{
	struct store *store = NULL;
	struct store_key key = key_a;

	if (store_open(folder, &store, NULL))
		_exit(1);
	for (key.op = from;; key.op++) {
		struct store_kernel kernel = kernel_make("op", (uint32_t)key.op);
		struct store_trial trial = trial_make((uint32_t)key.op, STORE_TRIAL_LAUNCHED);
		if (store_put_trial(store, &key, &trial) || store_put_kernel(store, &key, &kernel))
			_exit(1);
		if (write(out, &key.op, sizeof key.op) != sizeof key.op)
			_exit(1);
	}
}

static uint64_t kill_during_writes(uint64_t from, unsigned int after_us)
{
	int ends[2], status;
	uint64_t acknowledged = from, last;

	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (!child)
		write_until_killed(ends[1], from);
	close(ends[1]);
	if (read(ends[0], &last, sizeof last) == sizeof last)
		acknowledged = last + 1;
	usleep(after_us);
	kill(child, SIGKILL);
	while (read(ends[0], &last, sizeof last) == sizeof last)
		acknowledged = last + 1;
	close(ends[0]);
	waitpid(child, &status, 0);
	ck_assert(WIFSIGNALED(status));
	return acknowledged;
}

START_TEST(kill_loses_nothing_acknowledged)
{
	struct store_key key = key_a;
	struct store_kernel got;
	uint64_t acknowledged = 0;
	bool stale;

	for (unsigned int i = 0; i < 40; i++) {
		acknowledged = kill_during_writes(acknowledged, i * 397 % 9000);
		struct store *store = open_here();
		for (key.op = 0; key.op < acknowledged; key.op++) {
			struct store_kernel put = kernel_make("op", (uint32_t)key.op);
			struct trials trials = {0};
			ck_assert_int_eq(store_get_kernel(store, &key, "op", &got, &stale), 0);
			kernel_same(&put, &got);
			ck_assert_int_eq(store_each_trial(store, &key, collect, &trials), 0);
			ck_assert_uint_eq(trials.count, 1);
		}
		store_close(store);
	}
	ck_assert_uint_ge(acknowledged, 40);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trouble");
	TCase *tcase = tcase_create("trouble");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, old_records_are_read);
	tcase_add_loop_test(tcase, corrupt_record_is_absent_and_stays, 0, 12);
	tcase_add_test(tcase, record_bytes_are_fixed);
	tcase_add_test(tcase, full_disk_loses_nothing);
	tcase_add_test(tcase, a_scan_outlives_what_is_written);
	tcase_add_test(tcase, kill_loses_nothing_acknowledged);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
