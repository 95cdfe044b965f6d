/* SPDX-License-Identifier: Apache-2.0
 *
 * Enumeration of the contraction space: small lists of values per axis, everything they combine
 * to that is legal, and of that the best predicted, with a share for each kind of schedule so
 * that a wrong prediction about one kind cannot empty the space of the others.
 */
#include "space/space.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "space/contraction.h"
#include "space/cost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- Legality. */

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

static int well_formed(const struct contraction *c, struct error *err)
{
	bool staged = c->a.staged || c->b.staged;

	if (c->tile_m > CONTRACTION_TILE_MAX || c->tile_n > CONTRACTION_TILE_MAX ||
	        c->tile_m * c->tile_n > 256)
		return error_set(
		        err, -ERANGE, "schedule", "a tile is at most 32 either way and 256 in all");
	if (c->k_step > 64 || c->unroll > 16)
		return error_set(err, -ERANGE, "schedule", "k_step is at most 64 and unroll 16");
	if (!power_of_two(c->vec) || c->vec > 4 || c->tile_n % c->vec)
		return error_set(err, -ERANGE, "vec", "vec must be 1, 2 or 4 and divide tile_n");
	if (c->k_step % c->unroll)
		return error_set(err, -ERANGE, "unroll", "unroll must divide k_step");
	if (!staged && c->unroll != c->k_step)
		return error_set(err, -ERANGE, "unroll", "without staging, unroll equals k_step");
	if (c->split > 1 && (staged || !power_of_two(c->split)))
		return error_set(
		        err, -ERANGE, "split_k", "split_k is a power of two and excludes staging");
	if (c->a.staged != c->b.staged && c->k % c->k_step)
		return error_set(err, -ERANGE, "k_step",
		        "staging one operand alone needs k_step to divide k");
	if (c->subgroup && (c->wg_x > 1 || c->wg_y > 1 || c->split < 2))
		return error_set(err, -ERANGE, "subgroup",
		        "a subgroup sum needs wg_x=1, wg_y=1 and a split_k");
	return 0;
}

static int exceeds(struct error *err, const char *limit, uint64_t need, uint64_t allowed)
{
	return error_set(err, -ERANGE, limit, "needs %llu %s and the device allows %llu",
	        (unsigned long long)need, limit, (unsigned long long)allowed);
}

static int within_sizes(const struct contraction *c, const struct limits *l, struct error *err)
{
	const uint32_t sizes[3] = {l->size_x, l->size_y, l->size_z};
	uint64_t invocations = (uint64_t)c->wg_x * c->wg_y * c->split;

	for (uint32_t i = 0; i < 3; i++) {
		if (c->workgroup_size[i] > sizes[i])
			return exceeds(err, "invocations in one dimension", c->workgroup_size[i],
			        sizes[i]);
		if (c->workgroups[i] > l->workgroups)
			return exceeds(err, "workgroups in one dimension", c->workgroups[i],
			        l->workgroups);
	}
	if (invocations > l->invocations)
		return exceeds(err, "invocations in a workgroup", invocations, l->invocations);
	if (c->workgroup_bytes > l->workgroup_bytes)
		return exceeds(
		        err, "bytes of workgroup memory", c->workgroup_bytes, l->workgroup_bytes);
	if (c->subgroup && (!(l->features & FEATURE_SUBGROUPS) || l->subgroup_min != c->split ||
	                           l->subgroup_max != c->split))
		return exceeds(err, "invocations in every subgroup", c->split, l->subgroup_max);
	return 0;
}

static int within_bindings(const struct op *op, const struct limits *l, struct error *err)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	if (count > l->storage_buffers)
		return exceeds(err, "storage buffers", count, l->storage_buffers);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t bytes = tensors[i].elements * dtype_bytes(tensors[i].dtype);
		if (bytes > l->binding_bytes)
			return error_set(err, -ERANGE, tensors[i].name,
			        "%s needs a binding of %llu bytes and the device allows %llu: "
			        "split the operator",
			        tensors[i].name, (unsigned long long)bytes,
			        (unsigned long long)l->binding_bytes);
	}
	return 0;
}

