/* SPDX-License-Identifier: Apache-2.0
 *
 * For this room: a member's row as its reader sees it, and the kinds that are lists of numbers
 * (lists.c).
 */
#pragma once

#include "protocol/wire/message.h"

#include <errno.h>

/* A member's row. */
struct rule {
	const char *name;
	uint64_t most;
	const char *must;
};

static inline int refuse(const struct rule *rule, struct error *err)
{
	return error_set(err, -EBADMSG, rule->name, "%s must be %s", rule->name, rule->must);
}

/* False when memory ran out; takes over `value`. */
static inline bool put(json_t *object, const char *name, json_t *value)
{
	return !json_object_set_new(object, name, value);
}

#define LIST(kind)                                                     \
	int read_##kind(const json_t *object, const struct rule *rule, \
	        WIRE_TYPE_##kind *ret_value, struct error *err);       \
	bool write_##kind(json_t *object, const char *name, const WIRE_TYPE_##kind *value);
LIST(CANDIDATES)
LIST(DIMS)
LIST(SAMPLES)
#undef LIST
