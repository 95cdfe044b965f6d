/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of this machine's devices is the adapter a page sees.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

/* `adapter` is the page's GPUAdapterInfo, `devices` the worker's device objects, best first.
 * Returns an index, or -1 with *ret_reason saying why none is meant. With an index ret_reason may
 * also say something: that several fitted and the best was taken. */
int match_adapter(const json_t *adapter, const json_t *const devices[], uint32_t count,
        struct error *ret_reason);
