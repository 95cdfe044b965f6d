/* SPDX-License-Identifier: Apache-2.0
 *
 * What pages' devices allow a workgroup, in few tiers: pages whose limits are nearly alike share
 * their kernels. WebGPU's implementations tell pages such limits in few steps, too.
 */
#pragma once

#include "device/limits.h"

/* How wide a workgroup may be, and how much memory it has. 0: WebGPU's defaults. Stored in keys, so
 * a number never changes its meaning. */
#define TIER_BITS    4
#define TIER_DEFAULT 0u

/* The greatest tier that stays within the limits; the least one where none does. */
uint32_t tier_of(const struct limits *limits);
/* Puts the tier's limits of a workgroup in the place of WebGPU's defaults, as far as `own` allows.
 */
void tier_apply(uint32_t tier, const struct limits *own, struct limits *limits);
