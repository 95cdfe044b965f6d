/* SPDX-License-Identifier: Apache-2.0
 *
 * Which device a request is about: by its id, by a unique part of its name, or the best. Must not
 * start anything.
 */
#include "daemon/tune/state.h"

#include <string.h>

uint32_t tune_device_count(const struct tune *tune)
{
	return tune->device_count;
}

const struct tune_device *tune_device(const struct tune *tune, uint32_t index)
{
	return index < tune->device_count ? &tune->devices[index]->public : NULL;
}

bool tune_enumerated(const struct tune *tune)
{
	return tune->enumerated || (tune->listed && store_check_fd(tune->store) >= 0);
}

static bool name_holds(const char *name, const char *part)
{
	for (; *name; name++)
		if (!strncasecmp(name, part, strlen(part)))
			return true;
	return false;
}

static int refuse_many(const struct tune *tune, const char *text, struct error *err)
{
	char names[160] = "";
	size_t length = 0;

	for (uint32_t i = 0; i < tune->device_count; i++) {
		const struct tune_device *device = &tune->devices[i]->public;
		if (!name_holds(device->name, text) || length >= sizeof names)
			continue;
		length += (size_t)snprintf(names + length, sizeof names - length,
		        "%s%.40s (%016llx)", length ? ", " : "", device->name,
		        (unsigned long long)device->id);
	}
	return error_set(err, TUNE_AMBIGUOUS_DEVICE, "device",
	        "several devices match '%.32s': %s; give an id", text, names);
}

/* The first device that a driver lists need not be the best, and one stored may be gone. */
static int find_best(
        const struct tune *tune, const struct tune_device **ret_device, struct error *err)
{
	if (!tune_enumerated(tune))
		return error_set(err, TUNE_NO_DEVICE, "device",
		        "the devices are still being looked for; ask again in a second");
	if (!tune->device_count)
		return error_set(err, TUNE_NO_DEVICE, "device",
		        "no Vulkan device was found; install a driver (mesa-vulkan-drivers has a "
		        "software one) and restart nnjitd");
	*ret_device = &tune->devices[0]->public;
	return 0;
}

static bool is_called(const struct tune_device *device, const char *text)
{
	char id[17];

	snprintf(id, sizeof id, "%016llx", (unsigned long long)device->id);
	return !strcasecmp(id, text) || !strcasecmp(device->name, text);
}

int tune_find_device(const struct tune *tune, const char *text,
        const struct tune_device **ret_device, struct error *err)
{
	const struct tune_device *found = NULL;
	uint32_t matches = 0;

	if (!text || !tune_enumerated(tune) || !tune->device_count)
		return find_best(tune, ret_device, err);
	for (uint32_t i = 0; i < tune->device_count; i++) {
		const struct tune_device *device = &tune->devices[i]->public;
		bool called = is_called(device, text);
		if (!called && !(*text && name_holds(device->name, text)))
			continue;
		found = device;
		matches = called ? 1 : matches + 1;
		if (called)
			break;
	}
	if (matches > 1)
		return refuse_many(tune, text, err);
	if (!found)
		return error_set(err, TUNE_UNKNOWN_DEVICE, "device",
		        "no device has the id or a name with '%.64s'; GET /v1/devices lists them",
		        text);
	*ret_device = found;
	return 0;
}
