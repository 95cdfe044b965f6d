/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads limits under WebGPU's names. Limits that no kernel depends on are passed over. Must not
 * judge them: what a page says bounds what it is served, and nothing else.
 */
#include "daemon/api/limits.h"

#include "device/tier.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct row {
	const char *name;
	size_t offset;
	bool wide; /* of 64 bits, else of 32 */
} rows[] = {
        {"maxComputeInvocationsPerWorkgroup", offsetof(struct limits, invocations), false},
        {"maxComputeWorkgroupSizeX", offsetof(struct limits, size_x), false},
        {"maxComputeWorkgroupSizeY", offsetof(struct limits, size_y), false},
        {"maxComputeWorkgroupStorageSize", offsetof(struct limits, workgroup_bytes), false},
        {"maxStorageBufferBindingSize", offsetof(struct limits, binding_bytes), true},
};
#define ROWS (sizeof rows / sizeof *rows)

static uint64_t get(const struct limits *limits, const struct row *row)
{
	const char *at = (const char *)limits + row->offset;

	return row->wide ? *(const uint64_t *)at : *(const uint32_t *)at;
}

static void set(struct limits *limits, const struct row *row, double value)
{
	char *at = (char *)limits + row->offset;

	if (!(value >= 1))
		return;
	if (row->wide)
		*(uint64_t *)at = value < 0x1p63 ? (uint64_t)value : UINT64_MAX;
	else
		*(uint32_t *)at = value < 0x1p32 ? (uint32_t)value : UINT32_MAX;
}

struct limits limits_of_page(const json_t *object)
{
	struct limits limits = limits_web_default;

	for (size_t i = 0; i < ROWS; i++)
		set(&limits, &rows[i], json_number_value(json_object_get(object, rows[i].name)));
	return limits;
}

static int refuse(const char *text, struct problem *ret_problem)
{
	char names[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < ROWS && at < sizeof names; i++)
		at += (size_t)snprintf(
		        names + at, sizeof names - at, "%s%s", i ? ", " : "", rows[i].name);
	return problem_set(ret_problem, PROBLEM_BAD_VALUE, "limits",
	        "limits are all, or NAME=NUMBER with commas between; '%.40s' is none of %s", text,
	        names);
}

static const struct row *row_of(const char *text, size_t length)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == length && !strncmp(rows[i].name, text, length))
			return &rows[i];
	return NULL;
}

int limits_of_text(const char *text, const struct limits *device, struct limits *ret_limits,
        struct problem *ret_problem)
{
	struct limits limits = limits_web_default;
	char *end = NULL;

	if (!strcmp(text, "all")) {
		*ret_limits = *device;
		return 0;
	}
	for (const char *at = text; at; at = *end ? end + 1 : NULL) {
		size_t length = strcspn(at, "=,");
		const struct row *row = row_of(at, length);
		if (!row || at[length] != '=' || at[length + 1] < '1' || at[length + 1] > '9')
			return refuse(at, ret_problem);
		set(&limits, row, (double)strtoull(at + length + 1, &end, 10));
		if (*end && *end != ',')
			return refuse(at, ret_problem);
	}
	*ret_limits = limits;
	return 0;
}

json_t *limits_of_tier(uint32_t tier)
{
	const struct limits any = {.invocations = UINT32_MAX,
	        .size_x = UINT32_MAX,
	        .size_y = UINT32_MAX,
	        .workgroup_bytes = UINT32_MAX};
	struct limits limits = limits_web_default;
	json_t *object = json_object();

	tier_apply(tier, &any, &limits);
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t value = get(&limits, &rows[i]);
		if (value != get(&limits_web_default, &rows[i]))
			json_object_set_new(object, rows[i].name, json_integer((json_int_t)value));
	}
	return object;
}
