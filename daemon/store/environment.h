/* SPDX-License-Identifier: Apache-2.0
 *
 * The LMDB environment behind a store: tables, transactions, room to grow.
 * The only header that names LMDB; what records mean is for the files beside it.
 */
#pragma once

#include "daemon/store/check.h"
#include "daemon/store/folder.h"
#include "daemon/store/record.h"
#include "daemon/store/store.h"

#include <lmdb.h>
#include <time.h>

/* The tables, with their names in the environment and what their records are. */
#define STORE_EACH_TABLE(TABLE)           \
	TABLE(META, "meta", META)         \
	TABLE(KERNELS, "kernels", KERNEL) \
	TABLE(TRIALS, "trials", TRIAL)    \
	TABLE(DEVICES, "devices", DEVICE) \
	TABLE(JOBS, "jobs", JOB)          \
	TABLE(REPORTS, "reports", REPORT) \
	TABLE(ORIGINS, "origins", ORIGIN)
enum store_table {
#define VALUE(name, text, kind) STORE_##name,
	STORE_EACH_TABLE(VALUE)
#undef VALUE
	        STORE_TABLES
};
enum record_kind store_table_kind(const char *name); /* RECORD_NONE: no table of ours */

struct store {
	struct folder folder;
	MDB_env *env; /* NULL: nothing can be read now */
	MDB_dbi table[STORE_TABLES];
	int refusal;              /* what every write answers; 0: it is tried */
	struct check *check;      /* under way; NULL */
	struct folder_print seen; /* the file after our last write */
	bool suspect;             /* read or written by something that is not right */
	uint32_t readers;         /* open read transactions: the map must not move under them */
	uint32_t commits;         /* so far, failed ones as well: snapshots end with them */
	time_t tried_s;           /* when it was last tried to open it on a full disk */
	char notice[512];         /* what came of opening it */
};

/* Opens the database of the folder, or makes one, and its tables; where it may only be read,
 * `refusal` says so. 0, an environment_answer, or -ENOSPC, -EACCES, -EROFS, -ENOMEM. */
enum environment_answer { ENVIRONMENT_DAMAGED = 1 };
int environment_open(struct store *store);
void environment_close(struct store *store);

/* open.c: opens a store for which there was no room, if there is now. */
void store_try_again(struct store *store);

/* One durable transaction. value.data NULL deletes, which is fine where there is nothing. */
struct store_edit {
	enum store_table table;
	struct store_bytes key, value;
};
/* 0, -ENOSPC (nothing is changed), -ENOMEM, -EIO, or the store's refusal. */
int store_commit(struct store *store, const struct store_edit *edits, uint32_t count);

/* Seals one record and commits it alone. */
int store_put(
        struct store *store, enum store_table table, struct store_bytes key, struct buffer *record);

/* Calls each for every record whose key starts with `prefix`, in key order, until it returns
 * false. Key and value are valid within the call until it writes, which is allowed: what comes
 * after is then read as it is. A store that cannot be read has no records. */
int store_scan(struct store *store, enum store_table table, struct store_bytes prefix,
        bool (*each)(void *context, struct store_bytes key, struct store_bytes value),
        void *context);

#define STORE_KEY_BYTES 28
/* class, op, features, driver: so that one prefix finds a kernel under all drivers. */
void store_key_encode(const struct store_key *key, uint8_t to[static STORE_KEY_BYTES]);
void store_key_decode(const uint8_t from[static STORE_KEY_BYTES], struct store_key *ret_key);
#define STORE_KEY_DRIVERLESS_BYTES  20 /* the prefix without the driver */
#define STORE_KEY_FEATURELESS_BYTES 16 /* without the features, too */
#define STORE_REPORT_PREFIX_BYTES   8  /* before a kernel's key in one of reports */
#define STORE_TRIAL_KEY_BYTES       (STORE_KEY_BYTES + 4 + SCHEDULE_TEXT_BYTES) /* at most */

/* rekey.c: brings the records of format 1, by card, under the classes of those cards. 0, or what
 * store_commit answered: nothing is lost, and the next opening goes on. */
int store_rekey(struct store *store);

int store_error(int lmdb); /* LMDB's answer as ours */
