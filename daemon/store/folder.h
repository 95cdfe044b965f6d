/* SPDX-License-Identifier: Apache-2.0
 *
 * The state folder: made, held against a second daemon, what was left in it, and where a database
 * goes that cannot be used.
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define STORE_FILE "data.mdb"

struct folder {
	char path[PATH_MAX];
	int fd;   /* of the folder, locked: -1 while it is not held */
	int lock; /* of the file `lock` in it; -1 where there can be none */
};

/* Makes the folder where it is not there, private to this user, and holds it until folder_leave. 0;
 * -EBUSY: another daemon has it; -ENOSPC or -EROFS: it is not there and cannot be made, which is
 * nobody's mistake; else the path is wrong. err says which and why. */
int folder_take(const char *path, struct folder *ret_folder, struct error *err);
void folder_leave(struct folder *folder); /* one not held is fine */

/* What the database was like when it was last closed, or is now. Zero: unknown. */
struct folder_print {
	uint64_t inode, bytes, changed_ns, modified_ns, transaction;
};
/* Of the open database now, but for its last transaction. */
struct folder_print folder_print(int fd);
bool folder_print_same(const struct folder_print *a, const struct folder_print *b);
/* As the file `lock` has it, if whoever wrote there last closed the database. */
struct folder_print folder_left(const struct folder *folder);
/* Says there that this process has the folder, or (print) that it closed the database so. A failure
 * costs a check at the next start. */
void folder_note(const struct folder *folder, const struct folder_print *print);

/* Renames the database to data.mdb.KIND-N, N one more than the last, of which few are kept. */
int folder_set_aside(const struct folder *folder, const char *kind, uint32_t *ret_number);

void folder_sync(const struct folder *folder); /* names survive a loss of power */
