/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators at random, field by field as op.def has them: every kind of field has its way, and
 * names have their sizes, so that a new operator is drawn without a word here. draw_settle.c makes
 * the fields fit each other.
 */
#include "draw.h"

#include "op/rows.h"

#include <stdio.h>
#include <string.h>

#define TRIES_MAX 1000

/* ---- Fields. */

/* The greatest that is drawn for a size of that name, but for one in twelve. */
static uint32_t most_of(const char *name)
{
	static const struct {
		const char *name;
		uint32_t most;
	} rows[] = {{"batch", 4}, {"heads", 8}, {"kernel", 5}, {"stride", 3}, {"dilation", 3},
	        {"h", 24}, {"w", 24}, {"oh", 32}, {"ow", 32}, {"c", 48}, {"oc", 48}, {"l", 64},
	        {"planes", 6}, {"dim", 64}, {"q", 24}, {"kv", 64}, {"mask_rows", 6},
	        {"mask_every", 4}, {"outer", 16}, {"inner", 40}, {"groups", 6}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].most;
	return 128;
}

/* Rows longer than some driver's loops turn: most are too dear with what else is drawn. */
#define LONG_ROW    65536u
#define LONG_ONE_IN 12

static bool is_along_rows(const char *name)
{
	return !strcmp(name, "n") || !strcmp(name, "k");
}

static uint32_t draw_named(struct draw *d, const struct op_field *field)
{
	uint32_t most = most_of(field->name);

	if (field->initial && draw_one_in(d, 2))
		return field->initial;
	if (is_along_rows(field->name) && draw_one_in(d, LONG_ONE_IN))
		return LONG_ROW + draw_below(d, LONG_ROW / 8);
	return draw_size(d, draw_one_in(d, 12) ? 8 * most : most);
}

static uint32_t draw_pair(struct draw *d, const struct op_field *field)
{
	if (draw_one_in(d, field->initial ? 3 : 2))
		return field->initial;
	return field->initial ? draw_size(d, most_of(field->name)) : draw_below(d, 3);
}

/* The number of names in a rule. */
static uint32_t names_in(const char *rule)
{
	uint32_t count = 1;

	for (; *rule; rule++)
		count += *rule == ',';
	return count;
}

static enum dtype draw_dtype(struct draw *d, const char *rule)
{
	uint32_t skip = draw_below(d, names_in(rule));

	for (; skip; skip--)
		rule += strcspn(rule, ",") + 1;
	size_t length = strcspn(rule, ",");
	enum dtype dtype = DTYPE_F32;
	while (strlen(dtype_name(dtype)) != length || memcmp(dtype_name(dtype), rule, length))
		dtype++;
	return dtype;
}

static void draw_shape(struct draw *d, uint32_t *values)
{
	static const uint32_t most[] = {1, 4096, 128, 32, 16, 8, 6}; /* by rank */
	uint32_t rank = draw_one_in(d, 8) ? 5 + draw_below(d, 2) : 1 + draw_below(d, 4);

	values[0] = rank;
	for (uint32_t i = 0; i < rank; i++)
		values[1 + i] = draw_size(d, most[rank]);
}

static void draw_field(struct draw *d, struct op *op, const struct op_field *field)
{
	uint32_t *v = &op->value[field->value];

	switch (field->kind) {
	case FIELD_DIM:
	case FIELD_SIZE:
		v[0] = draw_named(d, field);
		break;
	case FIELD_FLAG:
		v[0] = draw_one_in(d, 3) ? !field->initial : field->initial;
		break;
	case FIELD_DTYPE:
		v[0] = draw_dtype(d, field->rule);
		break;
	case FIELD_CHOICE:
		v[0] = draw_below(d, names_in(field->rule));
		break;
	case FIELD_PAIR:
		v[0] = draw_pair(d, field);
		v[1] = draw_one_in(d, 3) ? draw_pair(d, field) : v[0];
		break;
	case FIELD_QUAD:
		for (uint32_t i = 0; i < 4; i++)
			v[i] = draw_one_in(d, 2) ? 0 : draw_below(d, 3);
		break;
	case FIELD_SHAPE:
		draw_shape(d, v);
		break;
	default: /* what depends on other fields */
		break;
	}
}

