/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens the state folder, locks it against a second daemon, and runs transactions on LMDB in its
 * default sync mode: a commit that returned 0 survives kill -9 and power loss. Never WRITEMAP (a
 * full disk would be a SIGBUS). Invariant: the map is only resized while no transaction is open.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"
#include "protocol/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAP_BYTES     ((size_t)64 << 20) /* address space at first; the file grows as used */
#define MAP_BYTES_MAX ((size_t)16 << 30)
#define HEADROOM      ((size_t)4 << 20)   /* more than any one transaction of ours dirties */
#define LAST_BYTES    ((size_t)256 << 10) /* less room than that may cut a transaction short */
#define CHECK_WRITES  1024                /* commits between two looks for readers that died */

static const char *const table_names[] = {
#define NAME(name, text) [STORE_##name] = text,
        STORE_EACH_TABLE(NAME)
#undef NAME
};

int store_error(int lmdb)
{
	switch (lmdb) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG: /* the process's own file size limit */
		return -ENOSPC;
	case ENOMEM:
		return -ENOMEM;
	case EACCES:
	case EPERM:
	case EROFS:
		return -EACCES;
	default:
		return -EIO;
	}
}

/* ---- Opening. */

/* mkdir -p, private. */
static int make_folder(const char *path)
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	if (!length || length >= sizeof part)
		return -ENAMETOOLONG;
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -errno;
		part[i] = path[i];
	}
	return 0;
}

static int folder_error(struct error *err, const char *path, int code)
{
	error_set(err, code, "state-dir",
	        "The state folder %s cannot be used: %s; choose another with --state-dir.", path,
	        strerror(-code));
	return code == -EPERM || code == -EROFS                        ? -EACCES
	       : code == -ENOSPC || code == -ENOMEM || code == -EACCES ? code
	                                                               : -EIO;
}

/* flock goes with the process however it ends, so a stale file never locks anybody out. */
static int lock_folder(struct store *store, const char *path, struct error *err)
{
	char name[PATH_MAX], pid[24] = "";

	if (snprintf(name, sizeof name, "%s/lock", path) >= (int)sizeof name)
		return folder_error(err, path, -ENAMETOOLONG);
	store->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock < 0)
		return folder_error(err, path, -errno);
	if (flock(store->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return folder_error(err, path, -errno);
		if (pread(store->lock, pid, sizeof pid - 1, 0) < 0)
			pid[0] = '\0';
		return error_set(err, -EBUSY, "state-dir",
		        "The state folder %s is in use by another nnjitd%s%s; stop it, or choose "
		        "another with --state-dir.",
		        path, pid[0] ? ", process " : "", pid);
	}
	int length = snprintf(pid, sizeof pid, "%ld", (long)getpid());
	if (ftruncate(store->lock, 0) < 0 || pwrite(store->lock, pid, (size_t)length, 0) < 0)
		return folder_error(err, path, -errno);
	return 0;
}

/* LMDB maps the file: pages that are not there would be a SIGBUS later. */
static bool complete(struct store *store)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat file;
	mdb_filehandle_t fd;

	return !mdb_env_info(store->env, &info) && !mdb_env_stat(store->env, &stat) &&
	       !mdb_env_get_fd(store->env, &fd) && !fstat(fd, &file) &&
	       (uint64_t)file.st_size >= (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
}

static int open_environment(struct store *store, const char *path)
{
	int code = mdb_env_create(&store->env);

	if (!code)
		code = mdb_env_set_maxdbs(store->env, STORE_TABLES);
	if (!code)
		code = mdb_env_set_mapsize(store->env, MAP_BYTES);
	if (!code) /* NOTLS: a write may happen while a scan of the same thread is under way */
		code = mdb_env_open(store->env, path, MDB_NOTLS, 0600);
	if (!code && !complete(store))
		code = MDB_CORRUPTED;
	if (!code)
		code = mdb_reader_check(store->env, NULL);
	return code;
}

static int open_tables(struct store *store)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (code)
		return code;
	for (int i = 0; !code && i < STORE_TABLES; i++)
		code = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &store->table[i]);
	if (code) {
		mdb_txn_abort(txn);
		return code;
	}
	return mdb_txn_commit(txn);
}

/* The new files' names must survive power loss as well as their content. */
static void sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int open_all(struct store *store, const char *path, struct error *err)
{
	int code = make_folder(path);

	if (code)
		return folder_error(err, path, code);
	code = lock_folder(store, path, err);
	if (code)
		return code;
	int lmdb = open_environment(store, path);
	if (!lmdb)
		lmdb = open_tables(store);
	if (lmdb)
		return error_set(err, store_error(lmdb), "state-dir",
		        "The database in the state folder %s cannot be opened: %s; repair or "
		        "remove data.mdb there, or choose another folder with --state-dir.",
		        path, mdb_strerror(lmdb));
	sync_folder(path);
	return 0;
}

