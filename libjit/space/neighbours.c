/* SPDX-License-Identifier: Apache-2.0
 *
 * The schedules next to one: a single axis moved by a single step, whatever the family. The lite
 * space is pruned by what is predicted; where the prediction errs, what is measured to lead points
 * at the schedules it left out. Knows no axis's meaning but that k_step and unroll are one where
 * they are equal. Invariant: what leaves here is legal, another kernel and no dearer to compile
 * than the space is.
 */
#include "space/space.h"

#include "space/cost.h"
#include "space/family.h"

#include <stdlib.h>
#include <string.h>

struct neighbours {
	const struct op *op;
	const struct limits *limits;
	const struct facts *facts;
	const struct schedule *from;
	struct geometry at; /* of it */
	uint32_t count;
	struct candidate *list;
};

/* Values double and halve; a switch, initially 0, is turned. */
static uint32_t step(uint32_t value, uint32_t initial, bool up)
{
	if (up)
		return value ? 2 * value : 1;
	return value > initial ? value / 2 : value;
}

/* An axis that the family does not look at makes no other kernel. */
static bool same_kernel(const struct neighbours *n, const struct geometry *g)
{
	return cost_predict(n->op, g, n->facts).ns == cost_predict(n->op, &n->at, n->facts).ns &&
	       g->instructions == n->at.instructions &&
	       g->workgroup_bytes == n->at.workgroup_bytes && g->features == n->at.features &&
	       !memcmp(g->workgroup_size, n->at.workgroup_size, sizeof g->workgroup_size);
}

static void offer(struct neighbours *n, const struct schedule *schedule)
{
	struct geometry g;

	if (!memcmp(schedule, n->from, sizeof *schedule) ||
	        space_check(n->op, schedule, n->limits, NULL) ||
	        space_geometry(n->op, schedule, &g, NULL) ||
	        g.instructions > SPACE_INSTRUCTIONS_MAX || same_kernel(n, &g))
		return;
	n->list[n->count++] = (struct candidate){*schedule, cost_predict(n->op, &g, n->facts).ns};
}

static void move(struct neighbours *n, enum axis axis, bool up)
{
	const struct schedule initial = schedule_initial();
	struct schedule schedule = *n->from;
	uint32_t value = step(schedule.axis[axis], initial.axis[axis], up);

	if (value > UINT16_MAX)
		return;
	schedule.axis[axis] = (uint16_t)value;
	if (axis == AXIS_K_STEP && n->from->axis[AXIS_UNROLL] == n->from->axis[AXIS_K_STEP])
		schedule.axis[AXIS_UNROLL] = (uint16_t)value;
	offer(n, &schedule);
}

static int by_prediction(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	if (a->predicted_ns != b->predicted_ns)
		return a->predicted_ns < b->predicted_ns ? -1 : 1;
	return memcmp(&a->schedule, &b->schedule, sizeof a->schedule);
}

uint32_t space_neighbours(const struct op *op, const struct limits *limits,
        const struct facts *facts, const struct schedule *schedule,
        struct candidate ret_neighbours[static SPACE_NEIGHBOURS_MAX])
{
	struct neighbours n = {op, limits, facts, schedule, .list = ret_neighbours};

	if (space_geometry(op, schedule, &n.at, NULL))
		return 0;
	for (uint32_t axis = 0; axis < AXIS_COUNT; axis++) {
		move(&n, (enum axis)axis, false);
		move(&n, (enum axis)axis, true);
	}
	qsort(n.list, n.count, sizeof *n.list, by_prediction);
	return n.count;
}
