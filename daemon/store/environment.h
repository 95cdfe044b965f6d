/* SPDX-License-Identifier: Apache-2.0
 *
 * The LMDB environment behind a store: one writer process, tables, transactions, room to grow.
 * The only header that names LMDB; what records mean is for the files beside it.
 */
#pragma once

#include "daemon/store/record.h"
#include "daemon/store/store.h"

#include <lmdb.h>

/* The tables, with their names in the environment. */
#define STORE_EACH_TABLE(TABLE)   \
	TABLE(META, "meta")       \
	TABLE(KERNELS, "kernels") \
	TABLE(TRIALS, "trials")   \
	TABLE(DEVICES, "devices") \
	TABLE(JOBS, "jobs")       \
	TABLE(REPORTS, "reports")
enum store_table {
#define VALUE(name, text) STORE_##name,
	STORE_EACH_TABLE(VALUE)
#undef VALUE
	        STORE_TABLES
};

struct store {
	MDB_env *env;
	MDB_dbi table[STORE_TABLES];
	int lock;         /* descriptor of the lock file, -1 while not held */
	uint32_t readers; /* open read transactions: the map must not move under them */
	uint32_t writes;  /* since the last look for dead readers */
};

/* The folder made and locked, the environment and its tables opened; as store_open. */
int environment_open(const char *state_dir, struct store **ret_store, struct error *err);

/* One durable transaction. value.data NULL deletes, which is fine where there is nothing. */
struct store_edit {
	enum store_table table;
	struct store_bytes key, value;
};
/* 0, -ENOSPC (nothing is changed), -ENOMEM, -EIO. */
int store_commit(struct store *store, const struct store_edit *edits, uint32_t count);

/* Seals one record and commits it alone. */
int store_put(
        struct store *store, enum store_table table, struct store_bytes key, struct buffer *record);

/* Calls each for every record whose key starts with `prefix`, in key order, until it returns
 * false. Key and value are valid within the call. Writing from within the call is allowed. */
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
