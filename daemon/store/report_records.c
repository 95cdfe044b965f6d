/* SPDX-License-Identifier: Apache-2.0
 *
 * What pages measured, an origin at a time: the key begins with a hash of the origin, then the
 * kernel's, so that no page's numbers stand under another's key. The origin's text is in the record
 * and compared. Of a full table the origin with most records gives one up, so that no number of
 * origins shuts out another. Invariant: an origin never has more than STORE_ORIGIN_KERNELS_MAX
 * records, nor all of them together more than STORE_REPORT_RECORDS_MAX.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"

#include "base/hash.h"
#include "protocol/metrics.h"

#include <errno.h>
#include <string.h>

#define ORIGIN_BYTES STORE_REPORT_PREFIX_BYTES
#define KEY_BYTES    (ORIGIN_BYTES + STORE_KEY_BYTES)

struct report_key {
	uint8_t bytes[KEY_BYTES];
};

static struct report_key report_key(const char *origin, const struct store_key *key)
{
	struct report_key to;

	record_encode_u64(to.bytes, hash_mix(hash_bytes(HASH_SEED, origin, strlen(origin))));
	store_key_encode(key, to.bytes + ORIGIN_BYTES);
	return to;
}

static void encode(struct buffer *record, const struct store_reports *reports)
{
	record_begin(record, RECORD_REPORT);
	record_put_text(record, reports->origin, strnlen(reports->origin, sizeof reports->origin));
	record_put_text(record, reports->op, strnlen(reports->op, sizeof reports->op));
	record_put_u32(record, reports->generation);
	record_put_u64(record, reports->heard);
	record_put_u32(record, reports->count);
	for (uint32_t i = 0; i < reports->count; i++) {
		const struct store_report *row = &reports->rows[i];
		record_put_text(
		        record, row->schedule, strnlen(row->schedule, sizeof row->schedule));
		record_put_f64(record, row->median_ns);
		record_put_f64(record, row->span_ns);
		record_put_f64(record, row->quantum_ns);
		record_put_u32(record, row->samples);
		record_put_u32(record, row->count);
		record_put_u64(record, row->heard);
	}
}

static int decode(struct store_bytes key, struct store_bytes value, struct store_reports *reports)
{
	struct record_reader reader;
	int code = record_open(key, value, RECORD_REPORT, &reader);

	if (code || key.bytes != KEY_BYTES)
		return -EBADMSG;
	record_get_text(&reader, reports->origin, sizeof reports->origin);
	record_get_text(&reader, reports->op, sizeof reports->op);
	reports->generation = record_get_u32(&reader);
	reports->heard = record_get_u64(&reader);
	reports->count = record_get_u32(&reader);
	if (reports->count > STORE_REPORTS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < reports->count; i++) {
		struct store_report *row = &reports->rows[i];
		record_get_text(&reader, row->schedule, sizeof row->schedule);
		row->median_ns = record_get_f64(&reader);
		row->span_ns = record_get_f64(&reader);
		row->quantum_ns = record_get_f64(&reader);
		row->samples = record_get_u32(&reader);
		row->count = record_get_u32(&reader);
		row->heard = record_get_u64(&reader);
	}
	return record_close(&reader);
}

/* ---- Reading. */

struct lookup {
	const char *origin, *op;
	bool found;
	struct store_reports *reports;
};

static bool look(void *context, struct store_bytes key, struct store_bytes value)
{
	struct lookup *lookup = context;
	const struct store_reports *reports = lookup->reports;

	lookup->found = !decode(key, value, lookup->reports) &&
	                !strcmp(reports->origin, lookup->origin) &&
	                !strcmp(reports->op, lookup->op) && reports->generation == nnjit_generation;
	return false;
}

int store_get_reports(struct store *store, const char *origin, const struct store_key *key,
        const char *op_text, struct store_reports *ret_reports)
{
	struct store_reports reports = {0};
	struct lookup lookup = {origin, op_text, false, &reports};
	struct report_key bytes = report_key(origin, key);
	struct store_bytes prefix = {bytes.bytes, KEY_BYTES};
	int code = store_scan(store, STORE_REPORTS, prefix, look, &lookup);

	if (code)
		return code;
	if (!lookup.found)
		return -ENOENT;
	*ret_reports = reports;
	return 0;
}

/* ---- Writing. */

struct census {
	uint32_t count;
	uint64_t oldest_heard;
	struct report_key oldest;
};

