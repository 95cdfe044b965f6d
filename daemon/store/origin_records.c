/* SPDX-License-Identifier: Apache-2.0
 *
 * What the device's owner decided about origins, by the origin's text. A record that does not check
 * out counts as no decision, so that its origin has to ask again.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"

#include <errno.h>
#include <string.h>

static struct store_bytes origin_key(const char *origin)
{
	return (struct store_bytes){origin, strlen(origin)};
}

int store_put_origin(struct store *store, const char *origin, const struct store_origin *value)
{
	AUTO(buffer_free) struct buffer record = {0};

	record_begin(&record, RECORD_ORIGIN);
	record_put_u8(&record, value->approved);
	record_put_u64(&record, value->decided_s);
	return store_put(store, STORE_ORIGINS, origin_key(origin), &record);
}

int store_delete_origin(struct store *store, const char *origin)
{
	const struct store_edit edit = {STORE_ORIGINS, origin_key(origin), {NULL, 0}};

	return store_commit(store, &edit, 1);
}

struct each_origin {
	bool (*each)(void *context, const char *origin, const struct store_origin *value);
	void *context;
};

static bool show(void *context, struct store_bytes key, struct store_bytes value)
{
	const struct each_origin *to = context;
	struct record_reader reader;
	struct store_origin found;
	char origin[STORE_ORIGIN_BYTES];

	if (key.bytes >= sizeof origin || record_open(key, value, RECORD_ORIGIN, &reader))
		return true;
	found.approved = record_get_u8(&reader);
	found.decided_s = record_get_u64(&reader);
	if (record_close(&reader))
		return true;
	memcpy(origin, key.data, key.bytes);
	origin[key.bytes] = '\0';
	return to->each(to->context, origin, &found);
}

int store_each_origin(struct store *store,
        bool (*each)(void *context, const char *origin, const struct store_origin *value),
        void *context)
{
	struct each_origin to = {each, context};

	return store_scan(store, STORE_ORIGINS, (struct store_bytes){0}, show, &to);
}
