/* SPDX-License-Identifier: Apache-2.0
 *
 * A page's limits, as WebGPU names them.
 */
#pragma once

#include "device/limits.h"
#include "protocol/protocol.h"

/* Of a GPUSupportedLimits as JSON; WebGPU's default where it does not say. */
struct limits limits_of_page(const json_t *limits);
/* "maxStorageBufferBindingSize=1073741824,...", or "all": what the device has. 0 or a problem_code.
 */
int limits_of_text(const char *text, const struct limits *device, struct limits *ret_limits,
        struct problem *ret_problem);
/* Of a tier those that are not WebGPU's defaults, as JSON; a new reference. */
json_t *limits_of_tier(uint32_t tier);
