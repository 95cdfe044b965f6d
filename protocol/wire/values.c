/* SPDX-License-Identifier: Apache-2.0
 *
 * A device's limits, features, facts and ids as JSON and back, by the rows of features.def and
 * facts.def. Must not refuse anything: what is missing or makes no sense is 0.
 */
#include "protocol/wire/wire.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Limits: one row a field; all but one are 32 bits wide. */

static const struct limit_field {
	const char *name;
	size_t offset;
	bool wide;
} limit_fields[] = {
#define LIMIT(field)                                                                           \
	{                                                                                      \
#field, offsetof(struct limits, field), sizeof((struct limits *)0)->field == 8 \
	}
        LIMIT(invocations),
        LIMIT(size_x),
        LIMIT(size_y),
        LIMIT(size_z),
        LIMIT(workgroups),
        LIMIT(workgroup_bytes),
        LIMIT(storage_buffers),
        LIMIT(binding_bytes),
        LIMIT(subgroup_min),
        LIMIT(subgroup_max),
#undef LIMIT
};
#define LIMIT_FIELDS (sizeof limit_fields / sizeof *limit_fields)

/* [[m, n, k], ...] */
static json_t *matrices_json(const struct limits *limits)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < MATRIX_SHAPES_MAX && limits->matrices[i].m; i++) {
		const struct matrix_shape *shape = &limits->matrices[i];
		json_array_append_new(array, json_pack("[i,i,i]", shape->m, shape->n, shape->k));
	}
	return array;
}

json_t *wire_limits_json(const struct limits *limits)
{
	json_t *object = json_object();

	for (size_t i = 0; i < LIMIT_FIELDS; i++) {
		const char *at = (const char *)limits + limit_fields[i].offset;
		uint64_t value = limit_fields[i].wide ? *(const uint64_t *)at
		                                      : *(const uint32_t *)at;
		if (value > INT64_MAX)
			value = INT64_MAX;
		json_object_set_new(object, limit_fields[i].name, json_integer((json_int_t)value));
	}
	json_object_set_new(object, "matrices", matrices_json(limits));
	return object;
}

/* A count out of JSON: what is no number or below zero is 0, what is too large the largest. */
static uint64_t count_of(const json_t *value, uint64_t most)
{
	json_int_t count = json_integer_value(value);

	if (count <= 0)
		return 0;
	return (uint64_t)count < most ? (uint64_t)count : most;
}

static uint16_t size_of(const json_t *shape, size_t i)
{
	return (uint16_t)count_of(json_array_get(shape, i), UINT16_MAX);
}

static void matrices_parse(const json_t *array, struct limits *limits)
{
	for (size_t i = 0, count = 0; i < json_array_size(array) && count < MATRIX_SHAPES_MAX;
	        i++) {
		const json_t *of = json_array_get(array, i);
		struct matrix_shape shape = {size_of(of, 0), size_of(of, 1), size_of(of, 2)};
		if (shape.m && shape.n && shape.k)
			limits->matrices[count++] = shape;
	}
}

void wire_limits_parse(const json_t *object, const json_t *features, struct limits *ret_limits)
{
	struct limits limits = {.features = wire_features_parse(features)};

	for (size_t i = 0; i < LIMIT_FIELDS; i++) {
		char *at = (char *)&limits + limit_fields[i].offset;
		const json_t *value = json_object_get(object, limit_fields[i].name);
		if (limit_fields[i].wide)
			*(uint64_t *)at = count_of(value, UINT64_MAX);
		else
			*(uint32_t *)at = (uint32_t)count_of(value, UINT32_MAX);
	}
	matrices_parse(json_object_get(object, "matrices"), &limits);
	*ret_limits = limits;
}

/* ---- Features, by the names of features.def. */

json_t *wire_features_json(uint32_t features)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < FEATURE_COUNT; i++)
		if (features >> i & 1)
			json_array_append_new(
			        array, json_string(feature_info((enum feature_number)i)->name));
	return array;
}

uint32_t wire_feature_parse(const char *name)
{
	for (uint32_t i = 0; name && i < FEATURE_COUNT; i++)
		if (!strcmp(name, feature_info((enum feature_number)i)->name))
			return 1u << i;
	return 0;
}

uint32_t wire_features_parse(const json_t *array)
{
	uint32_t features = 0;

	for (size_t i = 0; i < json_array_size(array); i++)
		features |= wire_feature_parse(json_string_value(json_array_get(array, i)));
	return features;
}

/* ---- Facts, by the rows of facts.def. */

static json_t *caches_json(const struct facts *facts)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < FACTS_CACHES && facts->caches[i].bytes > 0; i++)
		json_array_append_new(
		        array, json_pack("{s:f, s:f}", "bytes", facts->caches[i].bytes, "gbps",
		                       facts->caches[i].gbps));
	return array;
}

json_t *wire_facts_json(const struct facts *facts)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < FACT_COUNT; i++)
		json_object_set_new(
		        object, fact_infos[i].name, json_real(fact_value(facts, (enum fact)i)));
	json_object_set_new(object, "caches", caches_json(facts));
	json_object_set_new(object, "cpu", json_boolean(facts->cpu));
	json_object_set_new(object, "version", json_integer(facts->version));
	return object;
}

static double measure_of(const json_t *object, const char *name)
{
	double value = json_number_value(json_object_get(object, name));

	return value > 0 ? value : 0;
}

void wire_facts_parse(const json_t *object, struct facts *ret_facts)
{
	const json_t *caches = json_object_get(object, "caches");
	struct facts facts = {.cpu = json_is_true(json_object_get(object, "cpu")),
	        .version = (uint32_t)count_of(json_object_get(object, "version"), UINT32_MAX)};

	for (uint32_t i = 0; i < FACT_COUNT; i++)
		fact_set(&facts, (enum fact)i, measure_of(object, fact_infos[i].name));
	for (uint32_t i = 0; i < FACTS_CACHES; i++) {
		const json_t *cache = json_array_get(caches, i);
		facts.caches[i].bytes = measure_of(cache, "bytes");
		facts.caches[i].gbps = measure_of(cache, "gbps");
	}
	*ret_facts = facts;
}

/* ---- Ids. */

json_t *wire_hex(uint64_t id)
{
	char text[17];

	snprintf(text, sizeof text, "%016" PRIx64, id);
	return json_string(text);
}

uint64_t wire_hex_parse(const json_t *text)
{
	const char *digits = json_string_value(text);

	if (!digits || strlen(digits) != 16 || strspn(digits, "0123456789abcdefABCDEF") != 16)
		return 0;
	return strtoull(digits, NULL, 16);
}
