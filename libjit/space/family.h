/* SPDX-License-Identifier: Apache-2.0
 *
 * What a family of operators brings to the space: its geometry and the schedules worth offering.
 * Legality under limits, the share of each kind, order and the bound of SPACE_MAX are space.c's.
 */
#pragma once

#include "space/geometry.h"
#include "space/limits.h"
#include "space/schedule.h"

struct error;
struct pool; /* what offers are made to */

#define SPACE_KINDS 6 /* of schedules that a family may tell apart */

/* Of a kernel, once unrolled. Longer ones take drivers seconds to compile (16x16 tiles with an erf
 * epilogue: 6 s on software devices) and gain nothing. */
#define SPACE_INSTRUCTIONS_MAX 640

struct family {
	/* Fills *ret_geometry, for the dimensions the operator is tuned as. 0, or -ERANGE and err
	 * where the schedule is not well-formed for op; any values must be safe to ask about. */
	int (*derive)(const struct op *op, const struct schedule *schedule,
	        struct geometry *ret_geometry, struct error *err);
	/* Offers every schedule worth considering; illegal ones are dropped. */
	void (*offer)(struct pool *pool);
	/* What engines ship today for such an operator: what speedups are stated against. */
	struct schedule (*baseline)(const struct op *op);
	/* Attempt 0, 1, ... at the plainest kernel, each for tighter limits than the last; the
	 * first legal one is always in the space. False: no more. */
	bool (*fallback)(const struct op *op, uint32_t attempt, struct schedule *ret_schedule);
	/* Of each kind: how many candidates it gets at least, where it has as many. */
	struct share {
		uint8_t gpu, cpu;
	} shares[SPACE_KINDS];
	uint8_t room_gpu, room_cpu; /* candidates in all: at most SPACE_MAX - 2 */
};

extern const struct family family_contraction, family_convolution, family_reduction, family_map,
        family_attention;
const struct family *family_of(const struct op *op);

/* For offer(): */
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
