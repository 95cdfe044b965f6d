/* SPDX-License-Identifier: Apache-2.0
 *
 * The jobs that were queued and have not ended, so that a restart takes them up again.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"

#include <errno.h>
#include <string.h>

int store_put_job(
        struct store *store, const struct store_key *key, const char *op_text, uint32_t priority)
{
	AUTO(buffer_free) struct buffer record = {0};
	uint8_t bytes[STORE_KEY_BYTES];

	store_key_encode(key, bytes);
	record_begin(&record, RECORD_JOB);
	record_put_text(&record, op_text, strlen(op_text));
	record_put_u32(&record, priority);
	return store_put(store, STORE_JOBS, (struct store_bytes){bytes, sizeof bytes}, &record);
}

int store_delete_job(struct store *store, const struct store_key *key)
{
	uint8_t bytes[STORE_KEY_BYTES];

	store_key_encode(key, bytes);
	struct store_edit edit = {STORE_JOBS, {bytes, sizeof bytes}, {NULL, 0}};
	return store_commit(store, &edit, 1);
}

struct each_job {
	bool (*each)(
	        void *context, const struct store_key *key, const char *op_text, uint32_t priority);
	void *context;
};

static bool show(void *context, struct store_bytes key, struct store_bytes value)
{
	const struct each_job *to = context;
	struct record_reader reader;
	struct store_key found;
	char op[OP_TEXT_BYTES];

	if (key.bytes != STORE_KEY_BYTES || record_open(key, value, RECORD_JOB, &reader))
		return true;
	record_get_text(&reader, op, sizeof op);
	uint32_t priority = record_get_u32(&reader);
	if (record_close(&reader))
		return true;
	store_key_decode(key.data, &found);
	return to->each(to->context, &found, op, priority);
}

int store_each_job(struct store *store,
        bool (*each)(
                void *context, const struct store_key *key, const char *op_text, uint32_t priority),
        void *context)
{
	struct each_job to = {each, context};

	return store_scan(store, STORE_JOBS, (struct store_bytes){0}, show, &to);
}
