/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer cache: a chained hash table whose entries are also on a list by last use. Invariant:
 * every entry is in one chain and on the list, and `bytes` is the sum over the list.
 */
#include "daemon/net/lru.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 512u /* a power of two */

struct entry {
	struct entry *chain_next;
	struct entry *newer, *older;
	void *value;
	size_t bytes, key_bytes;
	uint64_t hash;
	char key[];
};

struct lru {
	struct lru_options options;
	uint64_t version;
	size_t bytes;
	uint32_t count;
	struct entry *newest, *oldest;
	struct entry *chains[CHAINS];
};

int lru_create(const struct lru_options *options, struct lru **ret_lru)
{
	struct lru *lru = calloc(1, sizeof *lru);

	if (!lru)
		return -ENOMEM;
	lru->options = *options;
	*ret_lru = lru;
	return 0;
}

static void list_take(struct lru *lru, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &lru->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &lru->oldest) = entry->newer;
}

static void list_add(struct lru *lru, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = lru->newest;
	*(lru->newest ? &lru->newest->newer : &lru->oldest) = entry;
	lru->newest = entry;
}

static uint64_t hash_of(const struct lru_key *key)
{
	return hash_mix(hash_bytes(HASH_SEED, key->data, key->bytes));
}

/* Where the chain of this hash points to the key's entry, or to nothing. */
static struct entry **chain_slot(struct lru *lru, uint64_t hash, const struct lru_key *key)
{
	struct entry **slot = &lru->chains[hash & (CHAINS - 1)];

	for (; *slot; slot = &(*slot)->chain_next)
		if ((*slot)->hash == hash && (*slot)->key_bytes == key->bytes &&
		        !memcmp((*slot)->key, key->data, key->bytes))
			break;
	return slot;
}

static void drop(struct lru *lru, struct entry *entry)
{
	const struct lru_key key = {lru->version, entry->key, entry->key_bytes};
	struct entry **slot = chain_slot(lru, entry->hash, &key);

	*slot = entry->chain_next;
	list_take(lru, entry);
	lru->bytes -= entry->bytes;
	lru->count--;
	lru->options.release(entry->value);
	free(entry);
}

static void empty_if_old(struct lru *lru, uint64_t version)
{
	if (lru->version == version)
		return;
	while (lru->oldest)
		drop(lru, lru->oldest);
	lru->version = version;
}

void lru_destroy(struct lru *lru)
{
	if (!lru)
		return;
	while (lru->oldest)
		drop(lru, lru->oldest);
	free(lru);
}

void *lru_get(struct lru *lru, const struct lru_key *key)
{
	empty_if_old(lru, key->version);
	struct entry *entry = *chain_slot(lru, hash_of(key), key);

	if (!entry)
		return NULL;
	if (lru->newest != entry) {
		list_take(lru, entry);
		list_add(lru, entry);
	}
	return entry->value;
}

static struct entry *entry_create(const struct lru_key *key, void *value, size_t value_bytes)
{
	struct entry *entry = malloc(sizeof *entry + key->bytes);

	if (!entry)
		return NULL;
	entry->hash = hash_of(key);
	entry->value = value;
	entry->bytes = value_bytes + key->bytes;
	entry->key_bytes = key->bytes;
	memcpy(entry->key, key->data, key->bytes);
	return entry;
}

int lru_put(struct lru *lru, const struct lru_key *key, void *value, size_t value_bytes)
{
	empty_if_old(lru, key->version);
	struct entry *entry = value_bytes + key->bytes <= lru->options.bytes_max
	                              ? entry_create(key, value, value_bytes)
	                              : NULL;
	if (!entry) {
		lru->options.release(value);
		return -ENOMEM;
	}
	struct entry **slot = chain_slot(lru, entry->hash, key);
	if (*slot)
		drop(lru, *slot);
	while (lru->oldest && (lru->count >= lru->options.entries_max ||
	                              lru->bytes + entry->bytes > lru->options.bytes_max))
		drop(lru, lru->oldest);
	slot = &lru->chains[entry->hash & (CHAINS - 1)];
	entry->chain_next = *slot;
	*slot = entry;
	list_add(lru, entry);
	lru->bytes += entry->bytes;
	lru->count++;
	return 0;
}