/* ---- Dynamic dimensions, by their text as anybody would give them. */

static void put_dynamic(struct draw *d, uint32_t size, char *text, size_t bytes)
{
	uint32_t low = draw_one_in(d, 2) ? 1 : size - size / 2, high = size * 2;

	switch (draw_below(d, 4)) {
	case 0:
		snprintf(text, bytes, "?%u", size);
		break;
	case 1: /* tuned as if far larger than it will be */
		snprintf(text, bytes, "?%u", size << draw_below(d, 8));
		break;
	case 2:
		snprintf(text, bytes, "?%u..%u", low, size);
		break;
	case 3:
		snprintf(text, bytes, "?%u..%u", low, high << draw_below(d, 6));
		break;
	}
}

/* As it is tuned, each tensor fits a binding of any device. */
static bool fits_bindings(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];

	for (uint32_t i = 0, count = op_tensors(op, tensors); i < count; i++)
		if (tensor_bytes(&tensors[i]) > limits_web_default.binding_bytes)
			return false;
	return true;
}

/* Sets the field to what `text` says, unless that is not allowed. */
static void try_text(struct op *op, const struct op_field *field, const char *text)
{
	struct op changed = *op;
	uint32_t seen = 0;

	if (op_set_text(&changed, &seen, field->name, text, NULL) || op_validate(&changed, NULL))
		return;
	if (fits_bindings(&changed))
		*op = changed;
}

static void make_dim_dynamic(struct draw *d, struct op *op, const struct op_field *field)
{
	char text[48];

	put_dynamic(d, op->value[field->value], text, sizeof text);
	try_text(op, field, text);
}

static void make_shape_dynamic(struct draw *d, struct op *op, const struct op_field *field)
{
	const uint32_t *v = &op->value[field->value];
	char text[192] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < v[0]; i++) {
		char one[48];
		if (draw_one_in(d, 2))
			put_dynamic(d, v[1 + i], one, sizeof one);
		else
			snprintf(one, sizeof one, "%u", v[1 + i]);
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? "," : "", one);
	}
	try_text(op, field, text);
}

static void make_dynamic(struct draw *d, struct op *op)
{
	for (uint32_t i = 0; op_field(op->kind, i); i++) {
		const struct op_field *field = op_field(op->kind, i);
		if (field->kind == FIELD_DIM && draw_one_in(d, 2))
			make_dim_dynamic(d, op, field);
		if (field->kind == FIELD_SHAPE)
			make_shape_dynamic(d, op, field);
	}
}

/* ---- Operators. */

/* Contractions and convolutions have few rows and many ways to be wrong. */
static enum op_family draw_family(struct draw *d)
{
	static const enum op_family families[] = {FAMILY_CONTRACTION, FAMILY_CONTRACTION,
	        FAMILY_CONVOLUTION, FAMILY_CONVOLUTION, FAMILY_REDUCTION, FAMILY_REDUCTION,
	        FAMILY_MAP, FAMILY_MAP, FAMILY_MAP, FAMILY_ATTENTION};

	return families[draw_below(d, sizeof families / sizeof *families)];
}

static enum op_kind draw_kind(struct draw *d)
{
	enum op_family family = draw_family(d);
	enum op_kind kind;

	if (family == FAMILY_MAP && draw_one_in(d, 6))
		return OP_MAP;
	do
		kind = (enum op_kind)draw_below(d, OP_COUNT);
	while (op_family(kind) != family);
	return kind;
}

static bool draw_fields(struct draw *d, enum op_kind kind, struct op *ret_op)
{
	struct op op;

	op_begin(op_name(kind), &op, NULL);
	for (uint32_t i = 0; op_field(kind, i); i++)
		draw_field(d, &op, op_field(kind, i));
	draw_settle(d, &op);
	*ret_op = op;
	return !op_validate(&op, NULL) && draw_suits(&op);
}

void draw_op(struct draw *d, struct op *ret_op)
{
	enum op_kind kind = draw_kind(d);
	uint32_t tries = 0;

	while (!draw_fields(d, kind, ret_op))
		if (++tries % TRIES_MAX == 0)
			kind = draw_kind(d);
	if (draw_one_in(d, 2))
		make_dynamic(d, ret_op);
}
