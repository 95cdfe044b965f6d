/* SPDX-License-Identifier: Apache-2.0
 *
 * Prediction and enumeration, whatever the family: of everything that the family offers, the space
 * keeps what is legal, and of that the best predicted. Each kind of schedule has a quota, so that a
 * wrong prediction about one kind cannot empty the space of the others.
 */
#include "space/space.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "schedule/family.h"
#include "space/candidates.h"
#include "space/legality.h"
#include "space/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void space_work(const struct op *op, const struct schedule *schedule, struct work *ret_work)
{
	const struct family *family = family_of(op);
	union family_shape shape;
	struct geometry g;

	if (!family->derive(op, schedule, &g, &shape, NULL))
		family->cost(op, schedule, &shape, ret_work);
}

int space_predict(const struct op *op, const struct schedule *schedule, const struct facts *facts,
        struct prediction *ret_prediction)
{
	struct geometry g;
	struct work work;
	const struct family *family = family_of(op);
	union family_shape shape;
	int r = family->derive(op, schedule, &g, &shape, NULL);

	if (r)
		return r;
	family->cost(op, schedule, &shape, &work);
	*ret_prediction = cost_predict(op, &g, &work, facts);
	return 0;
}

double space_predict_ns(
        const struct op *op, const struct schedule *schedule, const struct facts *facts)
{
	struct prediction prediction;

	return space_predict(op, schedule, facts, &prediction) ? 0 : prediction.ns;
}

struct schedule space_baseline(const struct op *op)
{
	return family_of(op)->baseline(op);
}

/* ---- Enumeration. */

struct kept {
	struct candidate best[SPACE_KINDS][SPACE_MAX]; /* ascending predicted_ns */
	uint32_t count[SPACE_KINDS];
};

uint16_t pool_width(const struct pool *pool, uint16_t listed)
{
	double lanes = pool->facts->lanes;

	if (listed != POOL_LOCKSTEP)
		return listed;
	return lanes >= 4 && lanes <= 16 ? (uint16_t)lanes : 4;
}

/* Few loops come near a device's limit, and lowering a kernel to see takes time: tests hold that
 * none turns as often as is taken to be the most here. */
static bool may_turn_too_often(const struct pool *pool, const struct work *work)
{
	const struct op *op = pool->op;
	bool ranges = false;

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		ranges |= op->dynamic[i].high != 0; /* counted for the middle alone */
	return ranges || work_turns_most(work) > pool->limits->turns;
}

void pool_offer(struct pool *pool, uint32_t kind, const struct schedule *schedule)
{
	struct candidate *best = pool->kept->best[kind];
	uint32_t at = pool->kept->count[kind];
	const struct family *family = family_of(pool->op);
	union family_shape shape;
	struct geometry g;
	struct work work;

	if (family->derive(pool->op, schedule, &g, &shape, NULL) ||
	        legality_of_sizes(pool->op, &g, pool->limits, NULL))
		return;
	family->cost(pool->op, schedule, &shape, &work);
	if (work.instructions > SPACE_INSTRUCTIONS_MAX)
		return;
	double predicted = cost_predict(pool->op, &g, &work, pool->facts).ns;
	if (at == SPACE_MAX && predicted >= best[at - 1].predicted_ns)
		return;
	if (may_turn_too_often(pool, &work) &&
	        legality_of_turns(pool->op, schedule, pool->limits, NULL))
		return;
	if (at < SPACE_MAX)
		pool->kept->count[kind]++;
	else
		at--;
	for (; at > 0 && best[at - 1].predicted_ns > predicted; at--)
		best[at] = best[at - 1];
	best[at] = (struct candidate){*schedule, predicted};
}

static uint32_t find(const struct space *space, const struct schedule *schedule)
{
	uint32_t i = 0;

	while (i < space->count &&
	        memcmp(&space->candidates[i].schedule, schedule, sizeof *schedule))
		i++;
	return i;
}

/* Families may offer a schedule twice; it is taken once. */
static void take(struct space *space, const struct candidate *candidate)
{
	if (find(space, &candidate->schedule) == space->count)
		space->candidates[space->count++] = *candidate;
}

/* First each kind's quota, then whatever is predicted best among the rest. */
static void choose(const struct pool *pool, struct space *space)
{
	const struct family *family = family_of(pool->op);
	const struct kept *kept = pool->kept;
	uint32_t room = pool->facts->cpu ? family->room_cpu : family->room_gpu;
	uint32_t taken[SPACE_KINDS] = {0};

	for (uint32_t kind = 0; kind < SPACE_KINDS; kind++) {
		uint32_t quota = pool->facts->cpu ? family->quotas[kind].cpu
		                                  : family->quotas[kind].gpu;
		while (taken[kind] < quota && taken[kind] < kept->count[kind])
			take(space, &kept->best[kind][taken[kind]++]);
	}
	while (space->count < room) {
		uint32_t next = SPACE_KINDS;
		for (uint32_t kind = 0; kind < SPACE_KINDS; kind++)
			if (taken[kind] < kept->count[kind] &&
			        (next == SPACE_KINDS ||
			                kept->best[kind][taken[kind]].predicted_ns <
			                        kept->best[next][taken[next]].predicted_ns))
				next = kind;
		if (next == SPACE_KINDS)
			break;
		take(space, &kept->best[next][taken[next]++]);
	}
}

static void add(struct space *space, const struct op *op, const struct schedule *schedule,
        const struct limits *limits, const struct facts *facts)
{
	struct candidate candidate = {*schedule, 0};

	if (space_check(op, schedule, limits, NULL))
		return;
	candidate.predicted_ns = space_predict_ns(op, schedule, facts);
	take(space, &candidate);
}

struct schedule space_plainest(const struct op *op, const struct limits *limits)
{
	struct schedule schedule = schedule_initial();

	for (uint32_t i = 0; family_of(op)->fallback(op, i, &schedule); i++)
		if (!space_check(op, &schedule, limits, NULL))
			break;
	return schedule;
}

int space_enumerate(const struct op *op, const struct limits *limits, const struct facts *facts,
        struct space *ret_space, struct error *err)
{
	struct schedule baseline = space_baseline(op), fallback = space_plainest(op, limits);
	int r = legality_of_bindings(op, limits, err);

	if (r)
		return r;
	AUTO(free_pointer) struct kept *kept = calloc(1, sizeof *kept);
	if (!kept)
		return error_set(err, -ENOMEM, "", "out of memory");
	struct pool pool = {op, limits, facts, kept};
	ret_space->count = 0;
	family_of(op)->offer(&pool);
	choose(&pool, ret_space);
	add(ret_space, op, &baseline, limits, facts);
	add(ret_space, op, &fallback, limits, facts);
	if (!ret_space->count)
		return space_check(op, &fallback, limits, err);
	candidates_sort(ret_space->candidates, ret_space->count);
	ret_space->baseline = find(ret_space, &baseline);
	return 0;
}
