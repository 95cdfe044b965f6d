/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers ready as JSON text, so that a stored kernel is answered without touching its record or
 * the generator.
 */
#pragma once

#include "protocol/protocol.h"

struct text_key {
	const char *op; /* canonical text */
	uint64_t device;
	uint32_t features, tier; /* as asked */
	uint64_t binding_bytes;
	enum target target;
	uint64_t runs;    /* that it is chosen for; 0: as many as can be */
	uint64_t version; /* of what the tuner knows */
	uint64_t audience;
};

struct text_cache;
int text_cache_create(struct text_cache **ret_cache); /* -ENOMEM */
void text_cache_destroy(struct text_cache *cache);    /* NULL is fine */
struct text_value {
	const char *text;
	size_t length;
	uint32_t features, tier; /* of the stored kernel that was served */
};
/* What was put under this key, the text borrowed until the next text_cache_put; or false. */
bool text_cache_get(
        const struct text_cache *cache, const struct text_key *key, struct text_value *ret_value);
/* Copies the text; forgetting an older entry, or this one when memory is short, is no failure. */
void text_cache_put(
        struct text_cache *cache, const struct text_key *key, const struct text_value *value);
