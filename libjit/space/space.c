/* SPDX-License-Identifier: Apache-2.0
 *
 * Enumeration, whatever the family: of everything it offers what is legal, and of that the best
 * predicted, with a share for each kind of schedule so that a wrong prediction about one kind
 * cannot empty the space of the others.
 */
#include "space/space.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "schedule/family.h"
#include "space/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Legality. */

static int exceeds(struct error *err, const char *limit, uint64_t need, uint64_t allowed)
{
	return error_set(err, -ERANGE, limit, "needs %llu %s and the device allows %llu",
	        (unsigned long long)need, limit, (unsigned long long)allowed);
}

static int within_features(const struct geometry *g, const struct limits *l, struct error *err)
{
	for (uint32_t i = 0; i < FEATURE_COUNT; i++)
		if (g->features & ~l->features & 1u << i)
			return error_set(err, -ERANGE, feature_info((enum feature_number)i)->name,
			        "the kernel needs %s, which the device lacks or was not asked for",
			        feature_info((enum feature_number)i)->name);
	if (g->features & FEATURE_MATRIX && !limits_have_matrix(l, g->matrix))
		return error_set(err, -ERANGE, "matrix",
		        "the device multiplies no cooperative matrices of %ux%ux%u", g->matrix.m,
		        g->matrix.n, g->matrix.k);
	if (g->subgroup && (l->subgroup_min != g->subgroup || l->subgroup_max != g->subgroup))
		return exceeds(err, "invocations in every subgroup", g->subgroup, l->subgroup_max);
	return 0;
}

static int within_sizes(
        const struct op *op, const struct geometry *g, const struct limits *l, struct error *err)
{
	const uint32_t sizes[3] = {l->size_x, l->size_y, l->size_z};
	uint32_t dims[OP_DYNAMIC_MAX] = {0};
	uint64_t invocations = 1;

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = op->value[op->dynamic[i].value];
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t workgroups = extent_at(&g->grid[i], dims);
		invocations *= g->workgroup_size[i];
		if (g->workgroup_size[i] > sizes[i])
			return exceeds(err, "invocations in one dimension", g->workgroup_size[i],
			        sizes[i]);
		if (workgroups > l->workgroups)
			return exceeds(
			        err, "workgroups in one dimension", workgroups, l->workgroups);
	}
	if (invocations > l->invocations)
		return exceeds(err, "invocations in a workgroup", invocations, l->invocations);
	if (g->workgroup_bytes > l->workgroup_bytes)
		return exceeds(
		        err, "bytes of workgroup memory", g->workgroup_bytes, l->workgroup_bytes);
	return within_features(g, l, err);
}

static int within_bindings(const struct op *op, const struct limits *l, struct error *err)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	if (count > l->storage_buffers)
		return exceeds(err, "storage buffers", count, l->storage_buffers);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t bytes = tensor_bytes(&tensors[i]);
		if (bytes > l->binding_bytes)
			return error_set(err, -ERANGE, tensors[i].name,
			        "%s needs a binding of %llu bytes and the device allows %llu: "
			        "split the operator",
			        tensors[i].name, (unsigned long long)bytes,
			        (unsigned long long)l->binding_bytes);
	}
	return 0;
}

int space_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err)
{
	return family_of(op)->derive(op, schedule, ret_geometry, err);
}

int space_check(const struct op *op, const struct schedule *schedule, const struct limits *limits,
        struct error *err)
{
	struct geometry g;
	int r = space_geometry(op, schedule, &g, err);

	if (!r && limits)
		r = within_sizes(op, &g, limits, err);
	if (!r && limits)
		r = within_bindings(op, limits, err);
	return r;
}

void space_work(const struct op *op, const struct schedule *schedule, struct work *ret_work)
{
	family_of(op)->cost(op, schedule, ret_work);
}

int space_predict(const struct op *op, const struct schedule *schedule, const struct facts *facts,
        struct prediction *ret_prediction)
{
	struct geometry g;
	struct work work;
	int r = space_geometry(op, schedule, &g, NULL);

	if (r)
		return r;
	space_work(op, schedule, &work);
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

void pool_offer(struct pool *pool, uint32_t kind, const struct schedule *schedule)
{
	struct candidate *best = pool->kept->best[kind];
	uint32_t at = pool->kept->count[kind];
	struct geometry g;
	struct work work;

	if (space_geometry(pool->op, schedule, &g, NULL) ||
	        within_sizes(pool->op, &g, pool->limits, NULL))
		return;
	space_work(pool->op, schedule, &work);
	if (work.instructions > SPACE_INSTRUCTIONS_MAX)
		return;
	double predicted = cost_predict(pool->op, &g, &work, pool->facts).ns;
	if (at == SPACE_MAX && predicted >= best[at - 1].predicted_ns)
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

/* First each kind's share, then whatever is predicted best among the rest. */
static void choose(const struct pool *pool, struct space *space)
{
	const struct family *family = family_of(pool->op);
	const struct kept *kept = pool->kept;
	uint32_t room = pool->facts->cpu ? family->room_cpu : family->room_gpu;
	uint32_t taken[SPACE_KINDS] = {0};

	for (uint32_t kind = 0; kind < SPACE_KINDS; kind++) {
		uint32_t share = pool->facts->cpu ? family->shares[kind].cpu
		                                  : family->shares[kind].gpu;
		while (taken[kind] < share && taken[kind] < kept->count[kind])
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

static int by_prediction(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	if (a->predicted_ns != b->predicted_ns)
		return a->predicted_ns < b->predicted_ns ? -1 : 1;
	return memcmp(&a->schedule, &b->schedule, sizeof a->schedule);
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
	int r = within_bindings(op, limits, err);

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
	qsort(ret_space->candidates, ret_space->count, sizeof *ret_space->candidates,
	        by_prediction);
	ret_space->baseline = find(ret_space, &baseline);
	return 0;
}