int space_check(const struct op *op, const struct schedule *schedule, const struct limits *limits,
        struct error *err)
{
	struct contraction c = contraction_derive(op, schedule);
	int r = well_formed(&c, err);

	if (!r && limits)
		r = within_sizes(&c, limits, err);
	if (!r && limits)
		r = within_bindings(op, limits, err);
	return r;
}

void space_workgroups(const struct op *op, const struct schedule *schedule,
        uint32_t ret_workgroup_size[3], uint32_t ret_workgroups[3])
{
	struct contraction c = contraction_derive(op, schedule);

	memcpy(ret_workgroup_size, c.workgroup_size, sizeof c.workgroup_size);
	memcpy(ret_workgroups, c.workgroups, sizeof c.workgroups);
}

/* ---- Enumeration. */

/* Schedules differ in kind by where their operands come from and how k is shared. */
enum kind { KIND_DIRECT, KIND_STAGED, KIND_SPLIT, KIND_SUBGROUP, KIND_COUNT };

/* How a device's space is divided: how many candidates in all, and the least part of them that
 * each kind gets where it has that many. A processor's drivers take long to compile what runs
 * fastest there, so its space is smaller. */
struct division {
	uint32_t room, share[KIND_COUNT];
};
static const struct division division_gpu = {SPACE_MAX - 2, {14, 14, 6, 4}};
static const struct division division_cpu = {38, {24, 4, 4, 2}};

/* Longer kernels take drivers seconds to compile (16x16 tiles with an erf epilogue: 6 s on software
 * devices) and gain nothing. */
#define INSTRUCTIONS_MAX 640

struct shape { /* along n and m */
	uint16_t x, y;
};
static const struct {
	struct shape shape;
	bool gpu, cpu; /* where it is worth trying */
} workgroups[] = {
        {{1, 1}, true, false}, /* for the split's invocations alone */
        {{4, 1}, true, true},
        {{4, 2}, true, true},
        {{4, 4}, true, false},
        {{8, 4}, true, false},
        {{4, 8}, true, false},
        {{8, 8}, true, true},
        {{16, 8}, true, false},
        {{8, 16}, true, false},
        {{16, 16}, true, false},
        {{16, 1}, true, true},
        {{32, 1}, true, false},
        {{64, 1}, true, true},
        {{128, 1}, true, false},
        {{256, 1}, true, false},
        {{1, 4}, false, true},
        {{1, 16}, true, false},
        {{1, 64}, true, true},
        {{1, 256}, true, false},
};
static const struct shape tiles[] = {{1, 1}, {2, 1}, {4, 1}, {8, 1}, {16, 1}, {1, 4}, {1, 8},
        {1, 16}, {4, 2}, {2, 4}, {4, 4}, {8, 2}, {4, 8}, {8, 4}, {8, 8}, {4, 16}, {16, 4}, {8, 16},
        {16, 8}, {16, 16}, {8, 32}, {32, 8}};
static const uint16_t direct_steps[] = {1, 4, 8};
static const uint16_t staged_steps[] = {8, 16, 32};
static const uint16_t splits[] = {4, 8, 16, 32, 64, 128};

struct pool {
	const struct op *op;
	const struct limits *limits;
	const struct facts *facts;
	struct candidate kept[KIND_COUNT][SPACE_MAX]; /* ascending predicted_ns */
	uint32_t count[KIND_COUNT];
};

/* Keeps the SPACE_MAX best of its kind. */
static void offer(struct pool *pool, enum kind kind, const struct schedule *schedule)
{
	struct candidate *kept = pool->kept[kind];
	struct contraction c = contraction_derive(pool->op, schedule);
	uint32_t at = pool->count[kind];

	if (c.instructions > INSTRUCTIONS_MAX || well_formed(&c, NULL) ||
	        within_sizes(&c, pool->limits, NULL))
		return;
	double predicted = cost_contraction_ns(&c, pool->facts);
	if (at == SPACE_MAX && predicted >= kept[at - 1].predicted_ns)
		return;
	if (at < SPACE_MAX)
		pool->count[kind]++;
	else
		at--;
	for (; at > 0 && kept[at - 1].predicted_ns > predicted; at--)
		kept[at] = kept[at - 1];
	kept[at] = (struct candidate){*schedule, predicted};
}

