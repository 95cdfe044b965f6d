/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole look at a database file by a process of its own, so that a disk that answers slowly, or
 * with a signal, does neither to the daemon.
 */
#pragma once

#include "daemon/store/pages.h"

#include <sys/types.h>

struct check_finding {
	char why[PAGES_WHY_BYTES]; /* what is damaged; "": nothing */
	uint32_t unsound;          /* records that do not check out: they count as absent */
};

struct check;
/* Of data.mdb in the folder. -ENOMEM, or why no process could be made. */
int check_begin(int folder, struct check **ret_check);
/* Readable once the check has ended. */
int check_fd(const struct check *check);
/* Waits that long at most. Whether it has ended. */
bool check_wait(struct check *check, int ms);
/* After it has ended. Frees it. */
struct check_finding check_end(struct check *check);
void check_drop(struct check *check); /* stops it; NULL is fine */
