/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of pending origins. Hashes stand in arrays of their own, so that a look over thousands
 * of entries touches little memory; equal hashes are compared by text, because a page may choose
 * its origin. Must not decide anything. Invariant: entries stand in the order in which they asked
 * first, and count, bytes and each site's part keep their bounds.
 */
#include "daemon/origins/pending.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SWEEP_S        60u
#define OVERHEAD_BYTES 48 /* of an entry beside its text: hashes, pointer, the heap's own */

struct asker {
	uint64_t asked_s, heard_s;
	uint32_t requests;
	uint16_t site_at, site_bytes; /* within text */
	char text[];
};
struct pending {
	uint64_t hashes[PENDING_MAX], sites[PENDING_MAX]; /* of askers[i]: its text, its site */
	struct asker *askers[PENDING_MAX];
	uint32_t count;
	size_t bytes;
	uint64_t swept_s, random;
};

int pending_create(struct pending **ret_pending)
{
	struct pending *pending = calloc(1, sizeof *pending);

	if (!pending)
		return -ENOMEM;
	if (getrandom(&pending->random, sizeof pending->random, GRND_NONBLOCK) < 0)
		pending->random = (uintptr_t)pending;
	*ret_pending = pending;
	return 0;
}

void pending_destroy(struct pending *pending)
{
	if (!pending)
		return;
	for (uint32_t i = 0; i < pending->count; i++)
		free(pending->askers[i]);
	free(pending);
}

/* ---- Leaving. */

static size_t asker_bytes(const struct asker *asker)
{
	return sizeof *asker + strlen(asker->text) + 1 + OVERHEAD_BYTES;
}

static void drop(struct pending *pending, uint32_t i)
{
	size_t behind = pending->count - i - 1;

	pending->bytes -= asker_bytes(pending->askers[i]);
	free(pending->askers[i]);
	memmove(&pending->askers[i], &pending->askers[i + 1], behind * sizeof *pending->askers);
	memmove(&pending->hashes[i], &pending->hashes[i + 1], behind * sizeof *pending->hashes);
	memmove(&pending->sites[i], &pending->sites[i + 1], behind * sizeof *pending->sites);
	pending->count--;
}

static void sweep(struct pending *pending, uint64_t now_s)
{
	if (now_s < pending->swept_s + SWEEP_S)
		return;
	pending->swept_s = now_s;
	for (uint32_t i = pending->count; i--;)
		if (now_s >= pending->askers[i]->heard_s + PENDING_S)
			drop(pending, i);
}

/* ---- Finding. */

static uint64_t text_hash(const char *text, size_t bytes)
{
	return hash_mix(hash_bytes(HASH_SEED, text, bytes));
}

static int64_t find(const struct pending *pending, const char *text)
{
	uint64_t hash = text_hash(text, strlen(text));

	for (uint32_t i = 0; i < pending->count; i++)
		if (pending->hashes[i] == hash && !strcmp(pending->askers[i]->text, text))
			return i;
	return -1;
}

static bool same_site(const struct asker *a, const struct asker *b)
{
	return a->site_bytes == b->site_bytes &&
	       !memcmp(a->text + a->site_at, b->text + b->site_at, a->site_bytes);
}

/* ---- Room. */

static void make_room_in_site(struct pending *pending, const struct asker *asker, uint64_t site)
{
	uint32_t others = 0, oldest = 0;

	for (uint32_t i = 0; i < pending->count; i++) {
		if (pending->sites[i] != site || !same_site(pending->askers[i], asker))
			continue;
		if (!others++ || pending->askers[i]->heard_s < pending->askers[oldest]->heard_s)
			oldest = i;
	}
	if (others >= PENDING_OF_SITE)
		drop(pending, oldest);
}

static uint32_t by_chance(struct pending *pending, uint32_t below)
{
	pending->random = hash_mix(pending->random + 0x9e3779b97f4a7c15u);
	return (uint32_t)(pending->random % below);
}

static void make_room(struct pending *pending, size_t bytes)
{
	while (pending->count == PENDING_MAX || pending->bytes + bytes > PENDING_BYTES) {
		uint32_t old = pending->count / 2;
		drop(pending, old + by_chance(pending, pending->count - old));
	}
}

static struct asker *asker_create(const struct origin *origin, uint64_t now_s)
{
	size_t bytes = strlen(origin->text) + 1;
	struct asker *asker = malloc(sizeof *asker + bytes);

	if (!asker)
		return NULL;
	*asker = (struct asker){.asked_s = now_s, .heard_s = now_s, .requests = 1};
	origin_site(origin, &asker->site_at, &asker->site_bytes);
	memcpy(asker->text, origin->text, bytes);
	return asker;
}

bool pending_ask(struct pending *pending, const struct origin *origin, uint64_t now_s)
{
	int64_t known = find(pending, origin->text);

	if (known >= 0) {
		struct asker *asker = pending->askers[known];
		asker->heard_s = now_s;
		asker->requests += asker->requests < UINT32_MAX;
		return false;
	}
	struct asker *asker = asker_create(origin, now_s);
	if (!asker)
		return false;
	uint64_t site = text_hash(asker->text + asker->site_at, asker->site_bytes);
	sweep(pending, now_s);
	make_room_in_site(pending, asker, site);
	make_room(pending, asker_bytes(asker));
	pending->hashes[pending->count] = text_hash(asker->text, strlen(asker->text));
	pending->sites[pending->count] = site;
	pending->bytes += asker_bytes(asker);
	pending->askers[pending->count++] = asker;
	return true;
}

void pending_forget(struct pending *pending, const char *text)
{
	int64_t known = find(pending, text);

	if (known >= 0)
		drop(pending, (uint32_t)known);
}

void pending_each(struct pending *pending, uint64_t now_s,
        void (*each)(void *context, const struct pending_row *row), void *context)
{
	pending->swept_s = 0;
	sweep(pending, now_s);
	for (uint32_t i = 0; i < pending->count; i++) {
		const struct asker *asker = pending->askers[i];
		each(context, &(struct pending_row){asker->text, asker->asked_s, asker->heard_s,
		                      asker->requests});
	}
}

uint32_t pending_count(const struct pending *pending)
{
	return pending->count;
}
