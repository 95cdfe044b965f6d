/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads manifests and sets their values. A manifest is checked whole when it is read, so that
 * nobody later has to ask what kind of JSON a member is; what its expressions come to is found out
 * when they are asked for.
 */
#include "protocol/models/state.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>

#define MANIFEST_ROWS_MAX 512
#define NAME_MAX_BYTES    40

const struct model_dtype model_dtypes[] = {
        {"f32", false, false},
        {"f16", true, false},
        {"q4", false, true},
        {"q4f16", true, true},
        {NULL, false, false},
};

/* ---- Checking JSON against what a manifest may hold. */

enum kind {
	KIND_TEXT,
	KIND_WHOLE,  /* a number */
	KIND_NUMBER, /* a number or an expression */
	KIND_FLAG,
	KIND_OBJECT,
	KIND_ARRAY
};
struct member {
	const char *name;
	enum kind kind;
	bool required;
};
static const struct member manifest_members[] = {
        {"name", KIND_TEXT, true},
        {"title", KIND_TEXT, true},
        {"parameters", KIND_WHOLE, true},
        {"inputs", KIND_OBJECT, true},
        {"sizes", KIND_OBJECT, true},
        {"at_most", KIND_OBJECT, false},
        {"ops", KIND_ARRAY, true},
        {NULL, KIND_TEXT, false},
};
static const struct member row_members[] = {
        {"name", KIND_TEXT, true},
        {"op", KIND_TEXT, false},
        {"times", KIND_NUMBER, false},
        {"weights", KIND_NUMBER, false},
        {"linear", KIND_FLAG, false},
        {"big", KIND_FLAG, false},
        {NULL, KIND_TEXT, false},
};

static bool is_whole(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* NULL if the value is of the kind, else what it must be. */
static const char *kind_refusal(const json_t *value, enum kind kind)
{
	switch (kind) {
	case KIND_TEXT:
		return json_is_string(value) ? NULL : "text";
	case KIND_WHOLE:
		return is_whole(value) ? NULL : "a whole number";
	case KIND_NUMBER:
		return is_whole(value) || json_is_string(value)
		               ? NULL
		               : "a whole number or an expression as text";
	case KIND_FLAG:
		return json_is_boolean(value) ? NULL : "true or false";
	case KIND_OBJECT:
		return json_is_object(value) ? NULL : "an object";
	case KIND_ARRAY:
		return json_is_array(value) ? NULL : "an array";
	}
	return NULL;
}

static int check_members(
        json_t *object, const struct member *members, const char *where, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		const struct member *m = members;
		while (m->name && strcmp(m->name, name))
			m++;
		if (!m->name)
			return error_set(
			        err, -EBADMSG, name, "%s: '%.40s' means nothing here", where, name);
		const char *must = kind_refusal(value, m->kind);
		if (must)
			return error_set(
			        err, -EBADMSG, name, "%s: %s must be %s", where, name, must);
	}
	for (const struct member *m = members; m->name; m++)
		if (m->required && !json_object_get(object, m->name))
			return error_set(
			        err, -EBADMSG, m->name, "%s: %s is missing", where, m->name);
	return 0;
}

static int check_rows(const json_t *rows, const char *model, struct error *err)
{
	char where[NAME_MAX_BYTES + 24];
	json_t *row;
	size_t i;

	if (json_array_size(rows) > MANIFEST_ROWS_MAX)
		return error_set(err, -EBADMSG, "ops",
		        "%s: ops holds %zu rows, at most %d are read", model, json_array_size(rows),
		        MANIFEST_ROWS_MAX);
	json_array_foreach((json_t *)rows, i, row)
	{
		snprintf(where, sizeof where, "%s: ops[%zu]", model, i);
		if (!json_is_object(row))
			return error_set(err, -EBADMSG, "ops", "%s must be an object", where);
		int r = check_members(row, row_members, where, err);
		if (r)
			return r;
	}
	return 0;
}

/* Names are what expressions can spell: a letter, then letters, digits, _. */
static bool is_name(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	return length > 0 && length < NAME_MAX_BYTES && isalpha((unsigned char)name[0]);
}

static bool is_called(const char *name, size_t length, const char *text)
{
	return strlen(text) == length && !memcmp(text, name, length);
}

static struct model_value *find_value(const struct model *model, const char *name, size_t length)
{
	for (uint32_t i = 0; i < model->count; i++) {
		const struct model_value *value = &model->values[i];
		if (is_called(name, length, value->name))
			return (struct model_value *)value;
	}
	return NULL;
}

/* Names that answer until 1.0: a former one for an input of the present name, and the present one
 * for an input of somebody's own manifest that still has the former. */
static const struct {
	const char *former, *name;
} renamed[] = {{"target", "target_seq"}};

