/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes wrong with a store: records that do not check out, folders that are none, a second
 * process, a full disk, and kill -9 in the middle of writes.
 */
#include "tests/store/fixture.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"
#include "daemon/store/record.h"

#include <check.h>
#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(second_open_is_busy)
{
	struct store *store = open_here(), *second = NULL;
	struct error err = {0};

	ck_assert_int_eq(store_open(folder, &second, &err), -EBUSY);
	ck_assert_ptr_null(second);
	ck_assert_ptr_nonnull(strstr(err.text, folder));
	store_close(store);
	store_close(open_here());
}
END_TEST

START_TEST(folder_is_made_private)
{
	char deep[128];
	struct stat st;
	struct store *store;

	snprintf(deep, sizeof deep, "%s/a/b", folder);
	ck_assert_int_eq(store_open(deep, &store, NULL), 0);
	ck_assert_int_eq(stat(deep, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	store_close(store);
}
END_TEST

START_TEST(not_a_folder)
{
	char path[128];
	struct store *store = NULL;
	struct error err = {0};

	snprintf(path, sizeof path, "%s/file", folder);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
	ck_assert_int_eq(store_open(path, &store, &err), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_ptr_nonnull(strstr(err.text, "Not a directory"));
}
END_TEST

/* The file of the folder with that name, for as long as the test lasts. */
static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static bool is_there(const char *name)
{
	return !access(path_of(name), F_OK);
}

/* A store that can be written and has nothing. */
static void check_empty(struct store *store)
{
	struct store_kernel put = kernel_make("op", 1), got;
	struct metrics counts;
	bool stale;

	ck_assert_int_eq(store_count(store, &counts), 0);
	ck_assert_uint_eq(counts.store_kernels, 0);
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
}

static void put_kernels(struct store *store, uint64_t count)
{
	struct store_key key = key_a;

	for (key.op = 0; key.op < count; key.op++) {
		struct store_kernel kernel = kernel_make("op", (uint32_t)key.op);
		ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
	}
}

static void check_kept(struct store *store, uint64_t count)
{
	struct store_key key = key_a;
	struct store_kernel got;
	bool stale;

	for (key.op = 0; key.op < count; key.op++) {
		struct store_kernel put = kernel_make("op", (uint32_t)key.op);
		ck_assert_int_eq(store_get_kernel(store, &key, "op", &got, &stale), 0);
		kernel_same(&put, &got);
	}
}

START_TEST(not_a_database)
{
	FILE *file = fopen(path_of("data.mdb"), "w");

	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 20000; i++)
		fputc(i * 7, file);
	fclose(file);
	struct store *store = open_here();
	ck_assert_ptr_nonnull(strstr(store_notice(store), "data.mdb.damaged-1"));
	ck_assert(is_there("data.mdb.damaged-1"));
	check_empty(store);
	store_close(store);
}
END_TEST

/* As any crash of a writer's may leave it, or a disk. */
START_TEST(truncated_database)
{
	static const off_t lengths[] = {1, 100, 4096, 8191, 8192, 5 * 4096, 5 * 4096 + 7};
	struct store *store = open_here();

	put_kernels(store, 200);
	store_close(store);
	ck_assert_int_eq(truncate(path_of("data.mdb"), lengths[_i]), 0);
	store = open_here();
	ck_assert(is_there("data.mdb.damaged-1"));
	check_empty(store);
	store_close(store);
	store = open_here();
	ck_assert_str_eq(store_notice(store), "");
	store_close(store);
}
END_TEST

/* What fills a disk is no cache: of many damaged ones the last few stay. */
START_TEST(few_are_set_aside)
{
	for (int i = 0; i < 6; i++) {
		store_close(open_here());
		ck_assert_int_eq(truncate(path_of("data.mdb"), 5000), 0);
	}
	store_close(open_here());
	ck_assert(!is_there("data.mdb.damaged-3"));
	ck_assert(is_there("data.mdb.damaged-4"));
	ck_assert(is_there("data.mdb.damaged-6"));
}
END_TEST

/* What stands in the database's place: set aside as well. */
START_TEST(something_else_in_its_place)
{
	ck_assert_int_eq(
	        _i ? mkfifo(path_of("data.mdb"), 0600) : mkdir(path_of("data.mdb"), 0700), 0);
	struct store *store = open_here();
	ck_assert(is_there("data.mdb.damaged-1"));
	check_empty(store);
	store_close(store);
}
END_TEST

/* A flip in the head of the first page that a tree has. */
static void corrupt_page(void)
{
	FILE *file = fopen(path_of("data.mdb"), "r+");
	uint16_t flags[8] = {0};

	ck_assert_ptr_nonnull(file);
	for (long page = 2; flags[5] != 0x02; page++) {
		ck_assert_int_eq(fseek(file, page * 4096, SEEK_SET), 0);
		ck_assert_int_eq((int)fread(flags, sizeof flags, 1, file), 1);
	}
	flags[6] ^= 0x4000;
	ck_assert_int_eq(fseek(file, -(long)sizeof flags, SEEK_CUR), 0);
	ck_assert_int_eq((int)fwrite(flags, sizeof flags, 1, file), 1);
	fclose(file);
}

/* The last process to have it said how it left it: nobody else has written since. */
START_TEST(only_what_is_not_as_left_is_checked)
{
	struct store *store = open_here();
	char byte = 0;

	put_kernels(store, 20);
	store_close(store);
	corrupt_page(); /* told by its time alone */
	store = open_here();
	ck_assert(is_there("data.mdb.damaged-1"));
	/* While it is open: seen at the next write, and said nowhere that all is well. */
	FILE *file = fopen(path_of("data.mdb"), "r+");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, 16 * 4096 - 1, SEEK_SET), 0);
	ck_assert_int_eq((int)fwrite(&byte, 1, 1, file), 1);
	fclose(file);
	put_kernels(store, 20);
	store_close(store);
	file = fopen(path_of("lock"), "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ne(fgetc(file), 'c');
	fclose(file);
}
END_TEST

/* ---- A check that takes long. */

static void sleep_on(void)
{
	usleep(900 * 1000);
}

static struct store *open_slowly(void)
{
	pthread_atfork(NULL, NULL, sleep_on); /* in the child that checks */
	ck_assert_int_eq(unlink(path_of("lock")), 0);
	struct store *store = open_here();
	ck_assert_int_ge(store_check_fd(store), 0);
	return store;
}

static void wait_for_check(struct store *store)
{
	struct pollfd fd = {.fd = store_check_fd(store), .events = POLLIN};

	ck_assert_int_eq(poll(&fd, 1, 20000), 1);
	store_settle(store);
	ck_assert_int_lt(store_check_fd(store), 0);
}

/* The store is empty and takes nothing; then it has all, and takes all. */
START_TEST(a_long_check_holds_up_nobody)
{
	struct store *store = open_here();
	struct store_kernel put = kernel_make("op", 1), got;
	bool stale;

	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	store_close(store);
	store = open_slowly();
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), -ENOENT);
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), -EAGAIN);
	wait_for_check(store);
	ck_assert_str_eq(store_notice(store), "");
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
	kernel_same(&put, &got);
	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	store_close(store);
}
END_TEST

