/* SPDX-License-Identifier: Apache-2.0
 *
 * Format 1 of the store had the id of one card where keys now have its class. When such a store is
 * opened, each record of a known device moves under its class: the same bytes under another key,
 * sealed anew. Records of devices that the store does not describe stay where they are. Invariant:
 * every step is a whole transaction that may be repeated, so that a crash on the way loses nothing.
 */
#include "daemon/store/environment.h"
#include "daemon/store/record.h"
#include "base/buffer.h"
#include "device/class.h"
#include "protocol/wire/wire.h"

#include <errno.h>
#include <string.h>

#define BATCH 128 /* records that move in one transaction */

/* A table's keys, and where the device stands in them. */
struct keyed {
	enum store_table table;
	enum record_kind kind;
	uint32_t device_at;
};
static const struct keyed keyed[] = {
        {STORE_KERNELS, RECORD_KERNEL, 0},
        {STORE_TRIALS, RECORD_TRIAL, 0},
        {STORE_JOBS, RECORD_JOB, 0},
        {STORE_REPORTS, RECORD_REPORT, STORE_REPORT_PREFIX_BYTES},
};

struct move {
	uint8_t from[STORE_TRIAL_KEY_BYTES], to[STORE_TRIAL_KEY_BYTES];
	size_t key_bytes;
	struct buffer record;
};

struct rekeying {
	struct store *store;
	const struct keyed *keyed;
	uint64_t device, class;
	int failure;
	uint32_t count;
	struct move moves[BATCH];
};

static bool has_record(void *context, struct store_bytes key, struct store_bytes value)
{
	(void)key, (void)value;
	*(bool *)context = true;
	return false;
}

/* Two equal cards share a class: of their records the one that came first stays. */
static bool is_taken(const struct rekeying *r, const struct move *move)
{
	struct store_bytes key = {move->to, move->key_bytes};
	bool taken = false;

	(void)store_scan(r->store, r->keyed->table, key, has_record, &taken);
	return taken;
}

static bool collect(void *context, struct store_bytes key, struct store_bytes value)
{
	struct rekeying *r = context;
	struct move *move = &r->moves[r->count];
	const uint8_t *bytes = key.data;
	uint32_t at = r->keyed->device_at;
	struct record_reader reader;

	if (key.bytes < at + 8 || key.bytes > sizeof move->from ||
	        record_decode_u64(bytes + at) != r->device ||
	        record_open(key, value, r->keyed->kind, &reader))
		return true;
	memcpy(move->from, bytes, key.bytes);
	memcpy(move->to, bytes, key.bytes);
	record_encode_u64(move->to + at, r->class);
	move->key_bytes = key.bytes;
	buffer_clear(&move->record);
	buffer_append(&move->record, value.data, value.bytes);
	r->failure = record_seal(&move->record, (struct store_bytes){move->to, move->key_bytes});
	if (!r->failure)
		r->count++;
	return !r->failure && r->count < BATCH;
}

static int commit(struct rekeying *r)
{
	struct store_edit edits[2 * BATCH];
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		struct move *move = &r->moves[i];
		struct store_bytes from = {move->from, move->key_bytes};
		edits[count++] = (struct store_edit){.table = r->keyed->table, .key = from};
		if (!is_taken(r, move))
			edits[count++] = (struct store_edit){r->keyed->table,
			        {move->to, move->key_bytes},
			        {move->record.data, move->record.length}};
	}
	return store_commit(r->store, edits, count);
}

/* All records of one device in one table, batch by batch: what has moved is not met again. */
static int move_all(struct rekeying *r)
{
	uint8_t id[8];
	struct store_bytes prefix = {id, r->keyed->device_at ? 0 : sizeof id};
	int code;

	record_encode_u64(id, r->device);
	do {
		r->count = 0;
		r->failure = 0;
		code = store_scan(r->store, r->keyed->table, prefix, collect, r);
		if (!code)
			code = r->failure;
		if (!code && r->count)
			code = commit(r);
	} while (!code && r->count);
	return code;
}

#define CARDS_MAX 64
struct cards {
	uint32_t count;
	struct {
		uint64_t device, class;
	} rows[CARDS_MAX];
};

/* Reads what makes a class and nothing else: a worker of then told less than one of today. */
static bool list_device(void *context, uint64_t device, const json_t *object)
{
	struct cards *list = context;
	const json_t *vendor = json_object_get(object, "vendor_id");
	const json_t *number = json_object_get(object, "device_id");
	const json_t *stated = json_object_get(object, "limits");
	struct limits limits;

	if (!json_is_integer(vendor) || !json_is_integer(number) || !json_is_object(stated))
		return true;
	wire_limits_parse(stated, json_object_get(object, "features"), &limits);
	list->rows[list->count].device = device;
	list->rows[list->count++].class = device_class((uint32_t)json_integer_value(vendor),
	        (uint32_t)json_integer_value(number), &limits);
	return list->count < CARDS_MAX;
}

int store_rekey(struct store *store)
{
	struct cards list = {0};
	struct rekeying *r = calloc(1, sizeof *r);
	int code = r ? store_each_device(store, list_device, &list) : -ENOMEM;

	for (uint32_t i = 0; !code && i < list.count; i++) {
		for (size_t table = 0; !code && table < sizeof keyed / sizeof *keyed; table++) {
			r->store = store;
			r->keyed = &keyed[table];
			r->device = list.rows[i].device;
			r->class = list.rows[i].class;
			code = move_all(r);
		}
	}
	for (uint32_t i = 0; r && i < BATCH; i++)
		buffer_free(&r->moves[i].record);
	free(r);
	return code;
}
