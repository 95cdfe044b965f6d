/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of what answers are made of, and their look-up. Knows no value of an answer: whoever
 * writes one is held to the rows by tests/api/answers_test.c.
 */
#include "protocol/answers.h"

#include <string.h>

const struct answer_info answer_infos[ANSWER_KIND_COUNT] = {
#define CHOICE(id, name, words, doc) [ANSWER_##id] = {#name, words, doc},
#define TYPE(id, name, doc)          [ANSWER_##id] = {#name, NULL, doc},
#include "protocol/types.def"
};

const struct answer_member answer_members[] = {
#define MEMBER(type, name, kind, shape, when, doc) \
	{ANSWER_##type, name, ANSWER_##kind, SHAPE_##shape, WHEN_##when, doc},
#include "protocol/types.def"
#define RESULT(method, name, kind, shape, when, doc) \
	{ANSWER_OF_##method, name, ANSWER_##kind, SHAPE_##shape, WHEN_##when, doc},
#include "protocol/methods.def"
};
const uint32_t answer_member_count = sizeof answer_members / sizeof *answer_members;

static const struct whole {
	enum method method;
	enum answer_kind type;
} answered[] =
        {
#define ANSWERS(method, type) {METHOD_##method, ANSWER_##type},
#include "protocol/methods.def"
},
  pushed[] = {
#define PUSHES(method, type) {METHOD_##method, ANSWER_##type},
#include "protocol/methods.def"
};

const struct answer_member *answer_member_find(enum answer_kind of, const char *name)
{
	for (uint32_t i = 0; i < answer_member_count; i++)
		if (answer_members[i].of == of && !strcmp(answer_members[i].name, name))
			return &answer_members[i];
	return NULL;
}

void answer_types(enum method method, enum answer_kind ret_types[static ANSWER_TYPES_MAX])
{
	static const enum answer_kind own[METHOD_COUNT] = {
#define METHOD(id, ...) [METHOD_##id] = ANSWER_OF_##id,
#include "protocol/methods.def"
	};
	uint32_t count = 0;

	for (size_t i = 0; i < sizeof answered / sizeof *answered; i++)
		if (answered[i].method == method && count < ANSWER_TYPES_MAX - 1)
			ret_types[count++] = answered[i].type;
	if (!count)
		ret_types[count++] = own[method];
	ret_types[count] = ANSWER_KIND_COUNT;
}

enum answer_kind answer_pushed(enum method method)
{
	for (size_t i = 0; i < sizeof pushed / sizeof *pushed; i++)
		if (pushed[i].method == method)
			return pushed[i].type;
	return ANSWER_KIND_COUNT;
}
