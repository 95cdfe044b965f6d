/* SPDX-License-Identifier: Apache-2.0
 *
 * From a manifest's rows to operators: expressions in braces become numbers (or dynamic
 * dimensions), the text becomes an operator, its element types become those asked for, and what
 * several rows ask for is listed once.
 */
#include "protocol/models/state.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define BLOCK 32 /* weights of 4 bits that share a scale */

/* ---- Values. */

/* Puts the model and the place before what is said already. */
static int locate(const struct model *model, const char *where, int code, struct error *err)
{
	struct error inner;

	if (!err)
		return code;
	inner = *err;
	return error_set(
	        err, code, inner.field, "%s, %.60s: %.150s", model->name, where, inner.text);
}

int model_number(const struct model_scope *scope, const struct model_stated *stated,
        uint64_t *ret_number, struct error *err)
{
	const char *text = json_string_value(stated->value);
	struct expression_value value;

	if (!text) {
		*ret_number = stated->value ? (uint64_t)json_integer_value(stated->value)
		                            : stated->otherwise;
		return 0;
	}
	int r = expression_evaluate(text, strlen(text), &scope->names, &value, err);
	if (r)
		return locate(scope->model, stated->whose, r, err);
	*ret_number = value.number;
	return 0;
}

static int check_bounds(const struct model_scope *scope, struct error *err)
{
	const struct model *model = scope->model;
	const char *name;
	json_t *bound;

	json_object_foreach(json_object_get(model->manifest, "at_most"), name, bound)
	{
		const struct model_stated stated = {.whose = name, .value = bound};
		const char *rule = json_string_value(bound);
		uint64_t most, value = 0;
		int r = model_number(scope, &stated, &most, err);
		if (r)
			return r;
		for (uint32_t i = 0; i < scope->names.count; i++)
			if (!strcmp(scope->known[i].name, name))
				value = scope->known[i].value;
		if (value > most)
			return error_set(err, -EINVAL, name,
			        "%s=%llu: %s allows at most %llu%s%.60s%s", name,
			        (unsigned long long)value, model->name, (unsigned long long)most,
			        rule ? " (" : "", rule ? rule : "", rule ? ")" : "");
	}
	return 0;
}

int model_scope_fill(const struct model *model, struct model_scope *ret_scope, struct error *err)
{
	struct model_scope *scope = ret_scope;

	scope->model = model;
	scope->names = (struct expression_names){scope->known, 0};
	for (uint32_t i = 0; i < model->count; i++) {
		const struct model_value *value = &model->values[i];
		const struct model_stated stated = {.whose = value->name, .value = value->stated};
		uint64_t number = value->set;
		int r = value->given ? 0 : model_number(scope, &stated, &number, err);
		if (r)
			return r;
		scope->known[i] = (struct expression_name){value->name, number, value->dynamic};
		scope->names.count++;
	}
	return check_bounds(scope, err);
}

static int list_values(
        const struct model *model, bool inputs, json_t **ret_object, struct error *err)
{
	struct model_scope scope;
	int r = model_scope_fill(model, &scope, err);

	if (r)
		return r;
	json_t *object = json_object();
	for (uint32_t i = 0; i < model->count; i++)
		if (model->values[i].input == inputs)
			json_object_set_new(object, model->values[i].name,
			        json_integer((json_int_t)scope.known[i].value));
	*ret_object = object;
	return object ? 0 : error_set(err, -ENOMEM, "", "out of memory");
}

int model_inputs(const struct model *model, json_t **ret_inputs, struct error *err)
{
	return list_values(model, true, ret_inputs, err);
}

int model_sizes(const struct model *model, json_t **ret_sizes, struct error *err)
{
	return list_values(model, false, ret_sizes, err);
}

/* ---- Text: `{expression}`, or `{expression..most}` for what may grow up to `most`. */

