/* SPDX-License-Identifier: Apache-2.0
 *
 * Variants by trying: every name of every DTYPE field, and every dimension with a question mark;
 * op_validate says which an operator accepts.
 */
#include "variants.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct op variant_of(size_t row)
{
	const char *text = operator_rows[row].text;
	struct error err = {0};
	struct op op;

	if (op_parse(text, &op, &err)) {
		fprintf(stderr, "%s: %s\n", text, err.text);
		abort();
	}
	return op;
}

/* Sets the field to `text`, unless the operator refuses that. */
static bool try_text(struct op *op, const char *field, const char *text)
{
	struct op changed = *op;
	uint32_t seen = 0;

	if (op_set_text(&changed, &seen, field, text, NULL) || op_validate(&changed, NULL))
		return false;
	*op = changed;
	return true;
}

/* ---- Dynamic dimensions. */

/* The first `count` dimensions of a shape with question marks. */
static bool loosen_shape(struct op *op, const struct op_field *field, uint32_t count)
{
	const uint32_t *v = &op->value[field->value];
	char text[96] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < v[0]; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%u", i ? "," : "",
		        i < count ? "?" : "", v[1 + i]);
	return try_text(op, field->name, text);
}

static bool loosen(struct op *op, const struct op_field *field)
{
	char text[16];

	if (field->kind == FIELD_SHAPE)
		return loosen_shape(op, field, OP_DYNAMIC_MAX) || loosen_shape(op, field, 1);
	snprintf(text, sizeof text, "?%u", op->value[field->value]);
	return field->kind == FIELD_DIM && try_text(op, field->name, text);
}

bool variant_make_dynamic(struct op *op)
{
	bool any = false;

	for (uint32_t i = 0; op_field(op->kind, i); i++)
		any |= loosen(op, op_field(op->kind, i));
	return any;
}

/* ---- Element types. */

struct variants {
	struct op *ops;
	uint32_t count;
};

static void add(struct variants *v, const struct op *op)
{
	for (uint32_t i = 0; i < v->count; i++)
		if (!memcmp(&v->ops[i], op, sizeof *op))
			return;
	if (v->count == VARIANTS_MAX)
		abort();
	v->ops[v->count++] = *op;
}

/* Every type for each field from number `index` on. Fields may demand something of each other that
 * only holds once all are set, so the operator is validated at the end. */
static void with_types(struct variants *v, struct op op, uint32_t index)
{
	const struct op_field *field = op_field(op.kind, index);

	if (!field) {
		if (!op_validate(&op, NULL))
			add(v, &op);
		return;
	}
	if (field->kind != FIELD_DTYPE) {
		with_types(v, op, index + 1);
		return;
	}
	for (const char *name = field->rule;; name++) {
		char text[8];
		uint32_t seen = 0;
		snprintf(text, sizeof text, "%.*s", (int)strcspn(name, ","), name);
		if (!op_set_text(&op, &seen, field->name, text, NULL))
			with_types(v, op, index + 1);
		name += strcspn(name, ",");
		if (!*name)
			return;
	}
}

static bool is_first(size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (operator_rows[i].kind == operator_rows[row].kind)
			return false;
	return true;
}

uint32_t variants_of(size_t row, struct op ret_ops[static VARIANTS_MAX])
{
	struct variants v = {ret_ops, 0};

	if (!is_first(row)) {
		ret_ops[0] = variant_of(row);
		return 1;
	}
	with_types(&v, variant_of(row), 0);
	for (uint32_t i = 0, count = v.count; i < count; i++) {
		struct op dynamic = ret_ops[i];
		if (variant_make_dynamic(&dynamic))
			add(&v, &dynamic);
	}
	return v.count;
}
