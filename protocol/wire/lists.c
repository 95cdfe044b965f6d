/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers and writers of the kinds that are lists of numbers. A reader that fails leaves its answer
 * untouched.
 */
#include "protocol/wire/member.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int read_CANDIDATES(const json_t *object, const struct rule *rule,
        struct wire_candidates *ret_value, struct error *err)
{
	const json_t *array = json_object_get(object, rule->name), *number;
	struct wire_candidates candidates = {.count = (uint32_t)json_array_size(array)};
	bool seen[WIRE_CANDIDATES_MAX] = {0};
	size_t i;

	if (!json_array_size(array) || json_array_size(array) > WIRE_CANDIDATES_MAX)
		return refuse(rule, err);
	json_array_foreach(array, i, number)
	{
		json_int_t at = json_is_integer(number) ? json_integer_value(number) : -1;
		if (at < 0 || at >= WIRE_CANDIDATES_MAX || seen[at])
			return error_set(err, -EBADMSG, rule->name,
			        "%s must be distinct numbers from 0 to %d", rule->name,
			        WIRE_CANDIDATES_MAX - 1);
		seen[at] = true;
		candidates.at[i] = (uint32_t)at;
	}
	*ret_value = candidates;
	return 0;
}

bool write_CANDIDATES(json_t *object, const char *name, const struct wire_candidates *value)
{
	json_t *array = json_array();
	bool done = true;

	for (uint32_t i = 0; i < value->count; i++)
		done &= !json_array_append_new(array, json_integer(value->at[i]));
	return put(object, name, array) && done;
}

#define DIMS_MAX 4

int read_DIMS(const json_t *object, const struct rule *rule, struct wire_dims *ret_value,
        struct error *err)
{
	const json_t *array = json_object_get(object, rule->name);
	struct wire_dims dims;

	if (json_array_size(array) != DIMS_MAX)
		return refuse(rule, err);
	for (size_t i = 0; i < DIMS_MAX; i++) {
		const json_t *number = json_array_get(array, i);
		json_int_t value = json_is_integer(number) ? json_integer_value(number) : -1;
		if (value < 0 || value > UINT32_MAX)
			return refuse(rule, err);
		dims.at[i] = (uint32_t)value;
	}
	*ret_value = dims;
	return 0;
}

bool write_DIMS(json_t *object, const char *name, const struct wire_dims *value)
{
	return put(object, name,
	        json_pack("[I,I,I,I]", (json_int_t)value->at[0], (json_int_t)value->at[1],
	                (json_int_t)value->at[2], (json_int_t)value->at[3]));
}

void wire_samples_free(struct wire_samples *samples)
{
	free((void *)(uintptr_t)samples->candidates);
	free((void *)(uintptr_t)samples->ns);
	*samples = (struct wire_samples){0};
}

/* What is read into. */
struct times {
	uint32_t count, rounds;
	uint32_t *candidates;
	double *ns;
};

/* One candidate's times; they must be as many as the first one's. */
static bool take_times(struct times *all, uint32_t i, const char *name, const json_t *times)
{
	char *end;
	unsigned long candidate = strtoul(name, &end, 10);

	if (*end || !*name || candidate >= WIRE_CANDIDATES_MAX ||
	        json_array_size(times) != all->rounds)
		return false;
	all->candidates[i] = (uint32_t)candidate;
	for (uint32_t round = 0; round < all->rounds; round++)
		all->ns[round * all->count + i] = json_number_value(json_array_get(times, round));
	return true;
}

int read_SAMPLES(const json_t *object, const struct rule *rule, struct wire_samples *ret_value,
        struct error *err)
{
	json_t *named = json_object_get(object, rule->name), *times;
	const json_t *first = json_object_iter_value(json_object_iter(named));
	struct times all = {.count = (uint32_t)json_object_size(named),
	        .rounds = (uint32_t)json_array_size(first)};
	const char *name;
	uint32_t i = 0;

	if (!json_is_object(named) || json_object_size(named) > WIRE_CANDIDATES_MAX ||
	        json_array_size(first) > WIRE_SAMPLES_MAX)
		return refuse(rule, err);
	all.candidates = calloc(all.count + 1, sizeof *all.candidates);
	all.ns = calloc((size_t)all.count * all.rounds + 1, sizeof *all.ns);
	struct wire_samples samples = {all.count, all.rounds, all.candidates, all.ns};
	bool good = all.candidates && all.ns;
	json_object_foreach(named, name, times) good = good && take_times(&all, i++, name, times);
	if (good)
		*ret_value = samples;
	else
		wire_samples_free(&samples);
	return good ? 0 : refuse(rule, err);
}

bool write_SAMPLES(json_t *object, const char *name, const struct wire_samples *value)
{
	json_t *all = json_object();
	bool done = true;
	char number[16];

	for (uint32_t i = 0; i < value->count; i++) {
		json_t *times = json_array();
		for (uint32_t round = 0; round < value->rounds; round++)
			done &= !json_array_append_new(
			        times, json_real(value->ns[round * value->count + i]));
		snprintf(number, sizeof number, "%" PRIu32, value->candidates[i]);
		done &= put(all, number, times);
	}
	return put(object, name, all) && done;
}

/* ---- Devices. */
