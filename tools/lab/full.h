/* SPDX-License-Identifier: Apache-2.0
 *
 * The full space, for research: every schedule over all axes' full value ranges (full_rows.h),
 * thousands to millions of them, by number or in a random order. What the lite space leaves out
 * shows only against it. Nothing here predicts or prefers.
 */
#pragma once

#include "op/op.h"
#include "device/limits.h"
#include "schedule/schedule.h"

struct full;

/* `op` and `limits` are copied. instructions_most: longer kernels count as not legal; 0: no bound.
 * 0 or -ENOMEM. */
int full_create(const struct op *op, const struct limits *limits, uint32_t instructions_most,
        struct full **ret_full);
void full_destroy(struct full *full);

uint64_t full_size(const struct full *full); /* schedules, legal or not */
/* Number `index`, which is below full_size: 0, or -ERANGE if it is not legal. */
int full_at(const struct full *full, uint64_t index, struct schedule *ret_schedule);
/* The number of a schedule; full_size if one of its values is not there. */
uint64_t full_find(const struct full *full, const struct schedule *schedule);

/* A walk over the whole space in an order that the seed decides: a random sample as long as one
 * likes, no schedule twice, the same on every machine. Starts with the rest zeroed. */
struct full_walk {
	const struct full *full;
	uint64_t seed;
	uint64_t visited, legal; /* so far */
};
/* The next legal one: 0, or -ENOENT when the walk is over. */
int full_next(struct full_walk *walk, struct schedule *ret_schedule);
/* How many schedules are legal, from at most `visits` of a walk: counted if it got to the end
 * (*ret_exact), else estimated. */
double full_count(const struct full *full, uint64_t visits, bool *ret_exact);

/* Schedules that differ from `from` by a step (to the next lower or higher value) along one axis
 * or two: number `number` of FULL_NEIGHBOURS. 0, or -ERANGE if there is none or it is not legal. */
#define FULL_STEPS      (2 * AXIS_COUNT + 1)
#define FULL_NEIGHBOURS (FULL_STEPS * FULL_STEPS)
int full_neighbour(const struct full *full, const struct schedule *from, uint32_t number,
        struct schedule *ret_schedule);