/* A block more than twice what the dimension needs only wastes lanes. */
static bool oversized(const struct op *op, struct shape wg, struct shape tile)
{
	return (uint32_t)wg.x * tile.x >= 2 * op->value[MATMUL_N] + 4 ||
	       (uint32_t)wg.y * tile.y >= 2 * op->value[MATMUL_M] + 2;
}

static struct schedule make(struct shape wg, struct shape tile, uint16_t step)
{
	return (struct schedule){.axis = {[AXIS_WG_X] = wg.x,
	                                 [AXIS_WG_Y] = wg.y,
	                                 [AXIS_TILE_M] = tile.y,
	                                 [AXIS_TILE_N] = tile.x,
	                                 [AXIS_VEC] = tile.x % 4 == 0   ? 4
	                                              : tile.x % 2 == 0 ? 2
	                                                                : 1,
	                                 [AXIS_K_STEP] = step,
	                                 [AXIS_UNROLL] = step,
	                                 [AXIS_SPLIT_K] = 1}};
}

static void offer_direct(struct pool *pool, struct shape wg, struct shape tile)
{
	for (uint32_t i = 0; i < LENGTH(direct_steps); i++) {
		struct schedule s = make(wg, tile, direct_steps[i]);

		if (direct_steps[i] <= pool->op->value[MATMUL_K])
			offer(pool, KIND_DIRECT, &s);
	}
}

static void offer_staged(struct pool *pool, struct shape wg, struct shape tile)
{
	for (uint32_t i = 0; i < LENGTH(staged_steps); i++) {
		for (uint32_t which = 1; which <= 3; which++) {
			struct schedule s = make(wg, tile, staged_steps[i]);

			s.axis[AXIS_STAGE_A] = which & 1;
			s.axis[AXIS_STAGE_B] = which >> 1;
			s.axis[AXIS_UNROLL] = tile.x * tile.y >= 64 ? 4 : 8;
			if (staged_steps[i] < 2 * pool->op->value[MATMUL_K])
				offer(pool, KIND_STAGED, &s);
		}
	}
}

static void offer_split(struct pool *pool, struct shape wg, struct shape tile)
{
	for (uint32_t i = 0; i < LENGTH(splits); i++) {
		struct schedule s = make(wg, tile, 4);

		s.axis[AXIS_SPLIT_K] = splits[i];
		if (4u * splits[i] <= pool->op->value[MATMUL_K])
			offer(pool, KIND_SPLIT, &s);
	}
	if (wg.x == 1 && wg.y == 1 && pool->limits->subgroup_max > 1) {
		struct schedule s = make(wg, tile, 4);

		s.axis[AXIS_SPLIT_K] = (uint16_t)pool->limits->subgroup_max;
		s.axis[AXIS_SUBGROUP] = 1;
		offer(pool, KIND_SUBGROUP, &s);
	}
}

/* On a processor the workgroup's shape hardly matters (its tile does), so of the shapes in a row
 * only those are tried whose other dimension one tile covers. */
static bool needless(const struct op *op, struct shape wg, struct shape tile)
{
	return (wg.x == 1 && op->value[MATMUL_N] > tile.x) ||
	       (wg.y == 1 && wg.x > 4 && op->value[MATMUL_M] > tile.y);
}

static void offer_kinds(struct pool *pool, struct shape wg, struct shape tile)
{
	uint32_t invocations = wg.x * wg.y;

	if (oversized(pool->op, wg, tile) || (pool->facts->cpu && needless(pool->op, wg, tile)))
		return;
	if (tile.x * tile.y <= 16)
		offer_split(pool, wg, tile);
	if (pool->facts->cpu || invocations >= 32)
		offer_direct(pool, wg, tile);
	if (invocations >= (pool->facts->cpu ? 16 : 32))
		offer_staged(pool, wg, tile);
}

static void offer_all(struct pool *pool)
{
	for (uint32_t w = 0; w < LENGTH(workgroups); w++)
		for (uint32_t t = 0; t < LENGTH(tiles); t++)
			if (pool->facts->cpu ? workgroups[w].cpu : workgroups[w].gpu)
				offer_kinds(pool, workgroups[w].shape, tiles[t]);
}

