/* SPDX-License-Identifier: Apache-2.0
 *
 * The schedules offered for a contraction: combinations of small lists of workgroup shapes, tiles
 * and steps along k, and lists of their own for products with few rows or few columns, where what
 * counts is that the large operand is read once, in wide loads, by many invocations.
 */
#include "family/contraction/shape.h"

#include "space/pool.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- Lists. */

struct shape { /* along n and m */
	uint16_t x, y;
};
static const struct {
	struct shape shape;
	bool gpu, cpu; /* where it is worth trying */
} workgroups[] = {
        {{1, 1}, true, false}, /* for the split's invocations alone */
        {{4, 1}, true, true},
        {{4, 2}, true, false},
        {{POOL_LOCKSTEP, 2}, false, true},
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
static const uint16_t splits[] = {4, 8, 16, 32, 64, 128};

/* How far a turn goes along k, by the narrowest operand: so far that its loads are whole words, or
 * several. Lists end with 0. `few`: where rows or columns are few. */
static const struct steps {
	uint16_t direct[5], staged[4], split[3], few[3];
} steps_by_bits[] = {
        [4] = {{8, 16, 32}, {16, 32, 64}, {8, 32}, {8, 32}},
        [8] = {{1, 4, 8, 16}, {16, 32}, {4, 16}, {4, 16}},
        [16] = {{1, 4, 8}, {8, 16, 32}, {4, 8}, {4, 8}},
        [32] = {{1, 4, 8}, {8, 16, 32}, {4}, {4, 8}},
};

/* ---- Offers. */

/* What is offered for one operator on one device. */
struct offering {
	struct pool *pool;
	const struct steps *steps;
	uint32_t m, n, k; /* as tuned; k in what steps count */
	bool cpu, half, dot4, narrow;
};

static uint32_t narrowest(const struct op *op)
{
	if (op->kind == OP_MATMUL_NBITS)
		return 4;
	uint32_t a = dtype_bits((enum dtype)op->value[MATMUL_A]);
	uint32_t b = dtype_bits((enum dtype)op->value[MATMUL_B]);
	return a < b ? a : b;
}

static struct offering offering_of(struct pool *pool)
{
	const struct op *op = pool->op;
	uint32_t features = pool->limits->features;
	struct offering o = {.pool = pool,
	        .cpu = pool->facts->cpu,
	        .half = features & FEATURE_F16 && contraction_has_half(op),
	        .dot4 = features & FEATURE_DOT4 && contraction_may_dot4(op)};
	struct schedule plain = {.axis = {[AXIS_F16] = o.half}};
	struct contraction c = contraction_derive(op, &plain);
	uint64_t all = (uint64_t)c.batch * c.m * c.n;

	o.steps = &steps_by_bits[o.dot4 ? 32 : narrowest(op)];
	o.narrow = narrowest(op) < 32;
	o.m = c.m;
	o.n = c.n;
	if (c.form == CONTRACTION_FLAT) { /* one long line */
		o.m = 1;
		o.n = (uint32_t)(all < UINT32_MAX / 4 ? all : UINT32_MAX / 4);
	}
	o.k = c.k / (o.dot4 ? 4 : 1);
	return o;
}

/* With the features that the device has. */
static void put(const struct offering *o, enum contraction_kind kind, struct schedule *s)
{
	s->axis[AXIS_F16] = o->half;
	s->axis[AXIS_DOT4] = o->dot4;
	pool_offer(o->pool, kind, s);
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

/* One quad is one workgroup. */
static void offer_quad(const struct offering *o, struct schedule s)
{
	if (!o->cpu || o->pool->limits->subgroup_max != CONTRACTION_QUAD_SIZE)
		return;
	s.axis[AXIS_CONTRACTION_QUAD] = 1;
	put(o, CONTRACTION_KIND_QUAD, &s);
}

static void offer_direct(const struct offering *o, struct shape wg, struct shape tile)
{
	for (const uint16_t *step = o->steps->direct; *step; step++) {
		struct schedule s = make(wg, tile, *step);

		if (*step > o->k)
			continue;
		put(o, CONTRACTION_KIND_DIRECT, &s);
		offer_quad(o, s);
	}
}

/* Where a workgroup's other invocations are too few to hide the wait: tiles that take many
 * registers, and many turns. */
static void offer_ahead(const struct offering *o, struct schedule s)
{
	if (o->cpu || s.axis[AXIS_TILE_M] * s.axis[AXIS_TILE_N] < 16 ||
	        4u * s.axis[AXIS_K_STEP] > o->k)
		return;
	s.axis[AXIS_CONTRACTION_AHEAD] = 1;
	put(o, CONTRACTION_KIND_STAGED, &s);
}

static void offer_staged(const struct offering *o, struct shape wg, struct shape tile)
{
	for (const uint16_t *step = o->steps->staged; *step && *step < 2 * o->k; step++) {
		for (uint32_t which = 1; which <= 3; which++) {
			struct schedule s = make(wg, tile, *step);

			s.axis[AXIS_STAGE_A] = which & 1;
			s.axis[AXIS_STAGE_B] = which >> 1;
			if (!o->cpu) /* unrolled throughout: GPUs' compilers keep loads ahead */
				offer_ahead(o, s);
			s.axis[AXIS_UNROLL] = tile.x * tile.y >= 64 ? 4 : 8;
			put(o, CONTRACTION_KIND_STAGED, &s);
			offer_ahead(o, s);
		}
	}
}

/* One subgroup is one workgroup, whose invocations share k. */
static void offer_subgroup(const struct offering *o, struct schedule s)
{
	uint32_t size = o->pool->limits->subgroup_max;

	if (s.axis[AXIS_WG_X] > 1 || s.axis[AXIS_WG_Y] > 1 || size < 2)
		return;
	s.axis[AXIS_SPLIT_K] = (uint16_t)size;
	s.axis[AXIS_SUBGROUP] = 1;
	put(o, CONTRACTION_KIND_SUBGROUP, &s);
}

/* Narrow types have little to do for each load: a workgroup smaller than a subgroup is too small.
 */
static void offer_split(const struct offering *o, struct shape wg, struct shape tile)
{
	uint32_t invocations = wg.x * wg.y;

	for (const uint16_t *step = o->steps->split; *step; step++) {
		struct schedule s = make(wg, tile, *step);

		offer_subgroup(o, s);
		for (uint32_t i = 0; i < LENGTH(splits); i++) {
			s.axis[AXIS_SPLIT_K] = splits[i];
			if ((uint32_t)*step * splits[i] <= o->k &&
			        (!o->narrow || o->cpu || invocations * splits[i] >= 32))
				put(o, CONTRACTION_KIND_SPLIT, &s);
		}
	}
}

/* ---- Few rows, or few columns: one invocation computes all of them. */

#define FEW 8

static void offer_few_splits(const struct offering *o, struct shape wg, struct shape tile)
{
	static const uint16_t some[] = {1, 4, 8, 16, 32, 64, 128, 256};
	uint32_t invocations = wg.x * wg.y;

	for (const uint16_t *step = o->steps->few; *step; step++) {
		struct schedule s = make(wg, tile, *step);
		s.axis[AXIS_VEC] = 4;
		offer_subgroup(o, s);
		for (uint32_t i = 0; i < LENGTH(some); i++) {
			uint32_t all = invocations * some[i];
			s.axis[AXIS_SPLIT_K] = some[i];
			if (*step * some[i] <= o->k && all <= 256 && (o->cpu || all >= 32))
				put(o,
				        some[i] > 1 ? CONTRACTION_KIND_SPLIT
				                    : CONTRACTION_KIND_DIRECT,
				        &s);
		}
	}
}

static void offer_few(const struct offering *o, bool rows)
{
	static const uint16_t along[] = {1, 2, 4, 8, 16, 32, 64}, each[] = {1, 2, 4, 8, 16};
	uint16_t few = (uint16_t)(rows ? o->m : o->n);
	uint32_t many = rows ? o->n : o->m;

	for (uint32_t i = 0; few <= FEW && i < LENGTH(along); i++) {
		for (uint32_t j = 0; j < LENGTH(each); j++) {
			struct shape wg = rows ? (struct shape){along[i], 1}
			                       : (struct shape){1, along[i]};
			struct shape tile = rows ? (struct shape){each[j], few}
			                         : (struct shape){few, each[j]};
			if (each[j] * few <= 32 && (uint32_t)along[i] * each[j] < 2 * many + 4)
				offer_few_splits(o, wg, tile);
		}
	}
}

/* ---- Cooperative matrices: the largest that the device has, the one it prefers among equals. */

static struct matrix_shape largest_matrix(const struct limits *limits)
{
	struct matrix_shape best = limits->matrices[0];

	for (uint32_t i = 1; i < MATRIX_SHAPES_MAX; i++) {
		struct matrix_shape shape = limits->matrices[i];
		if ((uint64_t)shape.m * shape.n * shape.k > (uint64_t)best.m * best.n * best.k)
			best = shape;
	}
	return best;
}

static void offer_matrices(const struct offering *o)
{
	const struct limits *limits = o->pool->limits;
	struct matrix_shape shape = largest_matrix(limits);
	struct schedule s;

	if (!(limits->features & FEATURE_MATRIX) || !contraction_may_matrix(o->pool->op) ||
	        limits->subgroup_min != limits->subgroup_max)
		return;
	for (uint32_t i = 0; contraction_matrix_offer(shape, limits->subgroup_max, i, &s); i++)
		if ((uint32_t)s.axis[AXIS_WG_X] * s.axis[AXIS_TILE_N] < 2 * o->n + 16 &&
		        (uint32_t)s.axis[AXIS_WG_Y] * s.axis[AXIS_TILE_M] < 2 * o->m + 16 &&
		        s.axis[AXIS_K_STEP] < 2 * o->k)
			pool_offer(o->pool, CONTRACTION_KIND_MATRIX, &s);
}

/* ---- All of them. */

/* A block more than twice what the dimension needs only wastes lanes. */
static bool oversized(const struct offering *o, struct shape wg, struct shape tile)
{
	return (uint32_t)wg.x * tile.x >= 2 * o->n + 4 || (uint32_t)wg.y * tile.y >= 2 * o->m + 2;
}

/* On a processor the workgroup's shape hardly matters (its tile does) once its rows are as long as
 * what runs in lockstep, so of the shapes in a row only those are tried whose other dimension one
 * tile covers. */
static bool needless(const struct offering *o, struct shape wg, struct shape tile)
{
	return (wg.x == 1 && o->n > tile.x) || (wg.y == 1 && wg.x > 4 && o->m > tile.y);
}

static void offer_kinds(const struct offering *o, struct shape wg, struct shape tile)
{
	wg.x = pool_width(o->pool, wg.x);
	uint32_t invocations = wg.x * wg.y;
	if (oversized(o, wg, tile) || (o->cpu && needless(o, wg, tile)))
		return;
	if (tile.x * tile.y <= 16)
		offer_split(o, wg, tile);
	if (o->cpu || invocations >= 32)
		offer_direct(o, wg, tile);
	if (invocations >= (o->cpu ? 16 : 32))
		offer_staged(o, wg, tile);
}

void contraction_offer(struct pool *pool)
{
	struct offering o = offering_of(pool);

	for (uint32_t w = 0; w < LENGTH(workgroups); w++)
		for (uint32_t t = 0; t < LENGTH(tiles); t++)
			if (o.cpu ? workgroups[w].cpu : workgroups[w].gpu)
				offer_kinds(&o, workgroups[w].shape, tiles[t]);
	offer_matrices(&o);
	offer_few(&o, true);
	offer_few(&o, false);
}

/* ---- Baseline and fallback. */

/* 8x8 threads of 4x4 elements, k staged by 32; of one row of elements where out has few; 4-bit
 * weights with few rows: 32 invocations share k, for eight columns. */
struct schedule contraction_baseline(const struct op *op)
{
	uint16_t rows = op->value[contraction_fields(op)->m] <= FEW ? 1 : 4;
	struct schedule s = make((struct shape){8, 8}, (struct shape){4, rows}, 32);

	s.axis[AXIS_STAGE_A] = s.axis[AXIS_STAGE_B] = 1;
	s.axis[AXIS_UNROLL] = 4;
	if (op->kind == OP_MATMUL_NBITS && rows == 1) {
		s = make((struct shape){1, 1}, (struct shape){8, 1}, 8);
		s.axis[AXIS_SPLIT_K] = 32;
	}
	return s;
}

/* Little an invocation, no workgroup memory; then larger tiles, for outputs that have too many rows
 * or columns for the dispatch; then f16 pairs in a line. */
bool contraction_fallback(const struct op *op, uint32_t attempt, struct schedule *ret_schedule)
{
	static const struct shape workgroup[] = {{8, 8}, {4, 4}};
	static const struct {
		struct shape workgroup, tile;
	} lines[] = {{{1, 64}, {1, 32}}, {{64, 1}, {32, 1}}, {{1, 16}, {1, 32}}, {{16, 1}, {32, 1}},
	        {{64, 1}, {2, 1}}, {{16, 1}, {2, 1}}};
	uint16_t step = op->kind == OP_MATMUL_NBITS ? 8 : 1;
	uint16_t side = (uint16_t)(1u << attempt % 5);

	if (attempt < 10)
		*ret_schedule = make(workgroup[attempt / 5], (struct shape){side, side}, step);
	else if (attempt < 10 + LENGTH(lines))
		*ret_schedule = make(lines[attempt - 10].workgroup, lines[attempt - 10].tile, step);
	return attempt < 10 + LENGTH(lines);
}
