/* SPDX-License-Identifier: Apache-2.0
 *
 * Derives a contraction's numbers from operator and schedule, and says which schedules make sense.
 * Pure arithmetic; no choice is made here. What a dynamic dimension is tuned as may size things but
 * never decides what divides what.
 */
#include "family/contraction/shape.h"

/* ---- Loads. */

/* The widest load (4, 2 or 1 lanes) that divides both counts and does not pass `most`. */
static uint32_t widest(uint32_t most, uint32_t a, uint32_t b)
{
	uint32_t width = most >= 4 ? 4 : most >= 2 ? 2 : 1;

	while (width > 1 && (a % width || b % width))
		width /= 2;
	return width;
}

static void derive_width(struct contraction_operand *x, const struct contraction *c)
{
	uint32_t align = x->run ? x->run : 1, each = 32 / x->bits;
	uint32_t reach = !x->along_k ? x->group : x->staged ? c->k_step : c->unroll;

	if (x->load == CONTRACTION_PACKED) {
		uint32_t words = x->bits == 4 && c->scale_step < 32 ? 2 : 4;
		words = widest(c->vec < words ? c->vec : words, words, words);
		while (words && (align % (words * each) || reach % (words * each)))
			words /= 2;
		x->words = words;
		x->width = words * each;
	}
	if (!x->width) { /* parts of words */
		uint32_t most = x->load == CONTRACTION_PACKED ? each / 2 : 4;
		x->load = x->load == CONTRACTION_PACKED ? CONTRACTION_NUMBERS : x->load;
		x->width = widest(
		        c->vec < most ? c->vec : most, align, x->along_k ? c->unroll : x->group);
	}
	x->lanes = widest(4, x->width, x->along_k ? c->unroll : x->group);
}

static void derive_operand(struct contraction_operand *x, const struct contraction *c)
{
	derive_width(x, c);
	if (!x->staged)
		return;
	if (x->along_k) { /* [outer][k]; a vector of padding after each group, so that
		           * neighbouring invocations begin in different banks */
		x->pitch = c->k_step / x->lanes;
		x->shared_length = x->block * x->pitch + x->block / x->group;
	} else { /* [k][outer] */
		x->pitch = x->block / x->lanes;
		x->shared_length = c->k_step * x->pitch;
	}
}

static enum contraction_load load_of(
        enum dtype dtype, const struct contraction *c, const struct schedule *schedule)
{
	if (c->sum == CONTRACTION_DOT4)
		return CONTRACTION_WORDS;
	if (dtype == DTYPE_F16)
		return schedule->axis[AXIS_F16] ? CONTRACTION_NUMBERS : CONTRACTION_PACKED;
	return dtype_bits(dtype) < 32 ? CONTRACTION_PACKED : CONTRACTION_NUMBERS;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* From row to row of the stored matrices: of what lies side by side, or further. */
static void derive_rows(struct contraction *c, const struct op *op)
{
	const struct contraction_fields *f = contraction_fields(op);
	uint32_t m = contraction_known(op, f->m), n = contraction_known(op, f->n),
	         k = c->dynamic_k ? 0 : c->k;
	uint32_t pitch = c->nbits ? 0 : op->value[MATMUL_PITCH_A];

	if (c->sum == CONTRACTION_DOT4)
		pitch /= 4;
	c->a.row = c->a.run = c->a.along_k ? k : m;
	if (pitch) {
		c->a.row = pitch;
		c->a.run = common_divisor(pitch, k);
	}
	c->b.row = c->b.along_k ? k : n;
	if (c->nbits) /* whole blocks */
		c->b.row += (c->scale_step - k % c->scale_step) % c->scale_step;
	c->b.run = c->b.row;
}

static void derive_operands(
        struct contraction *c, const struct op *op, const struct schedule *schedule)
{
	const uint32_t *v = op->value;
	const struct contraction_fields *f = contraction_fields(op);
	uint32_t m = contraction_known(op, f->m), n = contraction_known(op, f->n);
	enum dtype da = contraction_dtype_a(op);
	enum dtype db = c->nbits ? DTYPE_U4 : (enum dtype)v[MATMUL_B];
	bool dot4 = c->sum == CONTRACTION_DOT4;
	uint32_t block_m = c->wg.y * c->tile_m, block_n = c->wg.x * c->tile_n;