struct expansion {
	const struct model_scope *scope;
	bool dynamic; /* dynamic values become dynamic dimensions where a field can be one */
	char text[2 * OP_TEXT_BYTES];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct expansion *w, const char *format, ...)
{
	size_t room = sizeof w->text - w->length;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(w->text + w->length, room, format, args);
	va_end(args);
	w->length += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

static int put_expression(
        struct expansion *w, const char *inner, const char *end, bool may, struct error *err)
{
	const char *dots = memmem(inner, (size_t)(end - inner), "..", 2);
	const char *stop = dots ? dots : end;
	const struct expression_names *names = &w->scope->names;
	struct expression_value value, most = {0};
	int r = expression_evaluate(inner, (size_t)(stop - inner), names, &value, err);

	if (!r && dots)
		r = expression_evaluate(dots + 2, (size_t)(end - dots - 2), names, &most, err);
	if (r)
		return r;
	if (!value.dynamic || !may || !w->dynamic)
		put(w, "%llu", (unsigned long long)value.number);
	else if (dots)
		put(w, "?1..%llu", (unsigned long long)most.number);
	else
		put(w, "?%llu", (unsigned long long)value.number);
	return 0;
}

/* Whether the field of the word `name=...` of this operator can be dynamic. */
static bool takes_dynamic(const char *operator, const char * word)
{
	size_t length = strcspn(word, "=");
	struct op op;

	if (op_begin(operator, & op, NULL))
		return false;
	for (uint32_t i = 0; op_field(op.kind, i); i++) {
		const struct op_field *field = op_field(op.kind, i);
		if (strlen(field->name) == length && !memcmp(field->name, word, length))
			return field->kind == FIELD_DIM || field->kind == FIELD_SHAPE;
	}
	return false;
}

static int write_op(struct expansion *w, const char *text, struct error *err)
{
	char operator[32];
	bool may = false;

	snprintf(operator, sizeof operator, "%.*s", (int)strcspn(text, " "), text);
	while (*text) {
		const char *end = *text == '{' ? strchr(text, '}') : NULL;
		if (*text == '{' && !end)
			return error_set(err, -EINVAL, "", "a } is missing after '%.40s'", text);
		if (*text == ' ')
			may = takes_dynamic(operator, text + 1);
		if (end) {
			int r = put_expression(w, text + 1, end, may, err);
			if (r)
				return r;
			text = end;
		} else {
			put(w, "%c", *text);
		}
		text++;
	}
	return 0;
}

/* With dynamic dimensions where the operator allows them, else without. */
static int read_op(
        const struct model_scope *scope, const char *text, struct op *ret_op, struct error *err)
{
	struct expansion w = {.scope = scope, .dynamic = true};
	int r = write_op(&w, text, err);

	if (r)
		return r;
	if (!op_parse(w.text, ret_op, err))
		return 0;
	w = (struct expansion){.scope = scope};
	r = write_op(&w, text, err);
	if (!r)
		r = op_parse(w.text, ret_op, err) ? -EINVAL : 0;
	return r;
}

/* ---- Element types. */

static bool rule_has(const char *rule, const char *name)
{
	size_t length = strlen(name);

	for (; *rule; rule += strcspn(rule, ","), rule += *rule == ',')
		if (strcspn(rule, ",") == length && !memcmp(rule, name, length))
			return true;
	return false;
}

static void make_half(struct op *op)
{
	for (uint32_t i = 0; op_field(op->kind, i); i++) {
		const struct op_field *field = op_field(op->kind, i);
		if (field->kind == FIELD_DTYPE && strcmp(field->name, "acc") &&
		        op->value[field->value] == DTYPE_F32 && rule_has(field->rule, "f16"))
			op->value[field->value] = DTYPE_F16;
	}
}

/* A linear layer with its weights in 4 bits. A factor of the product goes into their scales. */
static struct op quantised(const struct op *from)
{
	static const uint32_t pairs[][2] = {{MATMUL_M, MATMUL_NBITS_M}, {MATMUL_N, MATMUL_NBITS_N},
	        {MATMUL_K, MATMUL_NBITS_K}, {MATMUL_A, MATMUL_NBITS_A},
	        {MATMUL_A, MATMUL_NBITS_SCALES}, {MATMUL_BIAS, MATMUL_NBITS_BIAS},
	        {MATMUL_RESIDUAL, MATMUL_NBITS_RESIDUAL}, {MATMUL_ACT, MATMUL_NBITS_ACT},
	        {MATMUL_PITCH, MATMUL_NBITS_PITCH}};
	struct op op;

	if (op_begin("matmul_nbits", &op, NULL))
		return *from;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		int n = op_dynamic_at(from, pairs[i][0]);
		op.value[pairs[i][1]] = from->value[pairs[i][0]];
		if (n >= 0) {
			op.dynamic[op.dynamic_count] = from->dynamic[n];
			op.dynamic[op.dynamic_count++].value = pairs[i][1];
		}
	}
	op.value[MATMUL_NBITS_BLOCK] = BLOCK;
	return op;
}

