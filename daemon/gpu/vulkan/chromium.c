/* SPDX-License-Identifier: Apache-2.0
 *
 * Where browsers built on Chromium keep SwiftShader: one row a folder, the distribution's own
 * packages first. Invariant: what the user said to the loader is added to, never replaced.
 */
#include "daemon/gpu/vulkan/chromium.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST "/vk_swiftshader_icd.json"

static const char *const folders[] = {
        "/usr/lib/chromium",
        "/usr/lib/chromium-browser",
        "/usr/lib64/chromium",
        "/usr/lib64/chromium-browser",
        "/opt/google/chrome",
        "/opt/google/chrome-beta",
        "/opt/google/chrome-unstable",
        "/opt/chromium.org/chromium",
        "/opt/microsoft/msedge",
        "/opt/microsoft/msedge-beta",
        "/opt/microsoft/msedge-dev",
        "/opt/brave.com/brave",
        "/opt/vivaldi",
        "/usr/lib/x86_64-linux-gnu/opera",
        "/snap/chromium/current/usr/lib/chromium-browser",
        "/var/lib/flatpak/app/org.chromium.Chromium/current/active/files/chromium",
        "/var/lib/flatpak/app/com.google.Chrome/current/active/files/extra",
};

bool chromium_find_manifest(char ret_path[static PATH_MAX])
{
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s" MANIFEST, folders[i]);
		if (!access(path, R_OK)) {
			memcpy(ret_path, path, sizeof path);
			return true;
		}
	}
	return false;
}

/* Whether the user told the loader which drivers to use, and no others. */
static bool drivers_are_chosen(void)
{
	const char *files = getenv("VK_DRIVER_FILES"), *older = getenv("VK_ICD_FILENAMES");

	return (files && *files) || (older && *older);
}

void chromium_add_driver(void)
{
	const char *added = getenv("VK_ADD_DRIVER_FILES");
	char path[PATH_MAX], list[2 * PATH_MAX];

	if (drivers_are_chosen() || !chromium_find_manifest(path))
		return;
	if (added && strstr(added, path))
		return;
	int length = added && *added ? snprintf(list, sizeof list, "%s:%s", added, path)
	                             : snprintf(list, sizeof list, "%s", path);
	if (length > 0 && (size_t)length < sizeof list)
		setenv("VK_ADD_DRIVER_FILES", list, 1);
}
