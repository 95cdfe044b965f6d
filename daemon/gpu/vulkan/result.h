/* SPDX-License-Identifier: Apache-2.0
 *
 * What Vulkan answered, in the worker's words.
 */
#pragma once

#include "base/error.h"

#include <vulkan/vulkan.h>

/* The enum answer that the driver's result means; `doing` completes "while ...". 0 for VK_SUCCESS.
 */
int result_answer(VkResult result, const char *doing, struct error *err);
