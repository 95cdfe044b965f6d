/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of types.def and the RESULT rows of methods.def as data: what answers are made of, for
 * OpenAPI, the documents and the tests that hold real answers against them.
 */
#pragma once

#include "protocol/protocol.h"

/* What a member is: a JSON scalar, a choice of words, a type with a name, or what one method
 * answers with. */
enum answer_kind {
	ANSWER_TEXT,
	ANSWER_WHOLE,
	ANSWER_NUMBER,
	ANSWER_BOOL,
	ANSWER_OBJECT, /* of any members */
#define CHOICE(id, ...) ANSWER_##id,
#define TYPE(id, ...)   ANSWER_##id,
#include "protocol/types.def"
#define METHOD(id, ...) ANSWER_OF_##id,
#include "protocol/methods.def"
	ANSWER_KIND_COUNT
};
enum answer_shape {
	SHAPE_ONE,
	SHAPE_LIST,
	SHAPE_NULLS, /* a list in which null may stand */
	SHAPE_TRIPLE,
	SHAPE_TRIPLES, /* a list of those */
	SHAPE_MAP,     /* an object whose every member is of the kind */
};
enum answer_when {
	WHEN_ALWAYS,
	WHEN_SOMETIMES, /* may be left out */
	WHEN_NULLABLE,  /* there, but may be null */
};

struct answer_info {
	const char *name;  /* NULL: a JSON scalar, or what one method answers with */
	const char *words; /* of a choice, with | between; else NULL */
	const char *doc;
};
extern const struct answer_info answer_infos[ANSWER_KIND_COUNT];

struct answer_member {
	enum answer_kind of; /* the type whose member it is */
	const char *name;
	enum answer_kind kind;
	enum answer_shape shape;
	enum answer_when when;
	const char *doc;
};
extern const struct answer_member answer_members[];
extern const uint32_t answer_member_count;

/* The row of this member, or NULL. */
const struct answer_member *answer_member_find(enum answer_kind of, const char *name);
/* The types one of which the method answers with, ended by ANSWER_KIND_COUNT. */
#define ANSWER_TYPES_MAX 4
void answer_types(enum method method, enum answer_kind ret_types[static ANSWER_TYPES_MAX]);
/* What follows the answer over the WebSocket; ANSWER_KIND_COUNT: nothing. */
enum answer_kind answer_pushed(enum method method);
