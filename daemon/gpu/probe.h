/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast the device is, measured: what predicts and bounds every kernel's time.
 */
#pragma once

#include "daemon/gpu/device.h"
#include "device/limits.h"

#include <stdio.h>

/* Takes about four seconds at most. What could not be measured stays 0. `trace`, if not NULL, is
 * told of each kernel. */
int probe_facts(struct device *device, FILE *trace, struct facts *ret_facts, struct error *err);
