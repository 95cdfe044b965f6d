/* SPDX-License-Identifier: Apache-2.0
 *
 * The SwiftShader that an installed Chromium brings: the device its pages use where there is no
 * GPU, so the one to tune for there. No package announces it to the Vulkan loader.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

/* The driver manifest of the first browser found. */
bool chromium_find_manifest(char ret_path[static PATH_MAX]);
/* Tells the loader about it, unless the user has named the drivers to use. Call it before the
 * first Vulkan call and before any thread: it changes the environment. */
void chromium_add_driver(void);
