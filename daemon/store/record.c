/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding and decoding of records, field by field. Knows no database. Invariant: what record_seal
 * produced, record_open accepts under the same key, and nothing else.
 */
#include "daemon/store/record.h"

#include "base/buffer.h"
#include "base/hash.h"

#include <errno.h>
#include <string.h>

#define RECORD_MAGIC 0x524a4e4eu /* "NNJR" */
/* 1: kernels and trials without the cost of compiling; 2: kernels without reach and failures. */
#define RECORD_VERSION 3
#define HEADER_BYTES   20
#define CHECKSUM_AT    12

uint8_t *record_encode_u32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (8 * i));
	return to + 4;
}

uint8_t *record_encode_u64(uint8_t *to, uint64_t value)
{
	return record_encode_u32(record_encode_u32(to, (uint32_t)value), (uint32_t)(value >> 32));
}

uint32_t record_decode_u32(const uint8_t *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

uint64_t record_decode_u64(const uint8_t *from)
{
	return record_decode_u32(from) | (uint64_t)record_decode_u32(from + 4) << 32;
}

void record_begin(struct buffer *record, enum record_kind kind)
{
	uint8_t header[HEADER_BYTES] = {0};

	buffer_clear(record);
	record_encode_u32(header, RECORD_MAGIC);
	record_encode_u32(header + 4, RECORD_VERSION | (uint32_t)kind << 16);
	buffer_append(record, header, sizeof header);
}

void record_put_u8(struct buffer *record, uint8_t value)
{
	buffer_append(record, &value, 1);
}

void record_put_u32(struct buffer *record, uint32_t value)
{
	uint8_t bytes[4];

	record_encode_u32(bytes, value);
	buffer_append(record, bytes, sizeof bytes);
}

void record_put_u64(struct buffer *record, uint64_t value)
{
	uint8_t bytes[8];

	record_encode_u64(bytes, value);
	buffer_append(record, bytes, sizeof bytes);
}

void record_put_f64(struct buffer *record, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	record_put_u64(record, bits);
}

void record_put_text(struct buffer *record, const char *text, size_t bytes)
{
	record_put_u32(record, (uint32_t)bytes);
	buffer_append(record, text, bytes);
}

/* Over the key, the header up to the checksum, and the fields. */
static uint64_t checksum(struct store_bytes key, const uint8_t *record, size_t bytes)
{
	uint64_t sum = hash_bytes(HASH_SEED, key.data, key.bytes);

	sum = hash_bytes(sum, record, CHECKSUM_AT);
	return hash_mix(hash_bytes(sum, record + HEADER_BYTES, bytes - HEADER_BYTES));
}

int record_seal(struct buffer *record, struct store_bytes key)
{
	uint8_t *data = (uint8_t *)record->data;

	if (record->failed)
		return -ENOMEM;
	record_encode_u32(data + 8, (uint32_t)(record->length - HEADER_BYTES));
	record_encode_u64(data + CHECKSUM_AT, checksum(key, data, record->length));
	return 0;
}

int record_open(struct store_bytes key, struct store_bytes record, enum record_kind kind,
        struct record_reader *ret_reader)
{
	const uint8_t *data = record.data;
	uint32_t version;

	if (record.bytes < HEADER_BYTES || record_decode_u32(data) != RECORD_MAGIC)
		return -EBADMSG;
	version = record_decode_u32(data + 4) & 0xffff;
	if (record_decode_u32(data + 4) >> 16 != (uint32_t)kind || !version ||
	        version > RECORD_VERSION)
		return -EBADMSG;
	if (record_decode_u32(data + 8) != record.bytes - HEADER_BYTES)
		return -EBADMSG;
	if (record_decode_u64(data + CHECKSUM_AT) != checksum(key, data, record.bytes))
		return -EBADMSG;
	*ret_reader = (struct record_reader){
	        data + HEADER_BYTES, data + record.bytes, false, version};
	return 0;
}

/* The next `bytes` of the record, or NULL and the reader failed. */
static const uint8_t *take(struct record_reader *reader, size_t bytes)
{
	const uint8_t *at = reader->at;

	if (reader->failed || (size_t)(reader->end - at) < bytes) {
		reader->failed = true;
		return NULL;
	}
	reader->at += bytes;
	return at;
}

uint8_t record_get_u8(struct record_reader *reader)
{
	const uint8_t *at = take(reader, 1);

	return at ? *at : 0;
}

uint32_t record_get_u32(struct record_reader *reader)
{
	const uint8_t *at = take(reader, 4);

	return at ? record_decode_u32(at) : 0;
}

uint64_t record_get_u64(struct record_reader *reader)
{
	const uint8_t *at = take(reader, 8);

	return at ? record_decode_u64(at) : 0;
}

double record_get_f64(struct record_reader *reader)
{
	uint64_t bits = record_get_u64(reader);
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

const char *record_get_bytes(struct record_reader *reader, size_t *ret_bytes)
{
	size_t bytes = record_get_u32(reader);
	const uint8_t *at = take(reader, bytes);

	*ret_bytes = at ? bytes : 0;
	return (const char *)at;
}

void record_get_text(struct record_reader *reader, char *text, size_t room)
{
	size_t bytes;
	const char *at = record_get_bytes(reader, &bytes);

	text[0] = '\0';
	if (!at || bytes >= room) {
		reader->failed = true;
		return;
	}
	memcpy(text, at, bytes);
	text[bytes] = '\0';
}

int record_close(const struct record_reader *reader)
{
	return reader->failed || reader->at != reader->end ? -EBADMSG : 0;
}
