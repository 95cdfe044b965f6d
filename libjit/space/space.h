/* SPDX-License-Identifier: Apache-2.0
 *
 * The lite space (Jia et al., MobiSys 2024, section 5): for one operator on one device, the few
 * schedules worth measuring, best predicted first. The families fix the axes' values offline; this
 * room decides which schedules are legal under the limits, and orders them under the facts.
 */
#pragma once

#include "op/op.h"
#include "cost/cost.h"
#include "device/limits.h"
#include "schedule/schedule.h"

#define SPACE_MAX 64 /* candidates of any operator on any device */

/* Of a kernel, once unrolled. Longer ones take drivers seconds to compile and gain
 * nothing. */
#define SPACE_INSTRUCTIONS_MAX 640

struct candidate {
	struct schedule schedule;
	double predicted_ns;
};

struct space {
	uint32_t count;    /* >= 1 */
	uint32_t baseline; /* index of the static kernel engines ship today, or count if illegal
	                      here */
	struct candidate candidates[SPACE_MAX]; /* distinct, ascending predicted_ns */
};

/* 0, or -ERANGE and err naming the limit that no schedule of this operator can keep. */
int space_enumerate(const struct op *op, const struct limits *limits, const struct facts *facts,
        struct space *ret_space, struct error *err);

/* 0 if the schedule is well-formed for op (and, unless limits is NULL, within them); -ERANGE and
 * err otherwise. */
int space_check(const struct op *op, const struct schedule *schedule, const struct limits *limits,
        struct error *err);

/* The greatest that each dynamic dimension may be with this legal schedule: op_range's, or what the
 * device's loops take. 0 or -ENOMEM. */
int space_range(const struct op *op, const struct schedule *schedule, const struct limits *limits,
        uint32_t ret_most[static OP_DYNAMIC_MAX]);

/* What the pruned space may have left out: the legal schedules one step of one axis away from
 * `schedule`, distinct, ascending predicted_ns. Returns how many. */
#define SPACE_NEIGHBOURS_MAX (2 * AXIS_COUNT)
uint32_t space_neighbours(const struct op *op, const struct limits *limits,
        const struct facts *facts, const struct schedule *schedule,
        struct candidate ret_neighbours[static SPACE_NEIGHBOURS_MAX]);

/* What the cost model says: 0, or -ERANGE where the schedule is not well-formed. */
int space_predict(const struct op *op, const struct schedule *schedule, const struct facts *facts,
        struct prediction *ret_prediction);
/* Its time alone; 0 where it is not. */
double space_predict_ns(
        const struct op *op, const struct schedule *schedule, const struct facts *facts);

/* The static kernel that speedups are stated against; for a matmul 8x8 threads, 4x4 elements, K
 * staged by 32. */
struct schedule space_baseline(const struct op *op);

/* The plainest kernel of the operator, one that asks least of a driver: the first legal one of its
 * family's, or, where none is, the last. */
struct schedule space_plainest(const struct op *op, const struct limits *limits);

/* What the schedule comes to: sizes, features, dispatch. 0, or -ERANGE and err. */
struct geometry;
int space_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err);
/* What its kernel does, counted; the schedule is well-formed for op. */
void space_work(const struct op *op, const struct schedule *schedule, struct work *ret_work);
