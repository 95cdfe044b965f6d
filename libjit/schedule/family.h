/* SPDX-License-Identifier: Apache-2.0
 *
 * What a family of operators implements. derive() turns a schedule into its geometry, cost() counts
 * its work, offer() lists candidate schedules, lower() writes the kernel. The functions are pure:
 * they look at the operator, the schedule and what they are handed. Legality under a device's
 * limits, the order of candidates and the bound of SPACE_MAX are space/'s.
 */
#pragma once

#include "schedule/geometry.h"
#include "schedule/schedule.h"

#include <stddef.h>

struct error;
struct lower;
struct pool; /* what offers are made to: space/pool.h */
struct work;

#define SPACE_KINDS 6 /* of schedules that a family may tell apart */

/* What a family makes of a schedule, once: its own struct (shape.h), which others only pass on. */
#define FAMILY_SHAPE_BYTES 4096
union family_shape {
	max_align_t align;
	unsigned char bytes[FAMILY_SHAPE_BYTES];
};

struct family {
	/* Fills *ret_geometry, for the dimensions the operator is tuned as, and *ret_shape for
	 * cost(). 0, or -ERANGE and err where the schedule is not well-formed for op; any values
	 * must be safe to ask about. */
	int (*derive)(const struct op *op, const struct schedule *schedule,
	        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err);
	/* Counts what the kernel does, from what derive() made of the schedule. */
	void (*cost)(const struct op *op, const struct schedule *schedule,
	        const union family_shape *shape, struct work *ret_work);
	/* Offers every schedule worth considering; illegal ones are dropped. */
	void (*offer)(struct pool *pool);
	/* What engines ship today for such an operator: what speedups are stated against. */
	struct schedule (*baseline)(const struct op *op);
	/* Attempt 0, 1, ... at the plainest kernel, each for tighter limits than the last; the
	 * first legal one is always in the space. False: no more. */
	bool (*fallback)(const struct op *op, uint32_t attempt, struct schedule *ret_schedule);
	/* Fills a module that was begun (lower/lower.h). */
	void (*lower)(struct lower *l);
	/* Of each kind: how many candidates it gets at least, where it has as many. */
	struct quota {
		uint8_t gpu, cpu;
	} quotas[SPACE_KINDS];
	uint8_t room_gpu, room_cpu; /* candidates in all: at most SPACE_MAX - 2 */
};

/* The families are the rows of op/families.def; family/families.c finds one. */
const struct family *family_of(const struct op *op);
