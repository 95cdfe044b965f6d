/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a record: header, then fields, one after the other, little-endian, no padding. No
 * struct is ever copied as it lies in memory, so the same record is the same bytes everywhere.
 *
 *   magic u32, version u16, kind u16, length u32 (of the fields), checksum u64, fields
 *
 * The checksum covers the key as well: a record that wandered to another key does not check out.
 */
#pragma once

#include "nnjit.h"

/* Some bytes, a key or a value: whose they are and until when is said where they are given. */
struct store_bytes {
	const void *data;
	size_t bytes;
};

enum record_kind {
	RECORD_NONE,
	RECORD_META,
	RECORD_KERNEL,
	RECORD_TRIAL,
	RECORD_DEVICE,
	RECORD_JOB,
	RECORD_REPORT,
	RECORD_ORIGIN
};

/* ---- Writing, into a buffer whose sticky failure is looked at once, by record_seal. */
void record_begin(struct buffer *record, enum record_kind kind);
void record_put_u8(struct buffer *record, uint8_t value);
void record_put_u32(struct buffer *record, uint32_t value);
void record_put_u64(struct buffer *record, uint64_t value);
void record_put_f64(struct buffer *record, double value); /* IEEE 754 bits */
void record_put_text(struct buffer *record, const char *text, size_t bytes);
/* Fills in length and checksum. 0 or -ENOMEM. */
int record_seal(struct buffer *record, struct store_bytes key);

/* ---- Reading. A failed reader gives zeros; look at `failed` once at the end. */
struct record_reader {
	const uint8_t *at, *end;
	bool failed;
	uint32_t version; /* fields that came later than it are not there */
};
/* 0, or -EBADMSG if it is no intact record of this kind, and of a version that is known, under
 * this key. */
int record_open(struct store_bytes key, struct store_bytes record, enum record_kind kind,
        struct record_reader *ret_reader);
uint8_t record_get_u8(struct record_reader *reader);
uint32_t record_get_u32(struct record_reader *reader);
uint64_t record_get_u64(struct record_reader *reader);
double record_get_f64(struct record_reader *reader);
/* Fails where the text and its NUL do not fit. */
void record_get_text(struct record_reader *reader, char *text, size_t room);
/* The bytes where they lie, valid while the record's memory is. */
const char *record_get_bytes(struct record_reader *reader, size_t *ret_bytes);
/* 0, or -EBADMSG if a field was missing or bytes are left over. */
int record_close(const struct record_reader *reader);

/* The same encoding for keys, which have no header. */
uint8_t *record_encode_u32(uint8_t *to, uint32_t value); /* both return the end */
uint8_t *record_encode_u64(uint8_t *to, uint64_t value);
uint32_t record_decode_u32(const uint8_t *from);
uint64_t record_decode_u64(const uint8_t *from);