int environment_open(const char *state_dir, struct store **ret_store, struct error *err)
{
	struct store *store = calloc(1, sizeof *store);

	if (!store)
		return error_set(err, -ENOMEM, "", "Out of memory.");
	store->lock = -1;
	int code = open_all(store, state_dir, err);
	if (code) {
		store_close(store);
		return code;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->env)
		mdb_env_close(store->env);
	if (store->lock >= 0)
		close(store->lock);
	free(store);
}

/* ---- Transactions. */

/* LMDB would let the map move under a live reader; we do not. */
static void make_room(struct store *store, bool full)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (store->readers || mdb_env_info(store->env, &info) || mdb_env_stat(store->env, &stat))
		return;
	size_t used = (info.me_last_pgno + 1) * (size_t)stat.ms_psize;
	if ((full || used + HEADROOM > info.me_mapsize) && info.me_mapsize < MAP_BYTES_MAX)
		mdb_env_set_mapsize(store->env, info.me_mapsize * 2);
}

static int apply(struct store *store, MDB_txn *txn, const struct store_edit *edit)
{
	MDB_val key = {edit->key.bytes, (void *)(uintptr_t)edit->key.data};
	MDB_val value = {edit->value.bytes, (void *)(uintptr_t)edit->value.data};

	if (edit->value.data)
		return mdb_put(txn, store->table[edit->table], &key, &value, 0);
	int code = mdb_del(txn, store->table[edit->table], &key, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int commit_once(struct store *store, const struct store_edit *edits, uint32_t count)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (code)
		return code;
	for (uint32_t i = 0; !code && i < count; i++)
		code = apply(store, txn, &edits[i]);
	if (!code)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

/* LMDB says EIO of a write that was cut short, which is what a full disk does to a long one. */
static bool room_is_out(struct store *store)
{
	struct statvfs disk;
	struct stat file;
	struct rlimit most;
	int fd;

	if (mdb_env_get_fd(store->env, &fd) || fstatvfs(fd, &disk) || fstat(fd, &file) ||
	        getrlimit(RLIMIT_FSIZE, &most))
		return false;
	return disk.f_bavail * disk.f_frsize < LAST_BYTES ||
	       (most.rlim_cur != RLIM_INFINITY &&
	               (rlim_t)file.st_size + LAST_BYTES > most.rlim_cur);
}

int store_commit(struct store *store, const struct store_edit *edits, uint32_t count)
{
	make_room(store, false);
	int code = commit_once(store, edits, count);
	if (code == MDB_MAP_FULL) {
		make_room(store, true);
		code = commit_once(store, edits, count);
	}
	if (!code && ++store->writes % CHECK_WRITES == 0)
		mdb_reader_check(store->env, NULL);
	return store_error(code == EIO && room_is_out(store) ? ENOSPC : code);
}

int store_put(
        struct store *store, enum store_table table, struct store_bytes key, struct buffer *record)
{
	int code = record_seal(record, key);
	struct store_edit edit = {table, key, {record->data, record->length}};

	return code ? code : store_commit(store, &edit, 1);
}

static bool starts_with(const MDB_val *key, struct store_bytes prefix)
{
	return key->mv_size >= prefix.bytes && !memcmp(key->mv_data, prefix.data, prefix.bytes);
}

static int scan(MDB_cursor *cursor, struct store_bytes prefix,
        bool (*each)(void *context, struct store_bytes key, struct store_bytes value),
        void *context)
{
	MDB_val key = {prefix.bytes, (void *)(uintptr_t)prefix.data}, value;
	int code = mdb_cursor_get(cursor, &key, &value, prefix.bytes ? MDB_SET_RANGE : MDB_FIRST);

	for (; !code && (!prefix.bytes || starts_with(&key, prefix));
	        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
		if (!each(context, (struct store_bytes){key.mv_data, key.mv_size},
		            (struct store_bytes){value.mv_data, value.mv_size}))
			break;
	return code == MDB_NOTFOUND ? 0 : code;
}

int store_scan(struct store *store, enum store_table table, struct store_bytes prefix,
        bool (*each)(void *context, struct store_bytes key, struct store_bytes value),
        void *context)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

	if (code)
		return store_error(code);
	store->readers++;
	code = mdb_cursor_open(txn, store->table[table], &cursor);
	if (!code) {
		code = scan(cursor, prefix, each, context);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	store->readers--;
	return store_error(code);
}

int store_count(struct store *store, struct metrics *metrics)
{
	uint64_t entries[STORE_TABLES] = {0};
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *txn;
	int code = mdb_env_info(store->env, &info);

	if (!code)
		code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
	if (code)
		return store_error(code);
	for (int i = 0; !code && i < STORE_TABLES; i++) {
		code = mdb_stat(txn, store->table[i], &stat);
		entries[i] = stat.ms_entries;
	}
	mdb_txn_abort(txn);
	if (code)
		return store_error(code);
	metrics->store_bytes = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
	metrics->store_kernels = entries[STORE_KERNELS];
	metrics->store_trials = entries[STORE_TRIALS];
	metrics->store_devices = entries[STORE_DEVICES];
	metrics->store_jobs = entries[STORE_JOBS];
	metrics->report_kernels = entries[STORE_REPORTS];
	return 0;
}
