/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a device computes with infinities. WGSL lets one assume that there are none; a kernel is
 * only held to what the device can do.
 */
#pragma once

#include "daemon/gpu/builder.h"

/* Sets builder->device->keeps_infinities. No operator is loaded. */
int special_learn(struct builder *builder, struct error *err);
