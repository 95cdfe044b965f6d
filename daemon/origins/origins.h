/* SPDX-License-Identifier: Apache-2.0
 *
 * Which web pages may use this machine's devices. Those of this machine itself may; those that the
 * configuration or the device's owner approved may; any other https origin waits, as pending, for
 * the owner to decide; the rest never may. One thread; calls come from the loop.
 */
#pragma once

#include "base/error.h"
#include "daemon/origins/origin.h"
#include "daemon/origins/secrets.h"

struct origins;
struct store;

/* configured: https origins with spaces between, or NULL; read once. -EINVAL: one of them is none,
 * named in err; -ENOMEM, -EIO. The store is borrowed, NULL: decisions last as long as the process.
 */
int origins_create(struct store *store, const char *configured, struct origins **ret_origins,
        struct error *err);
void origins_destroy(struct origins *origins); /* NULL is fine */

enum origin_verdict {
	ORIGIN_SERVED,
	ORIGIN_PENDING, /* may ask again once the owner agrees */
	ORIGIN_DENIED,  /* by the owner */
	ORIGIN_NEVER,   /* see ORIGIN_UNFIT */
};
/* What is due to a request of a page of this origin, as its Origin field has it. An unknown one is
 * pending from here on. */
enum origin_verdict origins_judge(struct origins *origins, const char *text, size_t length);

/* Whether pages of this origin are served now; asking so changes nothing. */
bool origins_serves(const struct origins *origins, const char *text);

/* ---- For the owner. */
enum origin_decision {
	ORIGIN_APPROVE,      /* for good */
	ORIGIN_APPROVE_ONCE, /* until this process ends; a denial for good holds again then */
	ORIGIN_DENY,   /* for good, also of what the configuration lists and of this machine's */
	ORIGIN_REVOKE, /* as if nothing had been decided */
};
/* 0 also where it was so before; -EINVAL: no origin that could be served, or an approval that is
 * not needed; -ENOENT: nothing was decided, so nothing can be revoked; -EPERM: the configuration
 * lists it; -ENOSPC: too many decisions; -ENOMEM, -EIO: the store failed, nothing is changed. */
int origins_decide(struct origins *origins, const char *text, enum origin_decision decision);

enum origin_status { ORIGIN_IS_PENDING, ORIGIN_IS_APPROVED, ORIGIN_IS_DENIED };
enum origin_kept { ORIGIN_KEPT_ALWAYS, ORIGIN_KEPT_ONCE, ORIGIN_KEPT_CONFIGURED };
struct origin_row {
	const char *origin; /* valid within the call */
	enum origin_status status;
	enum origin_kept kept; /* of one that is not pending */
	uint64_t since_s;      /* Unix time: decided, or of a pending one first asked */
	uint64_t heard_s;      /* of a pending one: last asked */
	uint32_t requests;     /* likewise */
};
void origins_each(struct origins *origins,
        void (*each)(void *context, const struct origin_row *row), void *context);

/* Hears of every origin that was served and is so no longer. One listener; NULL: none. */
void origins_listen(
        struct origins *origins, void (*lost)(void *context, const char *origin), void *context);

/* ---- The owner's secret, for /admin. */
int origins_secret_create(struct origins *origins, char ret_text[static SECRET_TEXT_BYTES]);
bool origins_secret_check(const struct origins *origins, const char *text, size_t length);
