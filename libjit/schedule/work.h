/* SPDX-License-Identifier: Apache-2.0
 *
 * What a kernel does, counted: all that the cost model knows of it. A family counts; cost/ says
 * what a count is worth on a device.
 */
#pragma once

#include <stdint.h>

/* What one invocation does, averaged over the dispatch; in counts. */
struct work {
	uint32_t instructions; /* roughly, once unrolled: what a driver has to compile */
	double arithmetic; /* multiply-adds and whatever costs as much; exp and the like count 8 */
	double loads,
	        lanes; /* of global memory, stores among them: instructions, and their lanes */
	double shared_loads, shared_lanes; /* of workgroup memory */
	double barriers;
	double turns;        /* of loops */
	double accumulators; /* values carried from turn to turn */
	double registers;    /* values alive at once in the innermost loop */
	double parallel;     /* independent chains of arithmetic */
	double row; /* neighbours that read the same address of one of the operands; 0: no matter */
	double traffic_bytes; /* of the whole dispatch, to and from the last cache */
};

/* More than the loops of any invocation turn; far more, where invocations differ. */
static inline double work_turns_most(const struct work *work)
{
	return 32 * work->turns + 4096;
}
