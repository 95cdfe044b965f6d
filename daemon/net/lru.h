/* SPDX-License-Identifier: Apache-2.0
 *
 * A small cache of finished answers by key, least recently used out first. All entries belong to
 * one version of the world: another version empties it. Knows nothing of what it holds.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct lru;
struct lru_options {
	uint32_t entries_max;
	size_t bytes_max; /* of keys and values, as told to lru_put */
	void (*release)(void *value);
};
int lru_create(const struct lru_options *options, struct lru **ret_lru); /* -ENOMEM */
void lru_destroy(struct lru *lru); /* NULL is fine; releases every value */

struct lru_key {
	uint64_t version; /* of the world */
	const void *data; /* what tells entries of one version apart; copied where it is kept */
	size_t bytes;
};
/* The value, or NULL. It stays the cache's, valid until the next lru_get or lru_put. */
void *lru_get(struct lru *lru, const struct lru_key *key);
/* Hands a value over; whatever was under the key is released. If it cannot be kept (too large, no
 * memory) it is released at once: -ENOMEM. */
int lru_put(struct lru *lru, const struct lru_key *key, void *value, size_t value_bytes);
