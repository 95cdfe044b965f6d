/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices, as the JSON objects that the worker reported, in compact text with sorted members
 * so that the same device is the same bytes.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"

#include <errno.h>
#include <string.h>

int store_put_device(struct store *store, uint64_t device, const json_t *object)
{
	AUTO(buffer_free) struct buffer record = {0};
	AUTO(free_pointer) char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	uint8_t key[8];

	if (!text)
		return -ENOMEM;
	record_encode_u64(key, device);
	record_begin(&record, RECORD_DEVICE);
	record_put_text(&record, text, strlen(text));
	return store_put(store, STORE_DEVICES, (struct store_bytes){key, sizeof key}, &record);
}

struct each_device {
	bool (*each)(void *context, uint64_t device, const json_t *object);
	void *context;
};

static bool show(void *context, struct store_bytes key, struct store_bytes value)
{
	const struct each_device *to = context;
	struct record_reader reader;
	size_t bytes;

	if (key.bytes != 8 || record_open(key, value, RECORD_DEVICE, &reader))
		return true;
	const char *text = record_get_bytes(&reader, &bytes);
	json_t *object = record_close(&reader) ? NULL : json_loadb(text, bytes, 0, NULL);
	bool more = !object || to->each(to->context, record_decode_u64(key.data), object);
	json_decref(object);
	return more;
}

int store_each_device(struct store *store,
        bool (*each)(void *context, uint64_t device, const json_t *object), void *context)
{
	struct each_device to = {each, context};

	return store_scan(store, STORE_DEVICES, (struct store_bytes){0}, show, &to);
}
