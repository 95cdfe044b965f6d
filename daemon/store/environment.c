/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens the database in a folder that is held, and runs transactions on LMDB in its default sync
 * mode: a commit that returned 0 survives kill -9 and power loss. Never WRITEMAP (a full disk would
 * be a SIGBUS). Invariants: the map is only resized while no transaction is open; no page of a
 * snapshot is read after two later commits.
 */
#include "daemon/store/environment.h"

#include "base/buffer.h"
#include "protocol/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAP_BYTES     ((size_t)64 << 20) /* address space at first; the file grows as used */
#define MAP_BYTES_MAX ((size_t)16 << 30)
#define HEADROOM      ((size_t)4 << 20)   /* more than any one transaction of ours dirties */
#define LAST_BYTES    ((size_t)256 << 10) /* less room than that may cut a transaction short */
#define KEY_MAX       511                 /* LMDB's own bound */

static const struct {
	const char *name;
	enum record_kind kind;
} tables[] = {
#define ROW(id, text, kind) [STORE_##id] = {text, RECORD_##kind},
        STORE_EACH_TABLE(ROW)
#undef ROW
};

enum record_kind store_table_kind(const char *name)
{
	for (int i = 0; i < STORE_TABLES; i++)
		if (!strcmp(tables[i].name, name))
			return tables[i].kind;
	return RECORD_NONE;
}

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

/* LMDB says EIO of a write that was cut short, which is what a full disk does to a long one. */
static bool room_is_out(const struct store *store)
{
	struct statvfs disk;
	struct stat file;
	struct rlimit most;
	int fd = openat(store->folder.fd, STORE_FILE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool known = fd >= 0 && !fstatvfs(fd, &disk) && !fstat(fd, &file) &&
	             !getrlimit(RLIMIT_FSIZE, &most);

	if (fd >= 0)
		close(fd);
	if (!known)
		return false;
	return disk.f_bavail * disk.f_frsize < LAST_BYTES ||
	       (most.rlim_cur != RLIM_INFINITY &&
	               (rlim_t)file.st_size + LAST_BYTES > most.rlim_cur);
}

/* ---- Opening. */

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

/* NOLOCK: the folder is ours alone, and LMDB's own lock file is a sparse map, which a full disk
 * makes a SIGBUS. NOTLS: a write may happen while a scan of the same thread is under way. */
static int open_environment(struct store *store, unsigned flags)
{
	int code = mdb_env_create(&store->env);

	if (!code)
		code = mdb_env_set_maxdbs(store->env, STORE_TABLES);
	if (!code)
		code = mdb_env_set_mapsize(store->env, MAP_BYTES);
	if (!code)
		code = mdb_env_open(
		        store->env, store->folder.path, MDB_NOTLS | MDB_NOLOCK | flags, 0600);
	if (!code && !complete(store))
		code = MDB_CORRUPTED;
	return code;
}

static int open_tables(struct store *store, unsigned flags)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(store->env, NULL, flags, &txn);

	if (code)
		return code;
	for (int i = 0; !code && i < STORE_TABLES; i++)
		code = mdb_dbi_open(txn, tables[i].name, flags ? 0 : MDB_CREATE, &store->table[i]);
	if (code) {
		mdb_txn_abort(txn);
		return code;
	}
	return mdb_txn_commit(txn);
}

static int open_with(struct store *store, unsigned flags)
{
	int code = open_environment(store, flags);

	if (!code)
		code = open_tables(store, flags);
	return code;
}

static int environment_fd(const struct store *store)
{
	int fd = -1;

	return store->env && !mdb_env_get_fd(store->env, &fd) ? fd : -1;
}

void environment_close(struct store *store)
{
	if (store->env)
		mdb_env_close(store->env);
	store->env = NULL;
}

/* What LMDB's answer says of the database. */
static int judge(const struct store *store, int lmdb)
{
	int code = store_error(lmdb);

	return code != -EIO ? code : room_is_out(store) ? -ENOSPC : ENVIRONMENT_DAMAGED;
}

int environment_open(struct store *store)
{
	int lmdb = open_with(store, 0);
	bool barred = store_error(lmdb) == -EACCES;

	if (barred) {
		environment_close(store);
		lmdb = open_with(store, MDB_RDONLY);
	}
	if (lmdb) {
		int code = lmdb == MDB_NOTFOUND || lmdb == ENOENT ? -EROFS : judge(store, lmdb);
		environment_close(store);
		return code;
	}
	store->refusal = barred ? -EROFS : 0;
	store->seen = folder_print(environment_fd(store));
	if (!barred)
		folder_sync(&store->folder);
	return 0;
}

/* Whether nobody else has written to the file since we did. */
static bool is_as_seen(const struct store *store)
{
	struct folder_print now = folder_print(environment_fd(store));

	return folder_print_same(&now, &store->seen);
}

