/* SPDX-License-Identifier: Apache-2.0
 *
 * The schedules next to one: a single axis moved by a single step, whatever the family. The lite
 * space is pruned by what is predicted; where the prediction errs, what is measured to lead points
 * at the schedules it left out. Knows no axis's meaning but that k_step and unroll are one where
 * they are equal. Invariant: what leaves here is legal, another kernel and no dearer to compile
 * than the space is.
 */
#include "space/space.h"

#include "cost/cost.h"
#include "space/candidates.h"

#include <string.h>

struct neighbours {
	const struct op *op;
	const struct limits *limits;
	const struct facts *facts;
	const struct schedule *from;
	struct geometry geometry; /* of it */
	struct work work;
	double predicted_ns;
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
static bool same_kernel(const struct neighbours *n, const struct geometry *g,
        const struct work *work, double predicted_ns)
{
	const struct geometry *from = &n->geometry;

	return predicted_ns == n->predicted_ns && work->instructions == n->work.instructions &&
	       g->workgroup_bytes == from->workgroup_bytes && g->features == from->features &&
	       !memcmp(g->workgroup_size, from->workgroup_size, sizeof g->workgroup_size);
}

static void offer(struct neighbours *n, const struct schedule *schedule)
{
	struct geometry g;
	struct work work;

	if (!memcmp(schedule, n->from, sizeof *schedule) ||
	        space_check(n->op, schedule, n->limits, NULL) ||
	        space_geometry(n->op, schedule, &g, NULL))
		return;
	space_work(n->op, schedule, &work);
	double predicted_ns = cost_predict(n->op, &g, &work, n->facts).ns;
	if (work.instructions <= SPACE_INSTRUCTIONS_MAX && !same_kernel(n, &g, &work, predicted_ns))
		n->list[n->count++] = (struct candidate){*schedule, predicted_ns};
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

uint32_t space_neighbours(const struct op *op, const struct limits *limits,
        const struct facts *facts, const struct schedule *schedule,
        struct candidate ret_neighbours[static SPACE_NEIGHBOURS_MAX])
{
	struct neighbours n = {op, limits, facts, schedule, .list = ret_neighbours};

	if (space_geometry(op, schedule, &n.geometry, NULL))
		return 0;
	space_work(op, schedule, &n.work);
	n.predicted_ns = cost_predict(op, &n.geometry, &n.work, facts).ns;
	for (uint32_t axis = 0; axis < AXIS_COUNT; axis++) {
		move(&n, (enum axis)axis, false);
		move(&n, (enum axis)axis, true);
	}
	candidates_sort(n.list, n.count);
	return n.count;
}
