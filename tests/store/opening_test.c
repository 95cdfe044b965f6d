/* SPDX-License-Identifier: Apache-2.0
 *
 * How a store is opened where something is wrong: folders that are none, a second process, a file
 * that is damaged or no database, a newer format, a full disk, a check that takes long.
 */
#include "tests/store/fixture.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"
#include "daemon/store/record.h"

#include <check.h>
#include <errno.h>
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

int main(void)
{
	Suite *suite = suite_create("opening");
	TCase *tcase = tcase_create("opening");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, second_open_is_busy);
	tcase_add_test(tcase, a_removed_lock_lets_nobody_in);
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
	tcase_add_loop_test(tcase, a_full_disk_holds_up_nothing, 0, 10);
	tcase_add_loop_test(tcase, a_full_disk_serves_what_it_has, 0, 2);
	tcase_add_test(tcase, a_newer_store_is_set_aside);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
