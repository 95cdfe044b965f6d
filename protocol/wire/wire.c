/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's wire: lines of JSON in and out of a stream socket, and the device's limits,
 * features and facts as JSON objects. Both ends use it. What comes in is not trusted: a line that
 * is no object, or that never ends, costs that line and nothing else.
 */
#include "protocol/wire/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The longest line taken (a reply of many samples is far below), and how long a peer that reads
 * nothing is waited for. */
#define LINE_BYTES_MAX  (4u << 20)
#define SEND_TIMEOUT_MS 2000

void wire_free(struct wire *wire)
{
	if (!wire)
		return;
	free(wire->data);
	*wire = (struct wire){0};
}

/* Waits until a non-blocking descriptor takes more. 0 or -EIO. */
static int wait_writable(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	int ready;

	do
		ready = poll(&poller, 1, SEND_TIMEOUT_MS);
	while (ready < 0 && errno == EINTR);
	return ready > 0 ? 0 : -EIO;
}

static int send_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
		if (sent >= 0) {
			data += sent;
			length -= (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int failure = wait_writable(fd);
			if (failure)
				return failure;
		} else if (errno != EINTR) {
			return errno == EPIPE || errno == ECONNRESET ? -EPIPE : -EIO;
		}
	}
	return 0;
}

int wire_send(int fd, const json_t *message)
{
	char *line = json_dumps(message, JSON_COMPACT);

	if (!line)
		return -ENOMEM;
	/* The newline takes the place of the terminating NUL, so that one send carries both. */
	size_t length = strlen(line);
	line[length] = '\n';
	int failure = send_all(fd, line, length + 1);
	free(line);
	return failure;
}

/* Takes the first whole line out of what was read. -EAGAIN where there is none yet. */
static int take_line(struct wire *wire, size_t searched, json_t **ret_message)
{
	char *data = wire->data;
	char *newline = wire->length > searched
	                        ? memchr(data + searched, '\n', wire->length - searched)
	                        : NULL;

	if (!newline)
		return -EAGAIN;
	size_t line = (size_t)(newline - data);
	json_t *message = json_loadb(data, line, JSON_REJECT_DUPLICATES, NULL);
	wire->length -= line + 1;
	memmove(data, newline + 1, wire->length);
	if (!json_is_object(message)) {
		json_decref(message);
		return -EBADMSG;
	}
	*ret_message = message;
	return 0;
}

static int grow(struct wire *wire)
{
	size_t capacity = wire->capacity ? 2 * wire->capacity : 4096;
	char *data = realloc(wire->data, capacity);

	if (!data)
		return -ENOMEM;
	wire->data = data;
	wire->capacity = capacity;
	return 0;
}

/* One read into the free end of the buffer. */
static int fill(struct wire *wire, int fd)
{
	ssize_t got;

	if (wire->length == wire->capacity && grow(wire))
		return -ENOMEM;
	do
		got = recv(fd, wire->data + wire->length, wire->capacity - wire->length, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -EPIPE;
	wire->length += (size_t)got;
	return got ? 0 : -EPIPE;
}

int wire_receive(struct wire *wire, int fd, json_t **ret_message)
{
	size_t searched = 0;

	for (;;) {
		int outcome = take_line(wire, searched, ret_message);
		if (outcome != -EAGAIN)
			return outcome;
		if (wire->length >= LINE_BYTES_MAX) {
			wire->length = 0;
			return -EBADMSG;
		}
		searched = wire->length;
		outcome = fill(wire, fd);
		if (outcome)
			return outcome;
	}
}

/* ---- Limits: one row a field; all but one are 32 bits wide. */

static const struct limit_field {
	const char *name;
	size_t offset;
	bool wide;
} limit_fields[] = {
#define LIMIT(field)                                                                           \
	{                                                                                      \
#field, offsetof(struct limits, field), sizeof((struct limits *)0)->field == 8 \
	}
        LIMIT(invocations),
        LIMIT(size_x),
        LIMIT(size_y),
        LIMIT(size_z),
        LIMIT(workgroups),
        LIMIT(workgroup_bytes),
        LIMIT(storage_buffers),
        LIMIT(binding_bytes),
        LIMIT(subgroup_min),
        LIMIT(subgroup_max),
#undef LIMIT
};
#define LIMIT_FIELDS (sizeof limit_fields / sizeof *limit_fields)

/* [[m, n, k], ...] */
static json_t *matrices_json(const struct limits *limits)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < MATRIX_SHAPES_MAX && limits->matrices[i].m; i++) {
		const struct matrix_shape *shape = &limits->matrices[i];
		json_array_append_new(array, json_pack("[i,i,i]", shape->m, shape->n, shape->k));
	}
	return array;
}

