/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors as text, in the rows' order and without what is initial, and the key of that text.
 * Both are stored: neither may change for descriptors that exist.
 */
#include "base/hash.h"
#include "op/rows.h"

#include <assert.h>
#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
	char *at;
	size_t room;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vsnprintf(w->at, w->room, format, args);
	va_end(args);
	assert(length >= 0 && (size_t)length < w->room);
	w->at += length;
	w->room -= (size_t)length;
}

static void put_dim(struct writer *w, const struct op *op, uint32_t at)
{
	int n = op_dynamic_at(op, at);

	if (n < 0)
		put(w, "%u", op->value[at]);
	else if (op->dynamic[n].high)
		put(w, "?%u..%u", op->dynamic[n].low, op->dynamic[n].high);
	else
		put(w, "?%u", op->value[at]);
}

static void put_list(struct writer *w, const struct op *op, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put(w, "%s", i ? "," : "");
		put_dim(w, op, first + i);
	}
}

static void put_scalars(struct writer *w, const uint32_t *values, uint32_t width, char between)
{
	for (uint32_t i = 0; i < 4 * width; i++) {
		enum scalar scalar = (enum scalar)(values[i / 4] >> 8 * (i % 4) & 255);
		if (!scalar)
			break;
		if (i)
			put(w, "%c", between);
		put(w, "%s", scalar_name(scalar));
	}
}

/* With the fewest digits that read back as the same number. */
static void put_shortest(struct writer *w, double number, bool is_float)
{
	char text[32];

	for (int digits = 1; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, number);
		if (is_float ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
			break;
	}
	put(w, "%s", text);
}

static void put_choice(struct writer *w, const char *names, uint32_t index)
{
	for (; index; index--)
		names += strcspn(names, ",") + 1;
	put(w, "%.*s", (int)strcspn(names, ","), names);
}

static void put_value(struct writer *w, const struct op *op, const struct op_field *field)
{
	const uint32_t *v = &op->value[field->value];

	switch (field->kind) {
	case FIELD_FLOAT:
		put_shortest(w, (double)op_float(op, field->value), true);
		break;
	case FIELD_NUMBER:
		put_shortest(w, op_number(op, field->value), false);
		break;
	case FIELD_DTYPE:
		put(w, "%s", dtype_name((enum dtype)v[0]));
		break;
	case FIELD_CHOICE:
		put_choice(w, field->rule, v[0]);
		break;
	case FIELD_SHAPE:
	case FIELD_LIST:
		put_list(w, op, field->value + 1, v[0]);
		break;
	case FIELD_ACTS:
		put(w, "%s", v[0] ? "" : "none");
		put_scalars(w, v, field_width(field), '+');
		break;
	case FIELD_STEPS:
		put_scalars(w, v, field_width(field), ',');
		break;
	default:
		put_list(w, op, field->value, field_width(field));
	}
}

static bool is_initial(const struct op *op, const struct op_field *field)
{
	const uint32_t *v = &op->value[field->value];

	if (field_rank_max(field))
		return !v[0];
	for (uint32_t i = 0; i < field_width(field); i++)
		if (v[i] != field->initial || op_dynamic_at(op, field->value + i) >= 0)
			return false;
	return true;
}

void op_print(const struct op *op, char text[static OP_TEXT_BYTES])
{
	struct writer w = {text, OP_TEXT_BYTES};

	put(&w, "%s", op_name(op->kind));
	for (uint32_t i = 0; op_field(op->kind, i); i++) {
		const struct op_field *field = op_field(op->kind, i);
		if (is_initial(op, field))
			continue;
		put(&w, " %s=", field->name);
		put_value(&w, op, field);
	}
}

uint64_t op_key(const struct op *op)
{
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	return hash_mix(hash_bytes(HASH_SEED, text, strlen(text)));
}
