/* SPDX-License-Identifier: Apache-2.0
 *
 * The best kernels. Under each key one record; a new driver writes beside the old one's, which
 * stays and is found as stale.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"

#include <errno.h>
#include <string.h>

void store_key_encode(const struct store_key *key, uint8_t to[static STORE_KEY_BYTES])
{
	to = record_encode_u64(to, key->class);
	to = record_encode_u64(to, key->op);
	to = record_encode_u32(to, key->features);
	record_encode_u64(to, key->driver);
}

void store_key_decode(const uint8_t from[static STORE_KEY_BYTES], struct store_key *ret_key)
{
	ret_key->class = record_decode_u64(from);
	ret_key->op = record_decode_u64(from + 8);
	ret_key->features = record_decode_u32(from + 16);
	ret_key->driver = record_decode_u64(from + STORE_KEY_DRIVERLESS_BYTES);
}

static void encode(struct buffer *record, const struct store_kernel *kernel)
{
	record_begin(record, RECORD_KERNEL);
	record_put_text(record, kernel->op, strnlen(kernel->op, sizeof kernel->op));
	record_put_text(
	        record, kernel->schedule, strnlen(kernel->schedule, sizeof kernel->schedule));
	record_put_u32(record, kernel->generation);
	record_put_u8(record, kernel->finished);
	record_put_u32(record, kernel->measured);
	record_put_u32(record, kernel->of);
	record_put_f64(record, kernel->median_ns);
	record_put_f64(record, kernel->mad_ns);
	record_put_f64(record, kernel->baseline_ns);
	record_put_u32(record, kernel->samples);
	record_put_u8(record, kernel->wall_clock);
	record_put_f64(record, kernel->max_rel_err);
	record_put_u32(record, kernel->checked);
	record_put_u64(record, kernel->updated_s);
	record_put_f64(record, kernel->pipeline_ns);
	record_put_u64(record, kernel->code_bytes);
	record_put_u8(record, kernel->naive);
	record_put_f64(record, kernel->share);
	for (uint32_t i = 0; i < OP_DYNAMIC_MAX; i++)
		record_put_u32(record, kernel->reach[i]);
	record_put_u32(record, kernel->failures);
}

/* 0 or -EBADMSG. */
static int decode(struct store_bytes key, struct store_bytes value, struct store_kernel *kernel)
{
	struct record_reader reader;
	int code = record_open(key, value, RECORD_KERNEL, &reader);

	if (code || key.bytes != STORE_KEY_BYTES)
		return -EBADMSG;
	record_get_text(&reader, kernel->op, sizeof kernel->op);
	record_get_text(&reader, kernel->schedule, sizeof kernel->schedule);
	kernel->generation = record_get_u32(&reader);
	kernel->finished = record_get_u8(&reader);
	kernel->measured = record_get_u32(&reader);
	kernel->of = record_get_u32(&reader);
	kernel->median_ns = record_get_f64(&reader);
	kernel->mad_ns = record_get_f64(&reader);
	kernel->baseline_ns = record_get_f64(&reader);
	kernel->samples = record_get_u32(&reader);
	kernel->wall_clock = record_get_u8(&reader);
	kernel->max_rel_err = record_get_f64(&reader);
	kernel->checked = record_get_u32(&reader);
	kernel->updated_s = record_get_u64(&reader);
	kernel->pipeline_ns = reader.version > 1 ? record_get_f64(&reader) : 0;
	kernel->code_bytes = reader.version > 1 ? record_get_u64(&reader) : 0;
	kernel->naive = reader.version > 1 && record_get_u8(&reader);
	kernel->share = reader.version > 1 ? record_get_f64(&reader) : 1;
	for (uint32_t i = 0; i < OP_DYNAMIC_MAX; i++)
		kernel->reach[i] = reader.version > 2 ? record_get_u32(&reader) : 0;
	kernel->failures = reader.version > 2 ? record_get_u32(&reader) : kernel->naive;
	return record_close(&reader);
}

int store_put_kernel(
        struct store *store, const struct store_key *key, const struct store_kernel *kernel)
{
	AUTO(buffer_free) struct buffer record = {0};
	uint8_t bytes[STORE_KEY_BYTES];

	store_key_encode(key, bytes);
	encode(&record, kernel);
	return store_put(store, STORE_KERNELS, (struct store_bytes){bytes, sizeof bytes}, &record);
}

struct lookup {
	const struct store_key *key;
	const char *op;
	bool current, stale;
	struct store_kernel best;
};

/* The driver asked for ends the search; of others the one measured last is kept. */
static bool look(void *context, struct store_bytes key, struct store_bytes value)
{
	struct lookup *lookup = context;
	struct store_kernel kernel;
	struct store_key found;

	if (decode(key, value, &kernel) || strcmp(kernel.op, lookup->op))
		return true;
	store_key_decode(key.data, &found);
	lookup->current = found.driver == lookup->key->driver;
	if (lookup->current || !lookup->stale || kernel.updated_s > lookup->best.updated_s)
		lookup->best = kernel;
	lookup->stale = !lookup->current;
	return !lookup->current;
}

int store_get_kernel(struct store *store, const struct store_key *key, const char *op_text,
        struct store_kernel *ret_kernel, bool *ret_stale)
{
	struct lookup lookup = {.key = key, .op = op_text};
	uint8_t bytes[STORE_KEY_BYTES];

	store_key_encode(key, bytes);
	struct store_bytes prefix = {bytes, STORE_KEY_DRIVERLESS_BYTES};
	int code = store_scan(store, STORE_KERNELS, prefix, look, &lookup);
	if (code)
		return code;
	if (!lookup.current && !lookup.stale)
		return -ENOENT;
	*ret_kernel = lookup.best;
	*ret_stale = !lookup.current;
	return 0;
}

/* ---- Walks over several. */

struct each_kernel {
	const struct store_key *key; /* NULL: every kernel; else of its driver alone, */
	const char *op;              /* and of this operator */
	bool (*each)(void *context, const struct store_key *key, const struct store_kernel *kernel);
	void *context;
};

static bool show(void *context, struct store_bytes key, struct store_bytes value)
{
	const struct each_kernel *to = context;
	struct store_kernel kernel;
	struct store_key found;

	if (decode(key, value, &kernel))
		return true;
	store_key_decode(key.data, &found);
	if (to->key && (found.driver != to->key->driver || strcmp(kernel.op, to->op)))
		return true;
	return to->each(to->context, &found, &kernel);
}

int store_each_variant(struct store *store, const struct store_key *key, const char *op_text,
        bool (*each)(void *context, const struct store_key *key, const struct store_kernel *kernel),
        void *context)
{
	struct each_kernel to = {key, op_text, each, context};
	uint8_t bytes[STORE_KEY_BYTES];

	store_key_encode(key, bytes);
	return store_scan(store, STORE_KERNELS,
	        (struct store_bytes){bytes, STORE_KEY_FEATURELESS_BYTES}, show, &to);
}

int store_each_kernel(struct store *store,
        bool (*each)(void *context, const struct store_key *key, const struct store_kernel *kernel),
        void *context)
{
	struct each_kernel to = {NULL, NULL, each, context};

	return store_scan(store, STORE_KERNELS, (struct store_bytes){0}, show, &to);
}
