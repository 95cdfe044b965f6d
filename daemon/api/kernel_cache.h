/* SPDX-License-Identifier: Apache-2.0
 *
 * Artifacts ready as JSON text, so that a stored kernel is answered without touching the store or
 * the generator.
 */
#pragma once

#include "protocol/protocol.h"

struct kernel_cache_key {
	const char *op; /* canonical text */
	uint64_t device;
	uint32_t features;
	enum target target;
	uint64_t runs; /* that it is chosen for; 0: as many as can be */
};

struct kernel_cache;
int kernel_cache_create(struct kernel_cache **ret_cache); /* -ENOMEM */
void kernel_cache_destroy(struct kernel_cache *cache);    /* NULL is fine */
/* The text put under this key at this version, or NULL. Borrowed until the next kernel_cache_put.
 */
const char *kernel_cache_get(const struct kernel_cache *cache, const struct kernel_cache_key *key,
        uint64_t version, size_t *ret_length);
/* Copies the text; forgetting an older entry, or this one when memory is short, is no failure. */
void kernel_cache_put(struct kernel_cache *cache, const struct kernel_cache_key *key,
        uint64_t version, const char *text, size_t length);