START_TEST(a_long_check_finds_damage)
{
	struct store *store = open_here();

	put_kernels(store, 200);
	store_close(store);
	corrupt_page();
	store = open_slowly();
	ck_assert(!is_there("data.mdb.damaged-1"));
	wait_for_check(store);
	ck_assert(is_there("data.mdb.damaged-1"));
	check_empty(store);
	store_close(store);
}
END_TEST

/* The end comes first: nothing is left behind, and the next start checks again. */
START_TEST(a_long_check_ends_with_the_store)
{
	struct store *store = open_here();

	put_kernels(store, 20);
	store_close(store);
	store_close(open_slowly());
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	store = open_here();
	wait_for_check(store);
	check_kept(store, 20);
	store_close(store);
}
END_TEST

START_TEST(a_removed_lock_lets_nobody_in)
{
	struct store *store = open_here(), *second = NULL;
	struct error err = {0};

	ck_assert_int_eq(unlink(path_of("lock")), 0);
	ck_assert_int_eq(store_open(folder, &second, &err), -EBUSY);
	store_close(store);
	store_close(open_here());
}
END_TEST

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
	meddle("kernels", make_old, 8 + 8 + 1 + 8);
	meddle("trials", make_old, 8 + 8 + 4);
	store = open_here();
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
	ck_assert_double_eq(got.median_ns, put.median_ns);
	ck_assert_double_eq(got.pipeline_ns, 0);
	ck_assert_uint_eq(got.code_bytes, 0);
	ck_assert(!got.naive);
	ck_assert_double_eq(got.share, 1);
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
	static const unsigned char expected[] = {0x4e, 0x4e, 0x4a, 0x52, 2, 0, 5, 0, 18, 0, 0, 0};
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

