/* SPDX-License-Identifier: Apache-2.0
 *
 * The origins that asked and that nobody has decided about yet: bounded in number, in bytes and by
 * site, one entry an origin however often it asks, forgotten a day after it was last heard.
 */
#pragma once

#include "daemon/origins/origin.h"

#define PENDING_MAX     4096 /* origins of all sites */
#define PENDING_OF_SITE 8
#define PENDING_BYTES   (512u << 10)
#define PENDING_S       86400u

struct pending;
int pending_create(struct pending **ret_pending); /* -ENOMEM */
void pending_destroy(struct pending *pending);    /* NULL is fine */

/* Takes down that the origin asks; times are seconds of any clock that goes forward. True if it is
 * new. Of a full site the origin heard of longest ago goes. Of a full table one of the younger half
 * goes, by chance: those who asked before a flood stay, and a flood cannot aim. */
bool pending_ask(struct pending *pending, const struct origin *origin, uint64_t now_s);
void pending_forget(struct pending *pending, const char *text); /* fine where there is none */

struct pending_row {
	const char *text; /* valid within the call */
	uint64_t asked_s, heard_s;
	uint32_t requests;
};
/* Calls each in the order in which they asked first. */
void pending_each(struct pending *pending, uint64_t now_s,
        void (*each)(void *context, const struct pending_row *row), void *context);
uint32_t pending_count(const struct pending *pending);
