/* SPDX-License-Identifier: Apache-2.0
 *
 * Between nnjitd and its worker nnjit-gpu: newline-delimited JSON over a stream socket pair (the
 * worker's descriptor 3). wire.def says which messages there are, message.h reads and writes them;
 * here are the lines, and what a device is described by, as JSON and back (values.c).
 */
#pragma once

#include "device/limits.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define WIRE_FD 3

/* A line-framed reader over a socket; zero-initialise, wire_free at the end. */
struct wire {
	char *data;
	size_t length, capacity;
};
void wire_free(struct wire *wire);
/* Writes the object and a newline. -EPIPE, -EIO, -ENOMEM. */
int wire_send(int fd, const json_t *message);
/* Reads what is there. 0 with a message (new reference); -EAGAIN when no whole line is there yet
 * (non-blocking descriptors only); -EPIPE at the end; -EBADMSG for what is no JSON object. */
int wire_receive(struct wire *wire, int fd, json_t **ret_message);

/* Limits, features and facts as JSON objects and back; unknown members are ignored, missing 0. */
json_t *wire_limits_json(const struct limits *limits);
void wire_limits_parse(const json_t *object, const json_t *features, struct limits *ret_limits);
json_t *wire_features_json(uint32_t features);
uint32_t wire_feature_parse(const char *name); /* its bit; 0 for what no kernel uses, and NULL */
uint32_t wire_features_parse(const json_t *array);
json_t *wire_facts_json(const struct facts *facts);
void wire_facts_parse(const json_t *object, struct facts *ret_facts);
json_t *wire_hex(uint64_t id);               /* 16 hexadecimal digits */
uint64_t wire_hex_parse(const json_t *text); /* 0 if it is none */
