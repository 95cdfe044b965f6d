/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks the pages of a database file without LMDB, which trusts what it maps: a flipped bit there
 * is a crash, or another record overwritten later. Reads nothing outside of the bytes that it is
 * given.
 */
#pragma once

#include "daemon/store/record.h"

#define PAGES_WHY_BYTES 120

enum pages_answer {
	PAGES_DAMAGED = 1,
	PAGES_UNKNOWN, /* LMDB lays pages out in another way here: nothing is said of them */
};

/* Called for every record of every table, in the order of tables and keys. */
typedef void pages_each(
        void *context, const char *table, struct store_bytes key, struct store_bytes value);

/* 0: LMDB may read and write these tables; every page has one owner, every key its place, and all
 * that LMDB counts adds up. Or a pages_answer, with `why` for DAMAGED. -ENOMEM. */
int pages_check(const void *file, size_t bytes, pages_each *each, void *context,
        char ret_why[static PAGES_WHY_BYTES]);

/* The number of the last transaction in the file; 0 where none can be read. Changes with every
 * commit. */
uint64_t pages_transaction(int fd);