	c->a = (struct contraction_operand){.load = load_of(da, c, schedule),
	        .along_k = contraction_a_along_k(op),
	        .staged = schedule->axis[AXIS_STAGE_A],
	        .exact = m && m % block_m == 0 && c->form != CONTRACTION_FLAT,
	        .bits = dot4 ? 32 : dtype_bits(da),
	        .outer = c->m,
	        .tile = c->form == CONTRACTION_FLAT ? 2 : c->tile_m,
	        .group = c->form == CONTRACTION_FLAT ? 1 : c->tile_m,
	        .block = block_m,
	        .matrices = c->nbits ? 1 : v[MATMUL_BATCH_A]};
	c->b = (struct contraction_operand){.load = load_of(db, c, schedule),
	        .along_k = contraction_b_along_k(op),
	        .staged = schedule->axis[AXIS_STAGE_B],
	        .exact = n && n % block_n == 0 && c->form != CONTRACTION_FLAT,
	        .bits = dot4 ? 32 : dtype_bits(db),
	        .outer = c->n,
	        .tile = c->tile_n,
	        .group = c->form == CONTRACTION_FLAT ? 1 : c->lanes,
	        .block = block_n,
	        .matrices = c->nbits ? 1 : v[MATMUL_BATCH_B]};
	derive_rows(c, op);
	derive_operand(&c->a, c);
	derive_operand(&c->b, c);
}

/* ---- What is written. */

/* Matrices are asked for by their digits; that pairs run on follows from the operator. */
static enum contraction_form form_of(const struct schedule *schedule, bool flat)
{
	if (schedule->axis[AXIS_CONTRACTION_MATRIX] >= 100)
		return CONTRACTION_MATRIX;
	if (flat)
		return CONTRACTION_FLAT;
	return schedule->axis[AXIS_CONTRACTION_QUAD] ? CONTRACTION_QUAD : CONTRACTION_TILE;
}

static void derive_out(struct contraction *c, const struct op *op, const struct schedule *schedule)
{
	const struct contraction_fields *f = contraction_fields(op);
	uint32_t n = contraction_known(op, f->n),
	         pitch = op->value[f->pitch] ? op->value[f->pitch] : n;
	bool one_batch = c->nbits || contraction_known(op, f->batch) == 1, odd = !n || n % 2;
	bool pairs = contraction_dtype_out(op) == DTYPE_F16 && !schedule->axis[AXIS_F16];
	bool one_row = contraction_known(op, f->m) == 1 && one_batch;
	bool flat = pairs && !one_row && (!pitch || pitch % 2), ragged = pairs && !flat && odd;
	struct contraction_out out = {.pairs = pairs,
	        .ragged = ragged,
	        .keeps = (flat || ragged) && pitch > n,
	        .one_row = one_row,
	        .pitch = one_row ? n : pitch,
	        .width = 2,
	        .column_width = 1};

	c->form = form_of(schedule, flat);
	c->lanes = flat ? 2 : widest(c->vec, c->tile_n, c->tile_n);
	if (!flat && !ragged)
		out.width = out.column_width = widest(
		        c->lanes, n ? n : 1, out.pitch ? out.pitch : 1);
	c->out = out;
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

/* Whether a dimension may need more workgroups than a dispatch has: `other` elements stand to each
 * of its own in some tensor, and no tensor passes OP_ELEMENTS_MAX. */
static bool is_strided(const struct op *op, uint32_t value, uint32_t block, uint64_t other)
{
	int number = op_dynamic_at(op, value);
	uint64_t high = number < 0 ? op->value[value] : op->dynamic[number].high,
	         most = OP_ELEMENTS_MAX / at_least(other, 1);

	if (!high)
		high = most < OP_DIM_MAX ? most : OP_DIM_MAX;
	return high / block >= CONTRACTION_GRID_MAX;
}

static void derive_turns(struct contraction *c, const struct op *op)
{
	const struct contraction_fields *f = contraction_fields(op);
	uint64_t m = contraction_known(op, f->m), n = contraction_known(op, f->n),
	         k = contraction_known(op, f->k);

	if (c->form == CONTRACTION_FLAT)
		return;
	c->wg.strided[0] = is_strided(op, f->n, c->b.block, at_least(m, k));
	c->wg.strided[1] = is_strided(op, f->m, c->a.block, at_least(n, k));
	c->wg.strided[2] = !c->nbits && is_strided(op, f->batch, 1, at_least(m, 1) * n);
}

/* ---- All of it. */

static uint32_t at_least_1(uint32_t value)
{
	return value ? value : 1;
}

static enum contraction_sum sum_of(const struct op *op, const struct schedule *schedule)
{
	if (op->kind != OP_MATMUL || op->value[MATMUL_A] != DTYPE_I8)
		return CONTRACTION_FLOAT;
	return schedule->axis[AXIS_DOT4] && contraction_may_dot4(op) ? CONTRACTION_DOT4
	                                                             : CONTRACTION_INT;
}

static struct contraction read_axes(const struct op *op, const struct schedule *schedule)
{
	const uint16_t *s = schedule->axis;
	const struct contraction_fields *f = contraction_fields(op);
	bool nbits = op->kind == OP_MATMUL_NBITS;
	enum contraction_sum sum = sum_of(op, schedule);

	return (struct contraction){.nbits = nbits,
	        .m = op->value[f->m],
	        .n = op->value[f->n],
	        .k = op->value[f->k] / (sum == CONTRACTION_DOT4 ? 4 : 1),
	        .batch = nbits ? 1 : op->value[f->batch],
	        .dynamic_k = !nbits && op_dynamic_at(op, f->k) >= 0,
	        .wg = {.x = at_least_1(s[AXIS_WG_X]),
	                .y = at_least_1(s[AXIS_WG_Y]),
	                .split = at_least_1(s[AXIS_SPLIT_K])},
	        .tile_m = at_least_1(s[AXIS_TILE_M]),
	        .tile_n = at_least_1(s[AXIS_TILE_N]),
	        .vec = at_least_1(s[AXIS_VEC]),
	        .k_step = at_least_1(s[AXIS_K_STEP]),
	        .unroll = at_least_1(s[AXIS_UNROLL]),
	        .scale_step = nbits ? op->value[MATMUL_NBITS_BLOCK] : 0,
	        .sum = sum,
	        .half_sums = !nbits && s[AXIS_F16] && !s[AXIS_CONTRACTION_MATRIX] &&
	                     op->value[MATMUL_ACC] == DTYPE_F16,
	        .subgroup = s[AXIS_SUBGROUP],
	        .ahead = s[AXIS_CONTRACTION_AHEAD]};
}

/* Neighbours read what is larger of a and b from neighbouring addresses. */
static bool is_k_fastest(const struct contraction *c)
{
	if (c->wg.split == 1)
		return false;
	return c->n <= 8 && c->m > c->n ? c->a.along_k : c->b.along_k;
}

/* Along k first where neighbours differ in k; subgroups of matrices stand one after another. */
static void derive_workgroup(struct contraction *c)
{
	uint32_t n_m_k[3] = {c->wg.x, c->wg.y, c->wg.split};

	c->wg.k_fastest = is_k_fastest(c);
	for (uint32_t i = 0; i < 3; i++)
		c->wg.size[i] = n_m_k[c->wg.k_fastest || c->subgroup ? (i + 2) % 3 : i];
	if (c->form == CONTRACTION_MATRIX) {
		c->wg.size[0] = c->wg.x * c->wg.y * c->wg.split;
		c->wg.size[1] = c->wg.size[2] = 1;
	}
}

struct contraction contraction_derive(const struct op *op, const struct schedule *schedule)
{
	struct contraction c = read_axes(op, schedule);

	derive_out(&c, op, schedule);
	derive_operands(&c, op, schedule);
	derive_turns(&c, op);
	derive_workgroup(&c);
	c.matrix = contraction_matrix_derive(&c, schedule);
	if (c.wg.split > 1 && !c.subgroup)
		c.reduce_length = c.wg.split * c.wg.x * c.wg.y * c.tile_m * (c.tile_n / c.lanes);
	return c;
}