static bool take_census(void *context, struct store_bytes key, struct store_bytes value)
{
	struct census *census = context;
	struct store_reports reports = {0};
	bool intact = key.bytes == KEY_BYTES && !decode(key, value, &reports);

	census->count++;
	if (key.bytes == KEY_BYTES &&
	        (census->count == 1 || (intact ? reports.heard : 0) < census->oldest_heard)) {
		memcpy(census->oldest.bytes, key.data, KEY_BYTES);
		census->oldest_heard = intact ? reports.heard : 0;
	}
	return true;
}

static bool has_record(struct store *store, const struct report_key *key)
{
	struct census census = {0};
	struct store_bytes whole = {key->bytes, KEY_BYTES};

	return !store_scan(store, STORE_REPORTS, whole, take_census, &census) && census.count;
}

/* The origins with the most records: they stand together, as keys begin with an origin's hash. */
struct fullest {
	uint8_t run[ORIGIN_BYTES], origin[ORIGIN_BYTES];
	uint32_t run_count, count;
	uint64_t ties, random; /* of equals one is taken by chance: nobody is always the one */
};

static bool count_run(void *context, struct store_bytes key, struct store_bytes value)
{
	struct fullest *fullest = context;

	(void)value;
	if (key.bytes != KEY_BYTES)
		return true;
	if (memcmp(fullest->run, key.data, ORIGIN_BYTES))
		fullest->run_count = 0;
	memcpy(fullest->run, key.data, ORIGIN_BYTES);
	fullest->run_count++;
	if (fullest->run_count < fullest->count)
		return true;
	fullest->ties = fullest->run_count == fullest->count ? fullest->ties + 1 : 1;
	fullest->random = hash_mix(fullest->random + 1);
	if (fullest->random % fullest->ties)
		return true;
	fullest->count = fullest->run_count;
	memcpy(fullest->origin, fullest->run, ORIGIN_BYTES);
	return true;
}

/* Of a full table the origin with most records gives one up, and the asking one if none has more.
 */
static int find_fullest(
        struct store *store, const struct report_key *key, uint32_t own, struct census *ret_census)
{
	struct fullest fullest = {.random = hash_bytes(HASH_SEED, key->bytes, KEY_BYTES)};
	int code = store_scan(store, STORE_REPORTS, (struct store_bytes){0}, count_run, &fullest);

	if (code || (own && own >= fullest.count))
		return code;
	*ret_census = (struct census){0};
	return store_scan(store, STORE_REPORTS, (struct store_bytes){fullest.origin, ORIGIN_BYTES},
	        take_census, ret_census);
}

/* A new record of an origin that has its fill, or of a full table, takes the place of one heard of
 * longest ago. */
static int make_room(struct store *store, const struct report_key *key, struct store_edit *edit,
        struct report_key *oldest, uint32_t *ret_edits)
{
	struct census census = {0};
	struct store_bytes origin = {key->bytes, ORIGIN_BYTES};
	struct metrics metrics;
	int code = store_scan(store, STORE_REPORTS, origin, take_census, &census);

	if (!code)
		code = store_count(store, &metrics);
	bool full = !code && metrics.report_kernels >= STORE_REPORT_RECORDS_MAX;
	if (!code && !full && census.count < STORE_ORIGIN_KERNELS_MAX)
		return 0;
	if (!code && census.count < STORE_ORIGIN_KERNELS_MAX)
		code = find_fullest(store, key, census.count, &census);
	if (code)
		return code;
	*oldest = census.oldest;
	*edit = (struct store_edit){STORE_REPORTS, {oldest->bytes, KEY_BYTES}, {NULL, 0}};
	*ret_edits = 1;
	return 0;
}

int store_put_reports(
        struct store *store, const struct store_key *key, const struct store_reports *reports)
{
	AUTO(buffer_free) struct buffer record = {0};
	struct report_key bytes = report_key(reports->origin, key), oldest;
	struct store_edit edits[2];
	uint32_t count = 0;
	int code = has_record(store, &bytes) ? 0 : make_room(store, &bytes, edits, &oldest, &count);

	if (code)
		return code;
	encode(&record, reports);
	struct store_bytes whole = {bytes.bytes, KEY_BYTES};
	code = record_seal(&record, whole);
	edits[count++] = (struct store_edit){STORE_REPORTS, whole, {record.data, record.length}};
	return code ? code : store_commit(store, edits, count);
}