/* A value by its own name, or by the other one that it has. */
static struct model_value *find_named(const struct model *model, const char *name, size_t length)
{
	struct model_value *value = find_value(model, name, length);

	for (size_t i = 0; !value && i < sizeof renamed / sizeof *renamed; i++) {
		const char *other = is_called(name, length, renamed[i].former) ? renamed[i].name
		                    : is_called(name, length, renamed[i].name) ? renamed[i].former
		                                                               : "";
		value = find_value(model, other, strlen(other));
	}
	return value;
}

static int add_values(struct model *model, json_t *object, bool input, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		const char *must = kind_refusal(value, input ? KIND_WHOLE : KIND_NUMBER);
		if (must || !is_name(name))
			return error_set(err, -EBADMSG, name, "%s: '%.40s' must %s %s", model->name,
			        name, must ? "be" : "begin with a letter and hold",
			        must ? must : "letters, digits and _ alone");
		if (find_value(model, name, strlen(name)) || model->count == MODEL_VALUES_MAX)
			return error_set(err, -EBADMSG, name, "%s: %s", model->name,
			        model->count == MODEL_VALUES_MAX
			                ? "it has more than 48 inputs and sizes"
			                : "a size has the name of an input");
		model->values[model->count++] = (struct model_value){
		        .name = name, .stated = value, .input = input};
	}
	return 0;
}

static int check_bounds(const struct model *model, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(model->manifest, "at_most"), name, value)
	{
		const char *must = kind_refusal(value, KIND_NUMBER);
		if (must || !model_has(model, name))
			return error_set(err, -EBADMSG, name, "%s: at_most: '%.40s' %s",
			        model->name, name,
			        must ? "must be a number or an expression"
			             : "is no input and no size");
	}
	return 0;
}

static int read_members(struct model *model, struct error *err)
{
	json_t *manifest = model->manifest;

	if (!json_is_object(manifest))
		return error_set(err, -EBADMSG, "", "a manifest is an object");
	const char *name = json_string_value(json_object_get(manifest, "name"));
	model->name = name && strlen(name) < NAME_MAX_BYTES ? name : "the manifest";
	int r = check_members(manifest, manifest_members, model->name, err);
	if (!r)
		r = check_rows(json_object_get(manifest, "ops"), model->name, err);
	if (!r)
		r = add_values(model, json_object_get(manifest, "inputs"), true, err);
	if (!r)
		r = add_values(model, json_object_get(manifest, "sizes"), false, err);
	return r ? r : check_bounds(model, err);
}

static void free_slot(struct model **model)
{
	model_free(*model);
}

int model_read(json_t *manifest, struct model **ret_model, struct error *err)
{
	AUTO(free_slot) struct model *model = calloc(1, sizeof *model);

	if (!model)
		return error_set(err, -ENOMEM, "", "out of memory");
	model->manifest = json_incref(manifest);
	int r = read_members(model, err);
	if (!r)
		*ret_model = TAKE(model);
	return r;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	json_decref(model->manifest);
	free(model);
}

/* ---- The folder. */

#define SUFFIX ".json"

