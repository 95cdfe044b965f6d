/* SPDX-License-Identifier: Apache-2.0
 *
 * A direct-mapped cache: an entry's slot follows from its key's hash without the version, and a
 * newer entry takes the slot over. Must not know what a text says. Invariant: what text_cache_get
 * returns was put under exactly this key.
 */
#include "daemon/kernel/text_cache.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>

#define CACHE_ENTRIES 256
#define CACHED_BYTES  (256u << 10) /* larger artifacts are not worth the memory */

struct entry {
	char op[OP_TEXT_BYTES];
	struct text_key key;     /* its op is the one above */
	char *text;              /* NULL: free */
	struct text_value value; /* its text is the one above */
};
struct text_cache {
	struct entry entries[CACHE_ENTRIES];
};

int text_cache_create(struct text_cache **ret_cache)
{
	struct text_cache *cache = calloc(1, sizeof *cache);

	if (!cache)
		return -ENOMEM;
	*ret_cache = cache;
	return 0;
}

void text_cache_destroy(struct text_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < CACHE_ENTRIES; i++)
		free(cache->entries[i].text);
	free(cache);
}

static size_t slot_of(const struct text_key *key)
{
	uint64_t hash = hash_bytes(HASH_SEED, key->op, strlen(key->op));

	return hash_mix(hash ^ key->device ^ (uint64_t)key->features << 8 ^ key->target ^
	                key->runs << 16 ^ (uint64_t)key->tier << 40 ^ key->binding_bytes ^
	                key->audience) %
	       CACHE_ENTRIES;
}

static bool same(const struct text_key *a, const struct text_key *b)
{
	return a->version == b->version && a->device == b->device && a->features == b->features &&
	       a->tier == b->tier && a->binding_bytes == b->binding_bytes &&
	       a->target == b->target && a->runs == b->runs && a->audience == b->audience &&
	       !strcmp(a->op, b->op);
}

bool text_cache_get(
        const struct text_cache *cache, const struct text_key *key, struct text_value *ret_value)
{
	const struct entry *entry = &cache->entries[slot_of(key)];

	if (!entry->text || !same(&entry->key, key))
		return false;
	*ret_value = entry->value;
	return true;
}

void text_cache_put(
        struct text_cache *cache, const struct text_key *key, const struct text_value *value)
{
	struct entry *entry = &cache->entries[slot_of(key)];
	char *copy = value->length <= CACHED_BYTES ? malloc(value->length + 1) : NULL;

	free(entry->text);
	*entry = (struct entry){0};
	if (!copy)
		return;
	memcpy(copy, value->text, value->length);
	copy[value->length] = '\0';
	snprintf(entry->op, sizeof entry->op, "%s", key->op);
	entry->key = *key;
	entry->key.op = entry->op;
	entry->text = copy;
	entry->value = *value;
	entry->value.text = copy;
}
