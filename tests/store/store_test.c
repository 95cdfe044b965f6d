/* SPDX-License-Identifier: Apache-2.0
 *
 * The store as nnjitd uses it: round trips, records that do not check out, other drivers, a second
 * process, a full disk, and kill -9 in the middle of writes. Each test has its own state folder
 * under the system's temporary one.
 */
#include "daemon/store/record.h"
#include "daemon/store/store.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <lmdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void folder_make(void)
{
	strcpy(folder, "/tmp/nnjit-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_remove(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct store *open_here(void)
{
	struct store *store = NULL;
	struct error err = {0};

	ck_assert_msg(store_open(folder, &store, &err) == 0, "%s", err.text);
	return store;
}

static const struct store_key key_a = {0x1122334455667788, 0xd1, 0x99aabbccddeeff00, 1};

static struct store_kernel kernel_make(const char *op, uint32_t n)
{
	struct store_kernel kernel = {.generation = 3,
	        .finished = n % 2,
	        .measured = n,
	        .of = 64,
	        .median_ns = 1e6 / (n + 1),
	        .mad_ns = 12.5,
	        .baseline_ns = 3.25e6,
	        .samples = 48,
	        .wall_clock = n % 3 == 0,
	        .max_rel_err = 1e-7,
	        .checked = 4096,
	        .share = 0.25 + n % 4 * 0.25,
	        .updated_s = 1700000000 + n,
	        .pipeline_ns = 5.5e6,
	        .code_bytes = 1234 + n,
	        .naive = n % 5 == 0};

	snprintf(kernel.op, sizeof kernel.op, "%s", op);
	snprintf(kernel.schedule, sizeof kernel.schedule, "wg_x=8 wg_y=%u", n);
	return kernel;
}

static void kernel_same(const struct store_kernel *a, const struct store_kernel *b)
{
	ck_assert_str_eq(a->op, b->op);
	ck_assert_str_eq(a->schedule, b->schedule);
	ck_assert_uint_eq(a->generation, b->generation);
	ck_assert_int_eq(a->finished, b->finished);
	ck_assert_uint_eq(a->measured, b->measured);
	ck_assert_uint_eq(a->of, b->of);
	ck_assert_double_eq(a->median_ns, b->median_ns);
	ck_assert_double_eq(a->mad_ns, b->mad_ns);
	ck_assert_double_eq(a->baseline_ns, b->baseline_ns);
	ck_assert_uint_eq(a->samples, b->samples);
	ck_assert_int_eq(a->wall_clock, b->wall_clock);
	ck_assert_double_eq(a->max_rel_err, b->max_rel_err);
	ck_assert_uint_eq(a->checked, b->checked);
	ck_assert_double_eq(a->share, b->share);
	ck_assert_uint_eq(a->updated_s, b->updated_s);
	ck_assert_double_eq(a->pipeline_ns, b->pipeline_ns);
	ck_assert_uint_eq(a->code_bytes, b->code_bytes);
	ck_assert_int_eq(a->naive, b->naive);
}

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

	other[0].device++;
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

static bool count_kernel(
        void *context, const struct store_key *key, const struct store_kernel *kernel)
{
	uint32_t *seen = context;

	ck_assert_uint_eq(key->op, kernel->measured);
	ck_assert_uint_eq(key->device, key_a.device);
	return ++*seen < 5;
}

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

struct trials {
	uint32_t count;
	struct store_trial trial[64];
};

static bool collect(void *context, const struct store_trial *trial)
{
	struct trials *trials = context;

	trials->trial[trials->count++] = *trial;
	return trials->count < 64;
}

static struct store_trial trial_make(uint32_t n, enum store_trial_state state)
{
	struct store_trial trial = {
	        .state = state, .median_ns = n, .mad_ns = 2, .pipeline_ns = 3e6, .samples = n};

	snprintf(trial.schedule, sizeof trial.schedule, "wg_x=%u", n);
	snprintf(trial.why, sizeof trial.why, "%s", state == STORE_TRIAL_TIMED ? "" : "because");
	return trial;
}

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

START_TEST(stats_count)
{
	struct store *store = open_here();
	struct store_kernel kernel = kernel_make("op", 1);
	struct store_trial trial = trial_make(1, STORE_TRIAL_TIMED);
	struct store_stats stats;

	ck_assert_int_eq(store_put_kernel(store, &key_a, &kernel), 0);
	ck_assert_int_eq(store_put_trial(store, &key_a, &trial), 0);
	ck_assert_int_eq(store_put_job(store, &key_a, "op", 0), 0);
	ck_assert_int_eq(store_stats(store, &stats), 0);
	ck_assert_uint_eq(stats.kernels, 1);
	ck_assert_uint_eq(stats.trials, 1);
	ck_assert_uint_eq(stats.devices, 0);
	ck_assert_uint_eq(stats.jobs, 1);
	ck_assert_uint_gt(stats.bytes, 4096);
	store_close(store);
}
END_TEST

/* ---- What goes wrong. */

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
	ck_assert_int_lt(store_open(path, &store, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, path));
}
END_TEST

START_TEST(not_a_database)
{
	char path[128];
	struct store *store = NULL;
	struct error err = {0};

	snprintf(path, sizeof path, "%s/data.mdb", folder);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 20000; i++)
		fputc(i * 7, file);
	fclose(file);
	ck_assert_int_eq(store_open(folder, &store, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "data.mdb"));
}
END_TEST

START_TEST(truncated_database)
{
	struct store *store = open_here();
	struct store_key key = key_a;
	struct error err = {0};
	char path[128];

	for (key.op = 0; key.op < 200; key.op++) {
		struct store_kernel kernel = kernel_make("op", 1);
		ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
	}
	store_close(store);
	snprintf(path, sizeof path, "%s/data.mdb", folder);
	ck_assert_int_eq(truncate(path, 5 * 4096), 0);
	ck_assert_int_eq(store_open(folder, &store, &err), -EIO);
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
	ck_assert_int_eq(record_seal(record, key.mv_data, key.mv_size), 0);
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
	struct store_stats stats;
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
	ck_assert_int_eq(store_stats(store, &stats), 0);
	ck_assert_uint_eq(stats.kernels, 1);
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
	ck_assert_int_eq(record_seal(&record, "k", 1), 0);
	ck_assert_uint_eq(record.length, 20 + sizeof fields);
	ck_assert_mem_eq(record.data, expected, sizeof expected);
	ck_assert_mem_eq(record.data + 20, fields, sizeof fields);
	/* The same record under another key does not check out. */
	struct record_reader reader;
	ck_assert_int_eq(record_open("k", 1, record.data, record.length, RECORD_JOB, &reader), 0);
	ck_assert_int_eq(
	        record_open("l", 1, record.data, record.length, RECORD_JOB, &reader), -EBADMSG);
	ck_assert_int_eq(
	        record_open("k", 1, record.data, record.length, RECORD_KERNEL, &reader), -EBADMSG);
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
	tcase_add_test(tcase, stats_count);
	tcase_add_test(tcase, second_open_is_busy);
	tcase_add_test(tcase, folder_is_made_private);
	tcase_add_test(tcase, not_a_folder);
	tcase_add_test(tcase, not_a_database);
	tcase_add_test(tcase, truncated_database);
	tcase_add_test(tcase, old_records_are_read);
	tcase_add_loop_test(tcase, corrupt_record_is_absent_and_stays, 0, 12);
	tcase_add_test(tcase, record_bytes_are_fixed);
	tcase_add_test(tcase, full_disk_loses_nothing);
	tcase_add_test(tcase, kill_loses_nothing_acknowledged);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