static int set_types(const struct model *model, bool linear, struct op *op, struct error *err)
{
	const struct model_dtype *dtype = &model_dtypes[model->dtype];

	if (linear && (op->kind != OP_MATMUL || op->value[MATMUL_BATCH] != 1))
		return error_set(
		        err, -EBADMSG, "linear", "a linear layer is a matmul without batch");
	if (linear && dtype->quantised)
		*op = quantised(op);
	if (dtype->half)
		make_half(op);
	return op_validate(op, err) ? -EINVAL : 0;
}

/* ---- Rows. */

static struct model_op *find_op(const struct model_list *list, const char *text)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (!strcmp(list->ops[i].text, text))
			return &list->ops[i];
	return NULL;
}

/* Names that do not fit are left out, and dots say so. */
static void add_name(struct model_op *op, const char *name)
{
	size_t has = strlen(op->name), more = strlen(name) + 2;

	if (has + more + 5 < sizeof op->name)
		snprintf(op->name + has, sizeof op->name - has, "%s%s", has ? "; " : "", name);
	else if (!has)
		snprintf(op->name, sizeof op->name, "%s", name);
	else if (has < 4 || strcmp(op->name + has - 4, " ..."))
		snprintf(op->name + has, sizeof op->name - has, "; ...");
}

static void add_op(struct model_list *list, const struct op *op, const json_t *row, uint64_t times)
{
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	struct model_op *at = find_op(list, text);
	if (!at) {
		at = &list->ops[list->count++];
		at->op = *op;
		memcpy(at->text, text, sizeof text);
	}
	add_name(at, json_string_value(json_object_get(row, "name")));
	at->times += times;
	at->big |= json_is_true(json_object_get(row, "big"));
}

/* How often a row runs, and its weights are counted. */
static int read_counts(const struct model_scope *scope, const json_t *row, uint64_t *ret_times,
        uint64_t *ret_weights, struct error *err)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	const struct model_stated times = {name, json_object_get(row, "times"), 1};
	const struct model_stated weights = {name, json_object_get(row, "weights"), 0};
	int r = model_number(scope, &times, ret_times, err);

	*ret_weights = 0;
	return r || !*ret_times ? r : model_number(scope, &weights, ret_weights, err);
}

static int add_row(const struct model_scope *scope, const json_t *row, struct model_list *list,
        struct error *err)
{
	const struct model *model = scope->model;
	const char *name = json_string_value(json_object_get(row, "name"));
	const char *text = json_string_value(json_object_get(row, "op"));
	uint64_t times, weights, product;
	struct op op;
	int r = read_counts(scope, row, &times, &weights, err);

	if (r || !times)
		return r;
	if (times > UINT32_MAX || __builtin_mul_overflow(times, weights, &product) ||
	        __builtin_add_overflow(list->parameters, product, &list->parameters))
		return error_set(err, -EINVAL, "", "%s, %.60s: times or weights are too many",
		        model->name, name);
	if (!text)
		return 0;
	r = read_op(scope, text, &op, err);
	if (!r)
		r = set_types(model, json_is_true(json_object_get(row, "linear")), &op, err);
	if (r)
		return locate(model, name, r, err);
	add_op(list, &op, row, times);
	return 0;
}

int model_expand(const struct model *model, struct model_list *ret_list, struct error *err)
{
	AUTO(model_list_free) struct model_list list = {0};
	const json_t *rows = json_object_get(model->manifest, "ops");
	struct model_scope scope;
	int r = model_scope_fill(model, &scope, err);

	list.ops = calloc(json_array_size(rows) + 1, sizeof *list.ops);
	if (!r && !list.ops)
		r = error_set(err, -ENOMEM, "", "out of memory");
	for (size_t i = 0; !r && i < json_array_size(rows); i++)
		r = add_row(&scope, json_array_get(rows, i), &list, err);
	if (r)
		return r;
	*ret_list = list;
	list = (struct model_list){0};
	return 0;
}

void model_list_free(struct model_list *list)
{
	free(list->ops);
	*list = (struct model_list){0};
}
