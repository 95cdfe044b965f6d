/* SPDX-License-Identifier: Apache-2.0
 *
 * The reductions as a table, and what a schedule means for one. Pure arithmetic; no choice is made
 * here (those are reduction_space.c's).
 */
#include "family/reduction/shape.h"

#define X          SCALAR_X
#define Y          SCALAR_Y
#define Z          SCALAR_Z
#define ALPHA      SCALAR_ALPHA
#define BETA       SCALAR_BETA
#define ADD        SCALAR_ADD
#define SUB        SCALAR_SUB
#define MUL        SCALAR_MUL
#define EXP        SCALAR_EXP
#define LOG        SCALAR_LOG
#define SQUARE     SCALAR_SQUARE
#define SQRT       SCALAR_SQRT
#define RSQRT      SCALAR_RSQRT
#define RECIPROCAL SCALAR_RECIPROCAL

/* clang-format off */
#define NORMALISE /* the mean, then the variance about it; or both from sums and sums of squares */ \
	.output = OUTPUT_ELEMENTS, .shifted = true, .online = ONLINE_APART, \
	.pass = {{JOIN_ADD, {X}, {Y, BETA, MUL}}, \
	         {JOIN_ADD, {X, Y, SUB, SQUARE}, {Z, BETA, MUL, ALPHA, ADD, RSQRT}}, \
	         {JOIN_ADD, {X, SQUARE}, {Z, BETA, MUL, Y, SQUARE, SUB, ALPHA, ADD, RSQRT}}}, \
	.write = {X, Y, SUB, Z, MUL}
#define REDUCE(first_join, ...) .output = OUTPUT_RESULTS, .pass = {{first_join, {__VA_ARGS__}, {0}}}

static const struct reduction_row rows[OP_COUNT] = {
	[OP_SOFTMAX] = {.output = OUTPUT_ELEMENTS, .online = ONLINE_EXPONENTIALS,
		.pass = {{JOIN_MAX, {X}, {0}}, {JOIN_ADD, {X, Y, SUB, EXP}, {Z, RECIPROCAL}}},
		.write = {X, Y, SUB, EXP, Z, MUL}},
	[OP_LOG_SOFTMAX] = {.output = OUTPUT_ELEMENTS, .online = ONLINE_EXPONENTIALS,
		.pass = {{JOIN_MAX, {X}, {0}}, {JOIN_ADD, {X, Y, SUB, EXP}, {Z, LOG}}},
		.write = {X, Y, SUB, Z, SUB}},
	[OP_LAYERNORM] = {.layout = LAYOUT_NORM, NORMALISE},
	[OP_RMSNORM] = {.layout = LAYOUT_NORM, .output = OUTPUT_ELEMENTS,
		.pass = {{JOIN_ADD, {X, SQUARE}, {Y, BETA, MUL, ALPHA, ADD, RSQRT}}},
		.write = {X, Y, MUL}},
	[OP_GROUPNORM] = {.layout = LAYOUT_CHANNELS, NORMALISE},
	[OP_INSTANCENORM] = {.layout = LAYOUT_CHANNELS, NORMALISE},
	[OP_REDUCE_SUM] = {REDUCE(JOIN_ADD, X), .write = {Y}},
	[OP_REDUCE_MEAN] = {REDUCE(JOIN_ADD, X), .write = {Y, BETA, MUL}},
	[OP_REDUCE_MAX] = {REDUCE(JOIN_MAX, X), .write = {Y}},
	[OP_REDUCE_MIN] = {REDUCE(JOIN_MIN, X), .write = {Y}},
	[OP_REDUCE_PROD] = {REDUCE(JOIN_MUL, X), .write = {Y}},
	[OP_REDUCE_L2] = {REDUCE(JOIN_ADD, X, SQUARE), .write = {Y, SQRT}},
	[OP_ARGMAX] = {.output = OUTPUT_INDICES, .pass = {{JOIN_MAX, {X}, {0}}}},
	[OP_ARGMIN] = {.output = OUTPUT_INDICES, .pass = {{JOIN_MIN, {X}, {0}}}},
	[OP_CUMSUM] = {.output = OUTPUT_RUNNING, .pass = {{JOIN_ADD, {X}, {0}}}},
};
/* clang-format on */

const struct reduction_row *reduction_row(const struct op *op)
{
	return &rows[op->kind];
}

/* ---- Sizes. */

static uint32_t extent_with(struct reduction_extent extent, uint32_t value)
{
	uint64_t product = (uint64_t)extent.times * value;

	return product > UINT32_MAX ? UINT32_MAX : (uint32_t)product;
}