/* Names of files that stay in the folder: no slash, no leading dot. */
static bool is_file_name(const char *name)
{
	size_t length = strlen(name);

	if (!length || length >= NAME_MAX_BYTES || !isalnum((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
	        json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static void sort_names(json_t *names)
{
	size_t count = json_array_size(names);
	AUTO(free_pointer) json_t **order = malloc((count + 1) * sizeof *order);

	for (size_t i = 0; order && i < count; i++)
		order[i] = json_incref(json_array_get(names, i));
	if (!order)
		return;
	qsort(order, count, sizeof *order, by_name);
	for (size_t i = 0; i < count; i++)
		json_array_set_new(names, i, order[i]);
}

int model_names(const char *dir, json_t **ret_names, struct error *err)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;

	if (!folder)
		return error_set(err, -ENOENT, "model",
		        "the models folder %.120s cannot be read: %s", dir, strerror(errno));
	json_t *names = json_array();
	while ((entry = readdir(folder))) {
		size_t length = strlen(entry->d_name), suffix = strlen(SUFFIX);
		if (length <= suffix || strcmp(entry->d_name + length - suffix, SUFFIX))
			continue;
		entry->d_name[length - suffix] = '\0';
		if (is_file_name(entry->d_name))
			json_array_append_new(names, json_string(entry->d_name));
	}
	closedir(folder);
	if (!names)
		return error_set(err, -ENOMEM, "", "out of memory");
	sort_names(names);
	*ret_names = names;
	return 0;
}

static int no_model(const char *dir, const char *name, struct error *err)
{
	char known[200] = "";
	json_t *names, *known_name;
	size_t at = 0, i;
	int r = model_names(dir, &names, err);

	if (r)
		return r;
	json_array_foreach(names, i, known_name)
	{
		if (at < sizeof known)
			at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
			        json_string_value(known_name));
	}
	json_decref(names);
	return error_set(err, -ENOENT, "model", "there is no model '%.32s'; there are %s", name,
	        *known ? known : "none");
}

static void drop_json(json_t **json)
{
	json_decref(*json);
}

int model_load(const char *dir, const char *name, struct model **ret_model, struct error *err)
{
	AUTO(free_pointer) char *path = NULL;
	json_error_t error;

	if (!is_file_name(name))
		return no_model(dir, name, err);
	if (asprintf(&path, "%s/%s" SUFFIX, dir, name) < 0) {
		path = NULL;
		return error_set(err, -ENOMEM, "", "out of memory");
	}
	AUTO(drop_json) json_t *manifest = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!manifest && json_error_code(&error) == json_error_cannot_open_file)
		return no_model(dir, name, err);
	if (!manifest)
		return error_set(err, -EBADMSG, "", "%s" SUFFIX ":%d:%d: %.120s", name, error.line,
		        error.column, error.text);
	int r = model_read(manifest, ret_model, err);
	if (!r && strcmp((*ret_model)->name, name)) {
		r = error_set(err, -EBADMSG, "name", "%s" SUFFIX " calls itself '%s'", name,
		        (*ret_model)->name);
		model_free(*ret_model);
	}
	return r;
}

/* ---- What it says, and other values. */

const char *model_name(const struct model *model)
{
	return model->name;
}

const char *model_title(const struct model *model)
{
	return json_string_value(json_object_get(model->manifest, "title"));
}

uint64_t model_parameters(const struct model *model)
{
	return (uint64_t)json_integer_value(json_object_get(model->manifest, "parameters"));
}

const char *model_dtype(const struct model *model)
{
	return model_dtypes[model->dtype].name;
}

bool model_has(const struct model *model, const char *name)
{
	return find_value(model, name, strlen(name));
}

/* Lists what there is, after a name that is not. */
static int no_value(
        const struct model *model, const char *name, size_t length, bool input, struct error *err)
{
	char known[150] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < model->count && at < sizeof known; i++)
		if (!input || model->values[i].input)
			at += (size_t)snprintf(known + at, sizeof known - at, "%s%s",
			        at ? ", " : "", model->values[i].name);
	char field[NAME_MAX_BYTES];
	snprintf(field, sizeof field, "%.*s", (int)(length < 31 ? length : 31), name);
	return error_set(err, -EINVAL, field, "%s has no %s '%s'; it has %s", model->name,
	        input ? "input" : "input or size", field, known);
}

int model_set(struct model *model, const char *name, uint64_t number, struct error *err)
{
	struct model_value *value = find_named(model, name, strlen(name));

	if (!value)
		return no_value(model, name, strlen(name), false, err);
	if (number > OP_DIM_MAX)
		return error_set(err, -EINVAL, name, "%s=%llu: must be at most %u", name,
		        (unsigned long long)number, OP_DIM_MAX);
	value->set = number;
	value->given = true;
	return 0;
}

int model_set_all(struct model *model, const char *values, struct error *err)
{
	while (*values) {
		char name[NAME_MAX_BYTES], *end;
		size_t item = strcspn(values, ","), length = strcspn(values, "=,");
		const char *digits = values + length + 1;
		if (!length || length >= sizeof name || values[length] != '=' ||
		        !isdigit((unsigned char)*digits))
			return error_set(err, -EINVAL, "sizes",
			        "'%.*s' is not of the form name=number; write sizes as "
			        "hidden=64,layers=2",
			        (int)(item < 40 ? item : 40), values);
		snprintf(name, sizeof name, "%.*s", (int)length, values);
		unsigned long long number = strtoull(digits, &end, 10);
		if (end != values + item)
			return error_set(err, -EINVAL, name, "%s=%.*s: must be a whole number",
			        name, (int)(item - length < 30 ? item - length - 1 : 30), digits);
		int r = model_set(model, name, number, err);
		if (r)
			return r;
		values += item + (values[item] == ',');
	}
	return 0;
}

int model_set_dynamic(struct model *model, const char *names, struct error *err)
{
	while (*names) {
		size_t length = strcspn(names, ",");
		struct model_value *value = find_named(model, names, length);
		if (!value || !value->input)
			return no_value(model, names, length, true, err);
		value->dynamic = true;
		names += length + (names[length] == ',');
	}
	return 0;
}

int model_set_dtype(struct model *model, const char *dtype, struct error *err)
{
	for (uint32_t i = 0; model_dtypes[i].name; i++) {
		if (strcmp(model_dtypes[i].name, dtype))
			continue;
		model->dtype = i;
		return 0;
	}
	return error_set(
	        err, -EINVAL, "dtype", "dtype must be f32, f16, q4 or q4f16, not '%.20s'", dtype);
}