/* Opens the store while no file may be longer. Check itself writes to files: nothing is asserted
 * under the limit. */
static struct store *open_with_room(rlim_t bytes)
{
	struct rlimit limit = {bytes, RLIM_INFINITY};
	struct store *store = NULL;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	int code = store_open(folder, &store, NULL);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(code, 0);
	return store;
}

/* Without room for a new store the daemon starts all the same, and begins one when there is. */
START_TEST(a_full_disk_holds_up_nothing)
{
	struct store *store = open_with_room((rlim_t)_i * 4096);

	if (*store_notice(store)) {
		ck_assert_ptr_nonnull(strstr(store_notice(store), "No space left on device"));
		ck_assert(!is_there("data.mdb"));
	}
	check_empty(store);
	store_close(store);
	store = open_here();
	ck_assert_str_eq(store_notice(store), "");
	store_close(store);
}
END_TEST

/* As a full disk refuses new records, it must not refuse the old ones. */
START_TEST(a_full_disk_serves_what_it_has)
{
	struct store *store = open_here();
	struct store_kernel put = kernel_make("op", 1), got;
	bool stale;

	ck_assert_int_eq(store_put_kernel(store, &key_a, &put), 0);
	store_close(store);
	ck_assert_int_eq(unlink(path_of("lock")), 0);
	store = open_with_room(_i ? 4096 : 0);
	ck_assert_str_eq(store_notice(store), "");
	ck_assert_int_eq(store_get_kernel(store, &key_a, "op", &got, &stale), 0);
	kernel_same(&put, &got);
	store_close(store);
}
END_TEST

/* Writes the format of the store anew, as another nnjitd has it. */
static void put_format(struct store *store, uint32_t format)
{
	AUTO(buffer_free) struct buffer record = {0};

	record_begin(&record, RECORD_META);
	record_put_u32(&record, format);
	ck_assert_int_eq(
	        store_put(store, STORE_META, (struct store_bytes){"format", 6}, &record), 0);
}

START_TEST(a_newer_store_is_set_aside)
{
	struct store *store = open_here();

	put_kernels(store, 3);
	put_format(store, 99);
	store_close(store);
	store = open_here();
	ck_assert_ptr_nonnull(strstr(store_notice(store), "format 99"));
	ck_assert(is_there("data.mdb.newer-1"));
	check_empty(store);
	store_close(store);
	/* Whoever updates puts it back. */
	ck_assert_int_eq(unlink(path_of("data.mdb")), 0);
	char aside[128];
	snprintf(aside, sizeof aside, "%s", path_of("data.mdb.newer-1"));
	ck_assert_int_eq(rename(aside, path_of("data.mdb")), 0);
	store = open_here();
	ck_assert(is_there("data.mdb.newer-1"));
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
	tcase_add_test(tcase, second_open_is_busy);
	tcase_add_test(tcase, folder_is_made_private);
	tcase_add_test(tcase, not_a_folder);
	tcase_add_test(tcase, not_a_database);
	tcase_add_loop_test(tcase, truncated_database, 0, 7);
	tcase_add_test(tcase, few_are_set_aside);
	tcase_add_loop_test(tcase, something_else_in_its_place, 0, 2);
	tcase_add_test(tcase, only_what_is_not_as_left_is_checked);
	tcase_add_test(tcase, a_long_check_holds_up_nobody);
	tcase_add_test(tcase, a_long_check_finds_damage);
	tcase_add_test(tcase, a_long_check_ends_with_the_store);
	tcase_add_test(tcase, a_removed_lock_lets_nobody_in);
	tcase_add_test(tcase, old_records_are_read);
	tcase_add_loop_test(tcase, corrupt_record_is_absent_and_stays, 0, 12);
	tcase_add_test(tcase, record_bytes_are_fixed);
	tcase_add_test(tcase, full_disk_loses_nothing);
	tcase_add_loop_test(tcase, a_full_disk_holds_up_nothing, 0, 10);
	tcase_add_loop_test(tcase, a_full_disk_serves_what_it_has, 0, 2);
	tcase_add_test(tcase, a_newer_store_is_set_aside);
	tcase_add_test(tcase, a_scan_outlives_what_is_written);
	tcase_add_test(tcase, kill_loses_nothing_acknowledged);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