static int by_prediction(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	if (a->predicted_ns != b->predicted_ns)
		return a->predicted_ns < b->predicted_ns ? -1 : 1;
	return memcmp(&a->schedule, &b->schedule, sizeof a->schedule);
}

/* First each kind's share, then whatever is predicted best among the rest. */
static void choose(struct pool *pool, struct space *space)
{
	const struct division *division = pool->facts->cpu ? &division_cpu : &division_gpu;
	uint32_t taken[KIND_COUNT] = {0};

	for (uint32_t kind = 0; kind < KIND_COUNT; kind++)
		for (; taken[kind] < division->share[kind] && taken[kind] < pool->count[kind];
		        taken[kind]++)
			space->candidates[space->count++] = pool->kept[kind][taken[kind]];
	while (space->count < division->room) {
		uint32_t best = KIND_COUNT;
		for (uint32_t kind = 0; kind < KIND_COUNT; kind++)
			if (taken[kind] < pool->count[kind] &&
			        (best == KIND_COUNT ||
			                pool->kept[kind][taken[kind]].predicted_ns <
			                        pool->kept[best][taken[best]].predicted_ns))
				best = kind;
		if (best == KIND_COUNT)
			break;
		space->candidates[space->count++] = pool->kept[best][taken[best]++];
	}
}

struct schedule space_baseline(const struct op *op)
{
	struct schedule s = make((struct shape){8, 8}, (struct shape){4, 4}, 32);

	(void)op;
	s.axis[AXIS_STAGE_A] = s.axis[AXIS_STAGE_B] = 1;
	s.axis[AXIS_UNROLL] = 4;
	return s;
}

/* One element an invocation, no workgroup memory: legal wherever anything is, unless the output
 * has too many rows for the dispatch, and then with taller tiles. */
static struct schedule naive(const struct op *op, const struct limits *limits)
{
	struct schedule s = make((struct shape){8, 8}, (struct shape){1, 1}, 1);

	for (uint16_t tile = 1; tile <= 16; tile *= 2) {
		s.axis[AXIS_TILE_M] = s.axis[AXIS_TILE_N] = tile;
		s.axis[AXIS_VEC] = tile < 4 ? tile : 4;
		if (!space_check(op, &s, limits, NULL))
			break;
	}
	return s;
}

static uint32_t find(const struct space *space, const struct schedule *schedule)
{
	uint32_t i = 0;

	while (i < space->count &&
	        memcmp(&space->candidates[i].schedule, schedule, sizeof *schedule))
		i++;
	return i;
}

static void add(struct space *space, const struct op *op, const struct schedule *schedule,
        const struct limits *limits, const struct facts *facts)
{
	if (find(space, schedule) == space->count && !space_check(op, schedule, limits, NULL))
		space->candidates[space->count++] = (struct candidate){
		        *schedule, space_predict_ns(op, schedule, facts)};
}

double space_predict_ns(
        const struct op *op, const struct schedule *schedule, const struct facts *facts)
{
	struct contraction c = contraction_derive(op, schedule);

	return cost_contraction_ns(&c, facts);
}

int space_enumerate(const struct op *op, const struct limits *limits, const struct facts *facts,
        struct space *ret_space, struct error *err)
{
	struct schedule baseline = space_baseline(op), fallback = naive(op, limits);
	int r = within_bindings(op, limits, err);

	if (r)
		return r;
	AUTO(free_pointer) struct pool *pool = calloc(1, sizeof *pool);
	if (!pool)
		return error_set(err, -ENOMEM, "", "out of memory");
	pool->op = op;
	pool->limits = limits;
	pool->facts = facts;
	ret_space->count = 0;
	offer_all(pool);
	choose(pool, ret_space);
	add(ret_space, op, &baseline, limits, facts);
	add(ret_space, op, &fallback, limits, facts);
	if (!ret_space->count)
		return space_check(op, &fallback, limits, err);
	qsort(ret_space->candidates, ret_space->count, sizeof *ret_space->candidates,
	        by_prediction);
	ret_space->baseline = find(ret_space, &baseline);
	return 0;
}
