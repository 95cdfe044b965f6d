/* SPDX-License-Identifier: Apache-2.0
 *
 * A reader of expressions by recursive descent: a sum of products of factors. It keeps one sticky
 * failure, the first, and answers 0 for everything after it.
 */
#include "protocol/models/expression.h"

#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define DEPTH_MAX 32 /* of parentheses */
#define VALUE_MAX (1ull << 62)
#define SHOWN     60 /* of an expression, in a sentence */

struct reader {
	const char *text, *at, *end;
	const struct expression_names *names;
	struct error *err;
	uint32_t depth;
	bool failed, dynamic;
};

static int shown(const struct reader *r, const char *from)
{
	return (int)(r->end - from < SHOWN ? r->end - from : SHOWN);
}

__attribute__((format(printf, 2, 3))) static uint64_t fail(
        struct reader *r, const char *format, ...)
{
	char why[120];
	va_list args;

	if (r->failed)
		return 0;
	r->failed = true;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	error_set(r->err, -EINVAL, "", "'%.*s': %s", shown(r, r->text), r->text, why);
	return 0;
}

static char peek(struct reader *r)
{
	while (r->at < r->end && *r->at == ' ')
		r->at++;
	return r->at < r->end ? *r->at : '\0';
}

static uint64_t checked(struct reader *r, bool overflows, uint64_t value)
{
	return overflows || value > VALUE_MAX ? fail(r, "the number passes 2^62") : value;
}

static uint64_t number(struct reader *r)
{
	uint64_t value = 0;

	while (!r->failed && r->at < r->end && isdigit((unsigned char)*r->at)) {
		bool over = __builtin_mul_overflow(value, 10, &value);
		over |= __builtin_add_overflow(value, (uint64_t)(*r->at++ - '0'), &value);
		value = checked(r, over, value);
	}
	return value;
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static uint64_t name(struct reader *r)
{
	const char *begin = r->at;

	while (r->at < r->end && in_name(*r->at))
		r->at++;
	size_t length = (size_t)(r->at - begin);
	for (uint32_t i = 0; i < r->names->count; i++) {
		const struct expression_name *known = &r->names->names[i];
		if (strlen(known->name) != length || memcmp(known->name, begin, length))
			continue;
		r->dynamic |= known->dynamic;
		return known->value;
	}
	return fail(r, "there is no size or input named '%.*s'", (int)(length < 32 ? length : 32),
	        begin);
}

static uint64_t sum(struct reader *r);

static uint64_t factor(struct reader *r)
{
	char c = peek(r);

	if (isdigit((unsigned char)c))
		return number(r);
	if (in_name(c))
		return name(r);
	if (c != '(')
		return fail(r, "a number, a name or ( is missing%s%.*s",
		        r->at < r->end ? " before " : " at its end", shown(r, r->at), r->at);
	if (++r->depth > DEPTH_MAX)
		return fail(r, "more than %d parentheses are within one another", DEPTH_MAX);
	r->at++;
	uint64_t value = sum(r);
	if (peek(r) != ')')
		return fail(r, "a ) is missing");
	r->at++;
	r->depth--;
	return value;
}

static uint64_t quotient(struct reader *r, uint64_t value, uint64_t by)
{
	if (r->failed)
		return 0;
	if (!by)
		return fail(r, "%llu is divided by 0", (unsigned long long)value);
	if (value % by)
		return fail(r, "%llu / %llu leaves a remainder", (unsigned long long)value,
		        (unsigned long long)by);
	return value / by;
}

static uint64_t product(struct reader *r)
{
	uint64_t value = factor(r);

	for (char c; !r->failed && ((c = peek(r)) == '*' || c == '/');) {
		r->at++;
		uint64_t right = factor(r);
		if (c == '/') {
			value = quotient(r, value, right);
		} else {
			bool over = __builtin_mul_overflow(value, right, &value);
			value = checked(r, over, value);
		}
	}
	return value;
}

static uint64_t sum(struct reader *r)
{
	uint64_t value = product(r);

	for (char c; !r->failed && ((c = peek(r)) == '+' || c == '-');) {
		r->at++;
		uint64_t right = product(r);
		if (c == '-' && right > value)
			return fail(r, "%llu - %llu is below 0", (unsigned long long)value,
			        (unsigned long long)right);
		value = checked(r, false, c == '+' ? value + right : value - right);
	}
	return value;
}

int expression_evaluate(const char *text, size_t length, const struct expression_names *names,
        struct expression_value *ret_value, struct error *err)
{
	struct reader r = {
	        .text = text, .at = text, .end = text + length, .names = names, .err = err};
	uint64_t value = sum(&r);

	if (!r.failed && peek(&r))
		fail(&r, "it should end before %.*s", shown(&r, r.at), r.at);
	if (r.failed)
		return -EINVAL;
	*ret_value = (struct expression_value){value, r.dynamic};
	return 0;
}
