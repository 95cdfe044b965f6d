/* SPDX-License-Identifier: Apache-2.0
 *
 * A device for others to read: as the wire's DEVICE object, and as a table for people.
 */
#pragma once

#include "daemon/gpu/adapter.h"

#include <jansson.h>

json_t *describe_adapter(const struct adapter *adapter);    /* facts are null; NULL: no memory */
json_t *describe_adapters(const struct adapters *adapters); /* {"devices":[...]} */
void describe_print(const struct adapters *adapters);       /* to stdout */
