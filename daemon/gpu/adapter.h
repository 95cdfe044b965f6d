/* SPDX-License-Identifier: Apache-2.0
 *
 * A device as its API shows it, before it is opened: who it is, what it allows, how it keeps time.
 * Plain data, valid as long as the list it came from.
 */
#pragma once

#include "daemon/gpu/api.h"
#include "device/limits.h"

#include <stdbool.h>
#include <stdint.h>

enum adapter_kind {
	ADAPTER_OTHER,
	ADAPTER_INTEGRATED,
	ADAPTER_DISCRETE,
	ADAPTER_VIRTUAL,
	ADAPTER_CPU
};

#define ADAPTER_TEXT 256

/* An API embeds it as the first member of its own struct. */
struct adapter {
	const struct gpu_api *api;
	uint64_t id;        /* survives driver updates */
	uint64_t driver_id; /* changes with everything that may change the driver's code */
	char name[ADAPTER_TEXT], driver_name[ADAPTER_TEXT], driver_info[ADAPTER_TEXT];
	char driver_version[32], api_version[32];
	enum adapter_kind kind;
	uint32_t vendor_id, device_id;
	struct limits limits;
	bool timestamps;
};

struct adapters {
	uint32_t count;
	const struct adapter **all;                  /* owned; each entry is its listing's */
	struct gpu_listing *listings[GPU_API_COUNT]; /* owned */
};

/* Looks at every device of every API. No device at all is no error. */
int adapters_find(struct adapters *ret_adapters, struct error *err);
void adapters_free(struct adapters *adapters); /* NULL is fine */
const struct adapter *adapters_by_id(const struct adapters *adapters, uint64_t id); /* or NULL */

const char *adapter_kind_name(enum adapter_kind kind); /* as the wire spells it */
