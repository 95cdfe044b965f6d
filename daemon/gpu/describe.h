/* SPDX-License-Identifier: Apache-2.0
 *
 * A device for others to read: as the wire's device, and as a table for people.
 */
#pragma once

#include "daemon/gpu/adapter.h"

#include "protocol/wire/message.h"

struct wire_device describe_adapter(const struct adapter *adapter); /* without facts; borrows */
json_t *describe_adapters(const struct adapters *adapters);         /* an array of them */
void describe_print(const struct adapters *adapters);               /* to stdout */
