/* SPDX-License-Identifier: Apache-2.0
 *
 * What the daemon counts, in one plain struct: a member for each row of metrics.def. daemon.c owns
 * the only one; each room counts its own rows in place. Zero is where all begin.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct metrics {
#define METRIC(id, field, ...)    uint64_t field;
#define STATUS_METRIC(field, ...) uint64_t field;
#include "protocol/metrics.def"
};

/* Sets the members of `status` that the rows name, in their order. */
void metrics_json(const struct metrics *metrics, json_t *status);
