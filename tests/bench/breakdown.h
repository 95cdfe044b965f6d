/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a candidate's time goes on each device, from its schedule until it is known to be right.
 */
#pragma once

#include "tests/bench/catalogue.h"

#define BREAKDOWN_DEVICES_MOST 8

enum stage {
	STAGE_GENERATE,
	STAGE_VALIDATE,
	STAGE_CREATE, /* the driver's pipeline */
	STAGE_LAUNCH, /* of no workgroup: lavapipe compiles only here */
	STAGE_VERIFY, /* launches at every point, over poison, compared with the reference */
	STAGE_ALL,
	STAGE_COUNT
};

struct breakdown {
	char device[32];
	size_t kernels, wrong;
	struct {
		double p50_us, p99_us, mean_us;
	} stages[STAGE_COUNT];
};

/* Tries up to `wanted` kernels on every device that is here; returns how many devices there are,
 * each with its row. */
uint32_t breakdown_measure(const struct catalogue *catalogue, size_t wanted,
        struct breakdown ret_rows[BREAKDOWN_DEVICES_MOST]);
void breakdown_print(const struct breakdown *row);
/* Continues the line of key=value pairs. */
void breakdown_print_keys(const struct breakdown *row);
