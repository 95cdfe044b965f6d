/* SPDX-License-Identifier: Apache-2.0
 *
 * The check of a database's pages, held against LMDB: what LMDB wrote is sound, whatever was put
 * and deleted; of what is damaged nothing that is called sound makes LMDB stumble.
 */
#include "tests/store/fixture.h"

#include "daemon/store/pages.h"

#include <check.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TABLES 3
#define FLIPS  400 /* damaged databases, unless NNJIT_FLIPS says how many */

static uint64_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

struct file {
	uint8_t *bytes;
	size_t count;
};

static struct file read_file(void)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof path, "%s/data.mdb", folder);
	int fd = open(path, O_RDONLY);
	ck_assert_int_eq(fstat(fd, &st), 0);
	struct file file = {malloc((size_t)st.st_size), (size_t)st.st_size};
	ck_assert_ptr_nonnull(file.bytes);
	ck_assert_int_eq(read(fd, file.bytes, file.count), (ssize_t)file.count);
	close(fd);
	return file;
}

static void write_file(const struct file *file)
{
	char path[96];

	snprintf(path, sizeof path, "%s/data.mdb", folder);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, file->bytes, file->count), (ssize_t)file->count);
	close(fd);
}

static int open_env(MDB_env **ret_env, MDB_dbi tables[TABLES])
{
	static const char *const names[TABLES] = {"meta", "kernels", "trials"};
	MDB_txn *txn;
	int code = mdb_env_create(ret_env);

	if (!code)
		code = mdb_env_set_maxdbs(*ret_env, TABLES + 1);
	if (!code)
		code = mdb_env_set_mapsize(*ret_env, 64 << 20);
	if (!code)
		code = mdb_env_open(*ret_env, folder, MDB_NOLOCK | MDB_NOTLS | MDB_NOSYNC, 0600);
	if (!code)
		code = mdb_txn_begin(*ret_env, NULL, 0, &txn);
	for (int i = 0; !code && i < TABLES; i++)
		code = mdb_dbi_open(txn, names[i], MDB_CREATE, &tables[i]);
	return code ? code : mdb_txn_commit(txn);
}