uint32_t reduction_tuned(const struct op *op, struct reduction_extent extent)
{
	return extent.value == EXTENT_CONSTANT ? extent.times
	                                       : extent_with(extent, op->value[extent.value]);
}

uint32_t reduction_most(const struct op *op, struct reduction_extent extent)
{
	uint32_t low, high;

	if (reduction_is_constant(op, extent))
		return reduction_tuned(op, extent);
	op_range(op, (uint32_t)op_dynamic_at(op, extent.value), &low, &high);
	return extent_with(extent, high);
}

/* The extent in vectors, where every value it may take is a whole number of them; else false. */
static bool divide(const struct op *op, struct reduction_extent extent, uint32_t by,
        struct reduction_extent *ret_quotient)
{
	if (reduction_is_constant(op, extent))
		extent = (struct reduction_extent){reduction_tuned(op, extent), EXTENT_CONSTANT};
	if (extent.times % by)
		return false;
	extent.times /= by;
	*ret_quotient = extent;
	return true;
}

static void find_sizes(const struct op *op, struct reduction *r)
{
	const struct reduction_extent one = {1, EXTENT_CONSTANT};
	const uint32_t *v = op->value;

	switch (r->row->layout) {
	case LAYOUT_ROWS:
		r->rows = (struct reduction_extent){1, SOFTMAX_ROWS};
		r->n = (struct reduction_extent){1, SOFTMAX_N};
		r->inner = (struct reduction_extent){1, SOFTMAX_INNER};
		break;
	case LAYOUT_NORM:
		r->rows = (struct reduction_extent){1, LAYERNORM_ROWS};
		r->n = (struct reduction_extent){1, LAYERNORM_N};
		r->inner = one;
		break;
	case LAYOUT_CHANNELS:
		r->groups = op->kind == OP_GROUPNORM ? v[GROUPNORM_GROUPS] : v[INSTANCENORM_C];
		r->rows = (struct reduction_extent){r->groups, GROUPNORM_BATCH};
		r->n = (struct reduction_extent){v[GROUPNORM_C] / r->groups, GROUPNORM_INNER};
		r->inner = one;
		break;
	}
}

/* ---- A schedule's meaning. */

static uint32_t at_least_1(uint32_t value)
{
	return value ? value : 1;
}

static bool is_single(const struct op *op, struct reduction_extent extent)
{
	return reduction_is_constant(op, extent) && reduction_tuned(op, extent) == 1;
}

/* Left 0 vectors long where the lanes do not divide what they should. */
static void find_vectors(const struct op *op, struct reduction *r, uint32_t tile_n)
{
	struct reduction_extent count = r->n, columns = r->inner;

	r->across = !is_single(op, r->inner);
	r->vectors = r->across ? tile_n : tile_n % r->vec ? 0 : tile_n / r->vec;
	if (!divide(op, r->across ? columns : count, r->vec, r->across ? &columns : &count))
		r->vectors = 0;
	r->count = count;
	r->columns = columns;
}

static enum dtype in_dtype(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];

	op_tensors(op, tensors);
	return tensors[0].dtype;
}

/* How words of f16 come to be written by one invocation each. */
static void find_owner(struct reduction *r)
{
	if (r->row->output == OUTPUT_RESULTS) {
		r->out_width = r->across && r->vec > 1 ? r->vec : 2;
		return;
	}
	r->out_width = r->vec > 1 ? r->vec : 2;
	if (r->vec == 1)
		r->owner = r->across ? OWNER_WORDS : OWNER_PAIRS;
}

struct reduction reduction_derive(const struct op *op, const struct schedule *schedule)
{
	const uint16_t *s = schedule->axis;
	struct reduction r = {.row = reduction_row(op),
	        .wg_x = at_least_1(s[AXIS_WG_X]),
	        .wg_y = at_least_1(s[AXIS_WG_Y]),
	        .tile_m = at_least_1(s[AXIS_TILE_M]),
	        .vec = at_least_1(s[AXIS_VEC]),
	        .radix = at_least_1(s[AXIS_K_STEP]),
	        .subgroup = s[AXIS_SUBGROUP]};

	find_sizes(op, &r);
	find_vectors(op, &r, at_least_1(s[AXIS_TILE_N]));
	r.straight = (uint64_t)r.wg_x * r.vectors >= reduction_most(op, r.count);
	r.lines_fastest = r.wg_x == 1 || (r.across && !r.subgroup);
	r.out_width = r.row->output == OUTPUT_ELEMENTS || r.row->output == OUTPUT_RUNNING ||
	                              r.across
	                      ? r.vec
	                      : 1;
	if (in_dtype(op) == DTYPE_F16 && !s[AXIS_F16] && r.row->output != OUTPUT_INDICES)
		find_owner(&r);
	return r;
}
