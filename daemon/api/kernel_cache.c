/* SPDX-License-Identifier: Apache-2.0
 *
 * A direct-mapped cache: an entry's place follows from its key's hash, and a newer one takes the
 * place over. Invariant: what kernel_cache_get returns was put under exactly this key and version.
 */
#include "daemon/api/kernel_cache.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>

#define CACHE_ENTRIES    256
#define CACHE_TEXT_BYTES (256u << 10) /* larger artifacts are not worth the memory */

struct entry {
	char op[OP_TEXT_BYTES];
	uint64_t device, version;
	uint32_t features;
	enum target target;
	uint64_t runs;
	char *text; /* NULL: free */
	size_t length;
};
struct kernel_cache {
	struct entry entries[CACHE_ENTRIES];
};

int kernel_cache_create(struct kernel_cache **ret_cache)
{
	struct kernel_cache *cache = calloc(1, sizeof *cache);

	if (!cache)
		return -ENOMEM;
	*ret_cache = cache;
	return 0;
}

void kernel_cache_destroy(struct kernel_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < CACHE_ENTRIES; i++)
		free(cache->entries[i].text);
	free(cache);
}

static size_t place(const struct kernel_cache_key *key)
{
	uint64_t hash = hash_bytes(HASH_SEED, key->op, strlen(key->op));

	return hash_mix(hash ^ key->device ^ (uint64_t)key->features << 8 ^ key->target ^
	                key->runs << 16) %
	       CACHE_ENTRIES;
}

const char *kernel_cache_get(const struct kernel_cache *cache, const struct kernel_cache_key *key,
        uint64_t version, size_t *ret_length)
{
	const struct entry *entry = &cache->entries[place(key)];

	if (!entry->text || entry->version != version || entry->device != key->device ||
	        entry->features != key->features || entry->target != key->target ||
	        entry->runs != key->runs || strcmp(entry->op, key->op))
		return NULL;
	*ret_length = entry->length;
	return entry->text;
}

void kernel_cache_put(struct kernel_cache *cache, const struct kernel_cache_key *key,
        uint64_t version, const char *text, size_t length)
{
	struct entry *entry = &cache->entries[place(key)];
	char *copy = length <= CACHE_TEXT_BYTES ? malloc(length + 1) : NULL;

	free(entry->text);
	*entry = (struct entry){0};
	if (!copy)
		return;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*entry = (struct entry){
	        .device = key->device,
	        .version = version,
	        .features = key->features,
	        .target = key->target,
	        .runs = key->runs,
	        .text = copy,
	        .length = length,
	};
	strncpy(entry->op, key->op, sizeof entry->op - 1);
}