/* Some records put and some deleted, of keys and values of all lengths. */
static int change(MDB_env *env, const MDB_dbi tables[TABLES])
{
	static char text[20000];
	MDB_txn *txn;
	int code = mdb_txn_begin(env, NULL, 0, &txn);

	for (uint32_t i = 0; !code && i < 1 + draw(60); i++) {
		char name[400];
		uint32_t length = draw(3) ? 8 : 1 + draw(300);
		memset(name, 'a', sizeof name);
		int digits = snprintf(name, sizeof name, "%05u", draw(500));
		name[digits] = 'a';
		MDB_val key = {length < 6 ? 6 : length, name};
		MDB_val value = {draw(40) ? draw(700) : draw(sizeof text), text};
		MDB_dbi table = tables[draw(TABLES)];
		code = draw(3) ? mdb_put(txn, table, &key, &value, 0)
		               : mdb_del(txn, table, &key, NULL);
		code = code == MDB_NOTFOUND ? 0 : code;
	}
	if (!code)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

static void count(
        void *context, const char *table, struct store_bytes key, struct store_bytes value)
{
	(void)table, (void)key, (void)value;
	++*(uint32_t *)context;
}

static uint32_t entries_of(MDB_env *env, const MDB_dbi tables[TABLES])
{
	uint32_t entries = 0;
	MDB_txn *txn;
	MDB_stat stat;

	ck_assert_int_eq(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	for (int i = 0; i < TABLES; i++) {
		ck_assert_int_eq(mdb_stat(txn, tables[i], &stat), 0);
		entries += (uint32_t)stat.ms_entries;
	}
	mdb_txn_abort(txn);
	return entries;
}

static void check_sound(MDB_env *env, const MDB_dbi tables[TABLES])
{
	struct file file = read_file();
	char why[PAGES_WHY_BYTES] = "";
	uint32_t entries = 0;

	int code = pages_check(file.bytes, file.count, count, &entries, why);
	ck_assert_msg(!code, "%s", why);
	ck_assert_uint_eq(entries, entries_of(env, tables));
	free(file.bytes);
}

START_TEST(what_lmdb_writes_is_sound)
{
	MDB_env *env;
	MDB_dbi tables[TABLES];

	seed = (uint64_t)_i + 1;
	ck_assert_int_eq(open_env(&env, tables), 0);
	check_sound(env, tables);
	for (int i = 0; i < 120; i++) {
		ck_assert_int_eq(change(env, tables), 0);
		check_sound(env, tables);
	}
	mdb_env_close(env);
}
END_TEST

/* ---- Damage. */

/* A bit anywhere, or in a page's head, or in a list of nodes, or in the heads of the file. */
static void damage(const struct file *file)
{
	uint32_t pages = (uint32_t)(file->count / 4096), kind = draw(4);
	size_t page = 4096 * (size_t)(kind == 3 ? draw(2) : draw(pages));
	size_t at = kind == 0   ? draw((uint32_t)file->count)
	            : kind == 1 ? page + draw(16)
	            : kind == 2 ? page + 16 + draw(60)
	                        : page + draw(160);

	file->bytes[at] ^= (uint8_t)(1u << draw(8));
}

/* Reads all and goes on writing, as a daemon would. Other than 0 or by a signal: LMDB stumbled. */
static void use(void)
{
	static const struct rlimit none = {0, 0};
	MDB_env *env;
	MDB_dbi tables[TABLES];
	int code;

	setrlimit(RLIMIT_CORE, &none);
	alarm(20);
	code = open_env(&env, tables);
	for (int i = 0; !code && i < 20; i++)
		code = change(env, tables);
	for (int i = 0; !code && i < TABLES; i++) {
		MDB_txn *txn;
		MDB_cursor *cursor;
		MDB_val key, value;
		code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
		if (!code)
			code = mdb_cursor_open(txn, tables[i], &cursor);
		while (!code)
			code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
		code = code == MDB_NOTFOUND ? 0 : code;
		mdb_txn_abort(txn);
	}
	_exit(code ? 1 : 0);
}

static bool lmdb_stumbles(void)
{
	int status;
	pid_t child = fork();

	if (!child)
		use();
	waitpid(child, &status, 0);
	return status != 0;
}

START_TEST(what_is_called_sound_is)
{
	const char *flips = getenv("NNJIT_FLIPS");
	uint32_t wanted = flips ? (uint32_t)atoi(flips) : FLIPS, found = 0, ignored;
	MDB_env *env;
	MDB_dbi tables[TABLES];
	char why[PAGES_WHY_BYTES];

	seed = 7;
	ck_assert_int_eq(open_env(&env, tables), 0);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(change(env, tables), 0);
	mdb_env_close(env);
	struct file whole = read_file(), file = {malloc(whole.count), whole.count};
	for (uint32_t i = 0; i < wanted; i++) {
		memcpy(file.bytes, whole.bytes, whole.count);
		damage(&file);
		int code = pages_check(file.bytes, file.count, count, &ignored, why);
		found += code == PAGES_DAMAGED;
		if (code)
			continue;
		write_file(&file);
		ck_assert_msg(!lmdb_stumbles(), "damage %u is not seen", i);
	}
	printf("%u of %u flips are damage\n", found, wanted);
	ck_assert_uint_gt(found, wanted / 8);
	free(file.bytes);
	free(whole.bytes);
}
END_TEST

START_TEST(what_is_cut_is_damaged)
{
	struct store *store = open_here();
	uint32_t ignored;
	char why[PAGES_WHY_BYTES];

	store_close(store);
	struct file file = read_file();
	for (size_t bytes = 0; bytes < file.count; bytes += 1 + bytes / 50) {
		uint8_t *copy = malloc(bytes + 1); /* so that a sanitizer sees its end */
		memcpy(copy, file.bytes, bytes);
		ck_assert_int_eq(pages_check(copy, bytes, count, &ignored, why), PAGES_DAMAGED);
		free(copy);
	}
	free(file.bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pages");
	TCase *tcase = tcase_create("pages");

	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_loop_test(tcase, what_lmdb_writes_is_sound, 0, 4);
	tcase_add_test(tcase, what_is_called_sound_is);
	tcase_add_test(tcase, what_is_cut_is_damaged);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
