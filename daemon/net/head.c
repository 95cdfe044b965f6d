/* SPDX-License-Identifier: Apache-2.0
 *
 * The syntax of a request head. Refuses what servers disagree about: bare LF, obs-fold, space
 * before a colon, control bytes, absolute-form targets, fields given twice. Invariant: a head that
 * is accepted means the same to libmicrohttpd and to libwebsockets as it does here.
 */
#include "daemon/net/head.h"

#include <string.h>
#include <strings.h>

/* RFC 9110, 5.6.2: tchar. */
static bool is_token_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool is_value_char(unsigned char c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool is_plain_char(unsigned char c)
{
	return c == '\t' || (c >= ' ' && c < 0x7f);
}

static bool is_target_char(unsigned char c)
{
	return c > ' ' && c < 0x7f;
}

static bool all(struct head_text text, bool (*is)(unsigned char c))
{
	for (size_t i = 0; i < text.length; i++)
		if (!is((unsigned char)text.at[i]))
			return false;
	return text.length > 0;
}

static struct head_text trimmed(struct head_text text)
{
	while (text.length && (*text.at == ' ' || *text.at == '\t'))
		text.at++, text.length--;
	while (text.length && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
		text.length--;
	return text;
}

bool head_is(struct head_text text, const char *word)
{
	return text.length == strlen(word) && !strncasecmp(text.at, word, text.length);
}

bool head_lists(struct head_text text, const char *element)
{
	while (text.length) {
		const char *comma = memchr(text.at, ',', text.length);
		size_t length = comma ? (size_t)(comma - text.at) : text.length;

		if (head_is(trimmed((struct head_text){text.at, length}), element))
			return true;
		length += comma != NULL;
		text.at += length;
		text.length -= length;
	}
	return false;
}

/* ---- Fields. */

static int field_set(struct head_text *slot, const char *name, struct head_text value,
        struct problem *ret_problem)
{
	if (slot->at)
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, name,
		        "the header field %s is given twice; send it once", name);
	if (value.length && !all(value, is_plain_char))
		return problem_set(ret_problem, PROBLEM_BAD_REQUEST, name,
		        "the header field %s has a byte that is not ASCII text", name);
	*slot = value;
	return 0;
}

int head_field(struct head *head, struct head_text name, struct head_text value,
        struct problem *ret_problem)
{
#define F(field, text)           \
	if (head_is(name, text)) \
		return field_set(&head->field, text, value, ret_problem);
	HEAD_FIELDS(F)
#undef F
	return 0;
}

static int bad(struct problem *ret_problem, const char *what)
{
	return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "", "%s", what);
}

static int parse_field(struct head *head, struct head_text line, struct problem *ret_problem)
{
	const char *colon = memchr(line.at, ':', line.length);

	if (*line.at == ' ' || *line.at == '\t')
		return bad(ret_problem, "a header line begins with a space: write each field on "
		                        "one line");
	if (!colon)
		return bad(ret_problem, "a header line has no colon: write Name: value");
	struct head_text name = {line.at, (size_t)(colon - line.at)};
	struct head_text value = {colon + 1, line.length - name.length - 1};
	if (!all(name, is_token_char))
		return bad(ret_problem, "a header field's name is empty or has a byte that is not "
		                        "allowed there, such as a space before the colon");
	if (value.length && !all(value, is_value_char))
		return bad(ret_problem, "a header field's value has a control byte");
	return head_field(head, name, trimmed(value), ret_problem);
}

/* ---- Lines. */

/* Finds the line that begins at *at and steps over its CR LF. */
static int next_line(const char *bytes, size_t length, size_t *at, struct head_text *ret_line,
        struct problem *ret_problem)
{
	const char *start = bytes + *at, *lf = memchr(start, '\n', length - *at);
	size_t visible = lf ? (size_t)(lf - start) : length - *at;

	if (memchr(start, 0, visible))
		return bad(ret_problem, "the request head has a NUL byte");
	if (!lf)
		return HEAD_PARTIAL;
	if (!visible || lf[-1] != '\r')
		return bad(ret_problem, "a header line ends without CR: end each with CR LF");
	if (memchr(start, '\r', visible - 1))
		return bad(ret_problem, "the request head has a CR within a line");
	*ret_line = (struct head_text){start, visible - 1};
	*at += visible + 1;
	return 0;
}

static int parse_request_line(struct head *head, struct head_text line, struct problem *ret_problem)
{
	const char *end = line.at + line.length;
	const char *space = memchr(line.at, ' ', line.length);
	const char *second = space ? memchr(space + 1, ' ', (size_t)(end - space - 1)) : NULL;

	if (!second)
		return bad(ret_problem, "the request line is not METHOD PATH VERSION");
	head->method = (struct head_text){line.at, (size_t)(space - line.at)};
	head->target = (struct head_text){space + 1, (size_t)(second - space - 1)};
	struct head_text version = {second + 1, (size_t)(end - second - 1)};
	if (!all(head->method, is_token_char))
		return bad(ret_problem, "the request's method is not a word");
	if (!all(head->target, is_target_char) || *head->target.at != '/')
		return bad(ret_problem, "the request's target is not a path: it must begin with / "
		                        "and encode other bytes as %XX");
	if (version.length != 8 ||
	        (memcmp(version.at, "HTTP/1.1", 8) && memcmp(version.at, "HTTP/1.0", 8)))
		return bad(ret_problem, "the request is not HTTP/1.1");
	return 0;
}

static int too_long(struct problem *ret_problem)
{
	return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "",
	        "the request head is over %u bytes; shorten the address or the header fields",
	        HEAD_BYTES);
}

int head_parse(const char *bytes, size_t length, struct head *ret_head, struct problem *ret_problem)
{
	size_t at = 0, readable = length < HEAD_BYTES ? length : HEAD_BYTES;
	struct head head = {0};
	struct head_text line;

	for (;;) {
		bool first = at == 0;
		int r = next_line(bytes, readable, &at, &line, ret_problem);
		if (r == HEAD_PARTIAL && readable == HEAD_BYTES)
			return too_long(ret_problem);
		if (r)
			return r;
		if (!first && !line.length)
			break;
		r = first ? parse_request_line(&head, line, ret_problem)
		          : parse_field(&head, line, ret_problem);
		if (r)
			return r;
	}
	head.bytes = at;
	*ret_head = head;
	return 0;
}
