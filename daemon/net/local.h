/* SPDX-License-Identifier: Apache-2.0
 *
 * The owner's door: a unix socket that speaks REST, one request a connection, with root, the user
 * that the daemon runs as, and the members of the group nnjit. No page can reach it.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LOCAL_GROUP "nnjit"

struct api;
struct local;
struct loop;
/* Makes the socket at `path` with mode 0660, of the group nnjit where that exists. -EADDRINUSE:
 * somebody answers there; -ENAMETOOLONG, -EACCES, -ENOMEM, -EIO; err says what to do. */
int local_create(struct loop *loop, struct api *api, const char *path, struct local **ret_local,
        struct error *err);
void local_destroy(struct local *local); /* NULL is fine; removes the socket */

/* Whether the process at the other end may come in: by its user, or by one of its groups. */
struct local_peer {
	uid_t user;
	const gid_t *groups; /* with the primary one */
	size_t group_count;
};
bool local_admits(const struct local_peer *peer, uid_t own, gid_t group); /* group -1: none */