json_t *wire_limits_json(const struct limits *limits)
{
	json_t *object = json_object();

	for (size_t i = 0; i < LIMIT_FIELDS; i++) {
		const char *at = (const char *)limits + limit_fields[i].offset;
		uint64_t value = limit_fields[i].wide ? *(const uint64_t *)at
		                                      : *(const uint32_t *)at;
		if (value > INT64_MAX)
			value = INT64_MAX;
		json_object_set_new(object, limit_fields[i].name, json_integer((json_int_t)value));
	}
	json_object_set_new(object, "matrices", matrices_json(limits));
	return object;
}

/* A count out of JSON: what is no number or below zero is 0, what is too large the largest. */
static uint64_t count_of(const json_t *value, uint64_t most)
{
	json_int_t count = json_integer_value(value);

	if (count <= 0)
		return 0;
	return (uint64_t)count < most ? (uint64_t)count : most;
}

static uint16_t size_of(const json_t *shape, size_t i)
{
	return (uint16_t)count_of(json_array_get(shape, i), UINT16_MAX);
}

static void matrices_parse(const json_t *array, struct limits *limits)
{
	for (size_t i = 0, count = 0; i < json_array_size(array) && count < MATRIX_SHAPES_MAX;
	        i++) {
		const json_t *of = json_array_get(array, i);
		struct matrix_shape shape = {size_of(of, 0), size_of(of, 1), size_of(of, 2)};
		if (shape.m && shape.n && shape.k)
			limits->matrices[count++] = shape;
	}
}

void wire_limits_parse(const json_t *object, const json_t *features, struct limits *ret_limits)
{
	struct limits limits = {.features = wire_features_parse(features)};

	for (size_t i = 0; i < LIMIT_FIELDS; i++) {
		char *at = (char *)&limits + limit_fields[i].offset;
		const json_t *value = json_object_get(object, limit_fields[i].name);
		if (limit_fields[i].wide)
			*(uint64_t *)at = count_of(value, UINT64_MAX);
		else
			*(uint32_t *)at = (uint32_t)count_of(value, UINT32_MAX);
	}
	matrices_parse(json_object_get(object, "matrices"), &limits);
	*ret_limits = limits;
}

/* ---- Features, by the names of features.def. */

json_t *wire_features_json(uint32_t features)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < FEATURE_COUNT; i++)
		if (features >> i & 1)
			json_array_append_new(
			        array, json_string(feature_info((enum feature_number)i)->name));
	return array;
}

uint32_t wire_feature_parse(const char *name)
{
	for (uint32_t i = 0; name && i < FEATURE_COUNT; i++)
		if (!strcmp(name, feature_info((enum feature_number)i)->name))
			return 1u << i;
	return 0;
}

uint32_t wire_features_parse(const json_t *array)
{
	uint32_t features = 0;

	for (size_t i = 0; i < json_array_size(array); i++)
		features |= wire_feature_parse(json_string_value(json_array_get(array, i)));
	return features;
}

/* ---- Facts, by the rows of facts.def. */

static json_t *caches_json(const struct facts *facts)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < FACTS_CACHES && facts->caches[i].bytes > 0; i++)
		json_array_append_new(
		        array, json_pack("{s:f, s:f}", "bytes", facts->caches[i].bytes, "gbps",
		                       facts->caches[i].gbps));
	return array;
}

json_t *wire_facts_json(const struct facts *facts)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < FACT_COUNT; i++)
		json_object_set_new(
		        object, fact_infos[i].name, json_real(fact_value(facts, (enum fact)i)));
	json_object_set_new(object, "caches", caches_json(facts));
	json_object_set_new(object, "cpu", json_boolean(facts->cpu));
	json_object_set_new(object, "version", json_integer(facts->version));
	return object;
}

static double measure_of(const json_t *object, const char *name)
{
	double value = json_number_value(json_object_get(object, name));

	return value > 0 ? value : 0;
}

void wire_facts_parse(const json_t *object, struct facts *ret_facts)
{
	const json_t *caches = json_object_get(object, "caches");
	struct facts facts = {.cpu = json_is_true(json_object_get(object, "cpu")),
	        .version = (uint32_t)count_of(json_object_get(object, "version"), UINT32_MAX)};

	for (uint32_t i = 0; i < FACT_COUNT; i++)
		fact_set(&facts, (enum fact)i, measure_of(object, fact_infos[i].name));
	for (uint32_t i = 0; i < FACTS_CACHES; i++) {
		const json_t *cache = json_array_get(caches, i);
		facts.caches[i].bytes = measure_of(cache, "bytes");
		facts.caches[i].gbps = measure_of(cache, "gbps");
	}
	*ret_facts = facts;
}

/* ---- Ids. */

json_t *wire_hex(uint64_t id)
{
	char text[17];

	snprintf(text, sizeof text, "%016" PRIx64, id);
	return json_string(text);
}

uint64_t wire_hex_parse(const json_t *text)
{
	const char *digits = json_string_value(text);

	if (!digits || strlen(digits) != 16 || strspn(digits, "0123456789abcdefABCDEF") != 16)
		return 0;
	return strtoull(digits, NULL, 16);
}
