/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a store: the environment, then the format of the whole, which is written once, brought up
 * to date where it is older, and refused where it is newer. Invariant: a store that this file let
 * pass has all its records in today's format.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/store/environment.h"
#include "daemon/store/record.h"

#include <errno.h>
#include <string.h>

#define FORMAT 2u /* 1: keys with the id of a card in the place of its class */

static const struct store_bytes format_key = {"format", 6}, moving_key = {"moving", 6};

static bool read_u32(void *context, struct store_bytes key, struct store_bytes value)
{
	struct record_reader reader;

	if (!record_open(key, value, RECORD_META, &reader))
		*(uint32_t *)context = record_get_u32(&reader);
	return false;
}

/* Before the first record moves the format says so, lest an older nnjitd takes half for the whole.
 */
static int begin_moving(struct store *store)
{
	AUTO(buffer_free) struct buffer format = {0}, moving = {0};

	record_begin(&format, RECORD_META);
	record_put_u32(&format, FORMAT);
	record_begin(&moving, RECORD_META);
	record_put_u32(&moving, 1);
	int code = record_seal(&format, format_key);
	if (!code)
		code = record_seal(&moving, moving_key);
	struct store_edit edits[] = {
	        {STORE_META, format_key, {format.data, format.length}},
	        {STORE_META, moving_key, {moving.data, moving.length}},
	};
	return code ? code : store_commit(store, edits, 2);
}

static int move_records(struct store *store)
{
	const struct store_edit moved = {.table = STORE_META, .key = moving_key};
	int code = store_rekey(store);

	return code ? code : store_commit(store, &moved, 1);
}

static int begin_format(struct store *store)
{
	AUTO(buffer_free) struct buffer record = {0};

	record_begin(&record, RECORD_META);
	record_put_u32(&record, FORMAT);
	return store_put(store, STORE_META, format_key, &record);
}

static int check_format(struct store *store, const char *path, struct error *err)
{
	uint32_t format = 0, moving = 0;
	int code = store_scan(store, STORE_META, format_key, read_u32, &format);

	if (!code && format > FORMAT)
		return error_set(err, -EIO, "state-dir",
		        "The state folder %s was written by a newer nnjitd (format %u, this one "
		        "knows "
		        "%u); update, or choose another with --state-dir.",
		        path, format, FORMAT);
	if (!code && !format)
		return begin_format(store);
	if (!code && format < FORMAT)
		code = begin_moving(store);
	if (!code)
		code = store_scan(store, STORE_META, moving_key, read_u32, &moving);
	if (!code && moving)
		code = move_records(store);
	if (code)
		return error_set(err, code, "state-dir",
		        "The records in the state folder %s cannot be brought to this nnjitd's "
		        "format: %s; none is lost: mend that and start it again, or choose another "
		        "with --state-dir.",
		        path, strerror(-code));
	return 0;
}

int store_open(const char *state_dir, struct store **ret_store, struct error *err)
{
	struct store *store;
	int code = environment_open(state_dir, &store, err);

	if (code)
		return code;
	code = check_format(store, state_dir, err);
	if (code)
		store_close(store);
	else
		*ret_store = store;
	return code;
}
