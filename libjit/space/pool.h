/* SPDX-License-Identifier: Apache-2.0
 *
 * What a family's offer() offers to: legal schedules are kept, best predicted first, by kind.
 */
#pragma once

#include "device/limits.h"
#include "op/op.h"
#include "schedule/schedule.h"

struct pool {
	const struct op *op;
	const struct limits *limits;
	const struct facts *facts;
	struct kept *kept; /* space.c's */
};
void pool_offer(struct pool *pool, uint32_t kind, const struct schedule *schedule);
/* In a list of workgroups, in the place of a width: as many as run in lockstep on a processor, from
 * 4 (also where that is unknown) to 16. */
#define POOL_LOCKSTEP 0
uint16_t pool_width(const struct pool *pool, uint16_t listed);
