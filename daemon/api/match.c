/* SPDX-License-Identifier: Apache-2.0
 *
 * Matches a page's adapter to a device: first by vendor, because browsers always tell it, then,
 * where one vendor has several devices, by what else the browser lets through (architecture,
 * device id, description). Must not guess across vendors: a kernel tuned for another device is
 * worse than none.
 */
#include "daemon/api/match.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct vendor {
	uint32_t id;
	const char *name;
} vendors[] = {
#define VENDOR(id, name) {id, name},
#include "daemon/api/vendors.def"
};

static bool is_vendor(const char *name, json_int_t id)
{
	for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
		if (vendors[i].id == id && !strcasecmp(vendors[i].name, name))
			return true;
	return false;
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* How many words of `text`, two characters or longer, stand in the device's name. */
static int words_in_name(const char *text, const char *name)
{
	int found = 0;

	while (*text) {
		char word[64];
		size_t length = 0;
		for (; isalnum((unsigned char)*text); text++)
			if (length < sizeof word - 1)
				word[length++] = *text;
		word[length] = '\0';
		found += length > 1 && strcasestr(name, word);
		while (*text && !isalnum((unsigned char)*text))
			text++;
	}
	return found;
}

static int likeness(const json_t *adapter, const json_t *device)
{
	const char *name = text_of(device, "name"), *id_text = text_of(adapter, "device");
	json_int_t id = json_integer_value(json_object_get(device, "device_id"));
	int score = words_in_name(text_of(adapter, "description"), name) +
	            words_in_name(text_of(adapter, "architecture"), name);

	if (!strncmp(id_text, "0x", 2) && strtoll(id_text, NULL, 16) == id)
		score += 100;
	return score;
}

static void list_names(const json_t *const devices[], uint32_t count, char *text, size_t bytes)
{
	size_t at = 0;

	*text = '\0';
	for (uint32_t i = 0; i < count && at < bytes; i++)
		at += (size_t)snprintf(
		        text + at, bytes - at, "%s%s", i ? "; " : "", text_of(devices[i], "name"));
}

static int match_unnamed(const json_t *const devices[], uint32_t count, struct error *ret_reason)
{
	char names[160];

	if (count == 1)
		return 0;
	list_names(devices, count, names, sizeof names);
	error_set(ret_reason, 0, "adapter",
	        "the browser does not say which adapter it uses; name a device: %s", names);
	return -1;
}

int match_adapter(const json_t *adapter, const json_t *const devices[], uint32_t count,
        struct error *ret_reason)
{
	const char *vendor = text_of(adapter, "vendor");
	int best = -1, best_score = -1, of_vendor = 0, tied = 0;

	if (!*vendor)
		return match_unnamed(devices, count, ret_reason);
	for (uint32_t i = 0; i < count; i++) {
		if (!is_vendor(
		            vendor, json_integer_value(json_object_get(devices[i], "vendor_id"))))
			continue;
		int score = likeness(adapter, devices[i]);
		of_vendor++;
		tied = score == best_score ? tied + 1 : score > best_score ? 0 : tied;
		if (score > best_score) {
			best = (int)i;
			best_score = score;
		}
	}
	if (!of_vendor) {
		char names[120];
		list_names(devices, count, names, sizeof names);
		error_set(ret_reason, 0, "adapter",
		        "no device here is of the adapter's vendor '%.24s'; known are: %s", vendor,
		        *names ? names : "none");
	} else if (tied) {
		error_set(ret_reason, 0, "adapter",
		        "%d devices of vendor '%.24s' fit alike; the fastest was taken", tied + 1,
		        vendor);
	}
	return best;
}
