/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices of all APIs in one list. Must not know what an API asks its drivers. Invariant: no
 * two adapters share an id.
 */
#include "daemon/gpu/adapter.h"
#include "daemon/gpu/answer.h"

#include <stdio.h>
#include <stdlib.h>

const struct gpu_api *const gpu_apis[] = {&gpu_vulkan};
_Static_assert(sizeof gpu_apis / sizeof *gpu_apis == GPU_API_COUNT, "every API is listed");

const char *adapter_kind_name(enum adapter_kind kind)
{
	static const char *const names[] = {
	        [ADAPTER_OTHER] = "other",
	        [ADAPTER_INTEGRATED] = "integrated",
	        [ADAPTER_DISCRETE] = "discrete",
	        [ADAPTER_VIRTUAL] = "virtual",
	        [ADAPTER_CPU] = "cpu",
	};

	return names[kind];
}

/* The same driver may be found twice, say from two browsers: the first one counts. */
static int add_all(struct adapters *adapters, const struct gpu_listing *listing, struct error *err)
{
	const struct adapter **all = realloc(
	        adapters->all, (adapters->count + listing->count + 1) * sizeof *all);

	if (!all)
		return answer_no_memory("the device list", err);
	adapters->all = all;
	for (uint32_t i = 0; i < listing->count; i++) {
		const struct adapter *adapter = listing->all[i];
		if (adapters_by_id(adapters, adapter->id))
			fprintf(stderr, "nnjit-gpu: skipping a second %s\n", adapter->name);
		else
			all[adapters->count++] = adapter;
	}
	return 0;
}

int adapters_find(struct adapters *ret_adapters, struct error *err)
{
	struct adapters adapters = {0};
	int answer = 0;

	for (uint32_t i = 0; !answer && i < GPU_API_COUNT; i++) {
		answer = gpu_apis[i]->list(&adapters.listings[i], err);
		if (!answer)
			answer = add_all(&adapters, adapters.listings[i], err);
	}
	if (answer)
		adapters_free(&adapters);
	else
		*ret_adapters = adapters;
	return answer;
}

void adapters_free(struct adapters *adapters)
{
	if (!adapters)
		return;
	for (uint32_t i = 0; i < GPU_API_COUNT; i++)
		if (adapters->listings[i])
			gpu_apis[i]->unlist(adapters->listings[i]);
	free(adapters->all);
	*adapters = (struct adapters){0};
}

const struct adapter *adapters_by_id(const struct adapters *adapters, uint64_t id)
{
	for (uint32_t i = 0; i < adapters->count; i++)
		if (adapters->all[i]->id == id)
			return adapters->all[i];
	return NULL;
}