/* The file's state goes on record only where it is known to be ours. */
static void close_clean(struct store *store)
{
	struct folder_print print = store->seen;
	bool ours = !store->suspect && !store->refusal && is_as_seen(store);
	MDB_envinfo info;

	if (!ours || mdb_env_info(store->env, &info))
		return;
	print.transaction = info.me_last_txnid;
	folder_note(&store->folder, &print);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	check_drop(store->check);
	if (store->env)
		close_clean(store);
	environment_close(store);
	folder_leave(&store->folder);
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

static int commit(struct store *store, const struct store_edit *edits, uint32_t count)
{
	make_room(store, false);
	int code = commit_once(store, edits, count);
	if (code == MDB_MAP_FULL) {
		make_room(store, true);
		code = commit_once(store, edits, count);
	}
	store->commits++;
	return store_error(code == EIO && room_is_out(store) ? ENOSPC : code);
}

int store_commit(struct store *store, const struct store_edit *edits, uint32_t count)
{
	if (!store->env && store->refusal == -ENOSPC)
		store_try_again(store);
	if (store->refusal)
		return store->refusal;
	store->suspect |= !is_as_seen(store);
	int code = commit(store, edits, count);
	store->suspect |= code == -EIO;
	store->seen = folder_print(environment_fd(store));
	return code;
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

struct scan {
	struct store *store;
	MDB_txn *txn;
	MDB_cursor *cursor;
	enum store_table table;
	uint8_t at[KEY_MAX]; /* the key that is shown */
	size_t at_bytes;
};

/* To the record behind the one shown. The writes of who was shown it end the snapshot: without
 * readers that LMDB knows of, its pages are used again. */
static int next(struct scan *scan, uint32_t commits, MDB_val *key, MDB_val *value)
{
	int code;

	if (scan->store->commits == commits)
		return mdb_cursor_get(scan->cursor, key, value, MDB_NEXT);
	mdb_cursor_close(scan->cursor);
	scan->cursor = NULL;
	mdb_txn_reset(scan->txn);
	code = mdb_txn_renew(scan->txn);
	if (!code)
		code = mdb_cursor_open(scan->txn, scan->store->table[scan->table], &scan->cursor);
	*key = (MDB_val){scan->at_bytes, scan->at};
	if (!code)
		code = mdb_cursor_get(scan->cursor, key, value, MDB_SET_RANGE);
	if (!code && key->mv_size == scan->at_bytes &&
	        !memcmp(key->mv_data, scan->at, scan->at_bytes))
		code = mdb_cursor_get(scan->cursor, key, value, MDB_NEXT);
	return code;
}

static int walk(struct scan *scan, struct store_bytes prefix,
        bool (*each)(void *context, struct store_bytes key, struct store_bytes value),
        void *context)
{
	MDB_val key = {prefix.bytes, (void *)(uintptr_t)prefix.data}, value;
	int code = mdb_cursor_get(
	        scan->cursor, &key, &value, prefix.bytes ? MDB_SET_RANGE : MDB_FIRST);

	while (!code && (!prefix.bytes || starts_with(&key, prefix))) {
		uint32_t commits = scan->store->commits;
		if (key.mv_size > sizeof scan->at)
			return MDB_CORRUPTED;
		scan->at_bytes = key.mv_size;
		memcpy(scan->at, key.mv_data, key.mv_size);
		if (!each(context, (struct store_bytes){key.mv_data, key.mv_size},
		            (struct store_bytes){value.mv_data, value.mv_size}))
			break;
		code = next(scan, commits, &key, &value);
	}
	return code == MDB_NOTFOUND ? 0 : code;
}

int store_scan(struct store *store, enum store_table table, struct store_bytes prefix,
        bool (*each)(void *context, struct store_bytes key, struct store_bytes value),
        void *context)
{
	struct scan scan = {.store = store, .table = table};

	if (!store->env)
		return 0;
	int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &scan.txn);
	if (code)
		return store_error(code);
	store->readers++;
	code = mdb_cursor_open(scan.txn, store->table[table], &scan.cursor);
	if (!code)
		code = walk(&scan, prefix, each, context);
	if (scan.cursor)
		mdb_cursor_close(scan.cursor);
	mdb_txn_abort(scan.txn);
	store->readers--;
	store->suspect |= store_error(code) == -EIO;
	return store_error(code);
}

int store_count(struct store *store, struct metrics *metrics)
{
	uint64_t entries[STORE_TABLES] = {0};
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *txn;

	metrics->store_bytes = metrics->store_kernels = metrics->store_trials = 0;
	metrics->store_devices = metrics->store_jobs = metrics->report_kernels = 0;
	if (!store->env)
		return 0;
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
