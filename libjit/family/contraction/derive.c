/* SPDX-License-Identifier: Apache-2.0
 *
 * Derives a contraction's numbers from operator and schedule, and says which schedules make sense.
 * Pure arithmetic; no choice is made here. What a dynamic dimension is tuned as may size things but
 * never decides what divides what.
 */
#include "family/contraction/shape.h"

#include "base/error.h"

#include <errno.h>

/* ---- The two operators. */

const struct contraction_fields *contraction_fields(const struct op *op)
{
	static const struct contraction_fields matmul = {.m = MATMUL_M,
	        .n = MATMUL_N,
	        .k = MATMUL_K,
	        .batch = MATMUL_BATCH,
	        .bias = MATMUL_BIAS,
	        .residual = MATMUL_RESIDUAL,
	        .act = MATMUL_ACT,
	        .pitch = MATMUL_PITCH,
	        .scale = MATMUL_SCALE};
	static const struct contraction_fields nbits = {.m = MATMUL_NBITS_M,
	        .n = MATMUL_NBITS_N,
	        .k = MATMUL_NBITS_K,
	        .batch = CONTRACTION_NONE,
	        .bias = MATMUL_NBITS_BIAS,
	        .residual = MATMUL_NBITS_RESIDUAL,
	        .act = MATMUL_NBITS_ACT,
	        .pitch = MATMUL_NBITS_PITCH,
	        .scale = CONTRACTION_NONE};

	return op->kind == OP_MATMUL ? &matmul : &nbits;
}

bool contraction_has(const struct op *op, uint32_t value)
{
	return value != CONTRACTION_NONE && op->value[value];
}

enum dtype contraction_out(const struct op *op)
{
	return (enum dtype)op->value[op->kind == OP_MATMUL ? MATMUL_OUT : MATMUL_NBITS_A];
}

static enum dtype dtype_of_a(const struct op *op)
{
	return (enum dtype)op->value[op->kind == OP_MATMUL ? MATMUL_A : MATMUL_NBITS_A];
}

bool contraction_has_half(const struct op *op)
{
	if (op->kind == OP_MATMUL_NBITS && op->value[MATMUL_NBITS_SCALES] == DTYPE_F16)
		return true;
	return dtype_of_a(op) == DTYPE_F16 || contraction_out(op) == DTYPE_F16;
}

/* A dimension's extent; 0 where it is dynamic. */
static uint32_t known(const struct op *op, uint32_t value)
{
	return op_dynamic_at(op, value) < 0 ? op->value[value] : 0;
}

/* A single row or column lies along k however it is stored. */
static bool a_along_k(const struct op *op)
{
	return op->kind == OP_MATMUL_NBITS || !op->value[MATMUL_TRANS_A] ||
	       known(op, MATMUL_M) == 1;
}

static bool b_along_k(const struct op *op)
{
	return op->kind == OP_MATMUL_NBITS || op->value[MATMUL_TRANS_B] || known(op, MATMUL_N) == 1;
}

bool contraction_may_dot4(const struct op *op)
{
	return op->kind == OP_MATMUL && op->value[MATMUL_A] == DTYPE_I8 && a_along_k(op) &&
	       b_along_k(op) && known(op, MATMUL_K) && op->value[MATMUL_K] % 4 == 0;
}

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
	uint32_t align = x->row ? x->row : 1, each = 32 / x->bits;
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

static void derive_operands(
        struct contraction *c, const struct op *op, const struct schedule *schedule)
{
	const uint32_t *v = op->value;
	const struct contraction_fields *f = contraction_fields(op);
	uint32_t m = known(op, f->m), n = known(op, f->n), k = c->dynamic_k ? 0 : c->k;
	enum dtype da = dtype_of_a(op);
	enum dtype db = c->nbits ? DTYPE_U4 : (enum dtype)v[MATMUL_B];
	bool dot4 = c->sum == CONTRACTION_DOT4;
	uint32_t block_m = c->wg_y * c->tile_m, block_n = c->wg_x * c->tile_n;

	c->a = (struct contraction_operand){.load = load_of(da, c, schedule),
	        .along_k = a_along_k(op),
	        .staged = schedule->axis[AXIS_STAGE_A],
	        .exact = m && m % block_m == 0 && !c->flat,
	        .bits = dot4 ? 32 : dtype_bits(da),
	        .outer = c->m,
	        .tile = c->flat ? 2 : c->tile_m,
	        .group = c->flat ? 1 : c->tile_m,
	        .block = block_m,
	        .matrices = c->nbits ? 1 : v[MATMUL_BATCH_A]};
	c->b = (struct contraction_operand){.load = load_of(db, c, schedule),
	        .along_k = b_along_k(op),
	        .staged = schedule->axis[AXIS_STAGE_B],
	        .exact = n && n % block_n == 0 && !c->flat,
	        .bits = dot4 ? 32 : dtype_bits(db),
	        .outer = c->n,
	        .tile = c->tile_n,
	        .group = c->flat ? 1 : c->lanes,
	        .block = block_n,
	        .matrices = c->nbits ? 1 : v[MATMUL_BATCH_B]};
	c->a.row = c->a.along_k ? k : m;
	c->b.row = c->b.along_k ? k : n;
	if (c->nbits) /* whole blocks */
		c->b.row += (c->scale_step - k % c->scale_step) % c->scale_step;
	derive_operand(&c->a, c);
	derive_operand(&c->b, c);
}

/* ---- What is written. */

static void derive_out(struct contraction *c, const struct op *op, const struct schedule *schedule)
{
	const struct contraction_fields *f = contraction_fields(op);
	uint32_t n = known(op, f->n), pitch = op->value[f->pitch] ? op->value[f->pitch] : n;
	bool one_batch = c->nbits || known(op, f->batch) == 1, odd = !n || n % 2;

	c->one_row = known(op, f->m) == 1 && one_batch;
	c->pitch = c->one_row ? n : pitch;
	c->pairs = contraction_out(op) == DTYPE_F16 && !schedule->axis[AXIS_F16];
	c->flat = c->pairs && !c->one_row && (!pitch || pitch % 2);
	c->ragged = c->pairs && !c->flat && odd;
	c->keeps = (c->flat || c->ragged) && pitch > n;
	c->lanes = c->flat ? 2 : widest(c->vec, c->tile_n, c->tile_n);
	if (c->flat || c->ragged) {
		c->out_width = 2;
		c->column_width = 1;
	} else {
		c->out_width = widest(c->lanes, n ? n : 1, c->pitch ? c->pitch : 1);
		c->column_width = c->out_width;
	}
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

/* Whether a dynamic dimension may need more workgroups than a dispatch has: `other` elements stand
 * to each of its own in some tensor, and no tensor passes OP_ELEMENTS_MAX. */
static bool is_strided(const struct op *op, uint32_t value, uint32_t block, uint64_t other)
{
	int number = op_dynamic_at(op, value);

	if (number < 0)
		return false;
	uint64_t high = op->dynamic[number].high, most = OP_ELEMENTS_MAX / at_least(other, 1);
	if (!high)
		high = most < OP_DIM_MAX ? most : OP_DIM_MAX;
	return high / block >= CONTRACTION_GRID_MAX;
}

static void derive_grid(struct contraction *c, const struct op *op)
{
	const struct contraction_fields *f = contraction_fields(op);
	uint64_t m = known(op, f->m), n = known(op, f->n), k = known(op, f->k);

	if (c->flat)
		return;
	c->strided[0] = is_strided(op, f->n, c->b.block, at_least(m, k));
	c->strided[1] = is_strided(op, f->m, c->a.block, at_least(n, k));
	c->strided[2] = !c->nbits && is_strided(op, f->batch, 1, at_least(m, 1) * n);
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
	        .wg_x = at_least_1(s[AXIS_WG_X]),
	        .wg_y = at_least_1(s[AXIS_WG_Y]),
	        .split = at_least_1(s[AXIS_SPLIT_K]),
	        .tile_m = at_least_1(s[AXIS_TILE_M]),
	        .tile_n = at_least_1(s[AXIS_TILE_N]),
	        .vec = at_least_1(s[AXIS_VEC]),
	        .k_step = at_least_1(s[AXIS_K_STEP]),
	        .unroll = at_least_1(s[AXIS_UNROLL]),
	        .scale_step = nbits ? op->value[MATMUL_NBITS_BLOCK] : 0,
	        .sum = sum,
	        .half_sums = !nbits && s[AXIS_F16] && !s[AXIS_MATRIX] &&
	                     op->value[MATMUL_ACC] == DTYPE_F16,
	        .subgroup = s[AXIS_SUBGROUP],
	        .quad = s[AXIS_QUAD],
	        .ahead = s[AXIS_AHEAD]};
}

/* Neighbours read what is larger of a and b from neighbouring addresses. */
static bool is_k_fastest(const struct contraction *c)
{
	if (c->split == 1)
		return false;
	return c->n <= 8 && c->m > c->n ? c->a.along_k : c->b.along_k;
}

struct contraction contraction_derive(const struct op *op, const struct schedule *schedule)
{
	struct contraction c = read_axes(op, schedule);

	derive_out(&c, op, schedule);
	derive_operands(&c, op, schedule);
	derive_grid(&c, op);
	c.k_fastest = is_k_fastest(&c);
	c.matrix = contraction_matrix_derive(&c, schedule);
	if (c.split > 1 && !c.subgroup)
		c.reduce_length = c.split * c.wg_x * c.wg_y * c.tile_m * (c.tile_n / c.lanes);
	uint32_t n_m_k[3] = {c.wg_x, c.wg_y, c.split};
	for (uint32_t i = 0; i < 3; i++)
		c.workgroup_size[i] = n_m_k[c.k_fastest || c.subgroup ? (i + 2) % 3 : i];
	if (c.matrix.shape.m) { /* subgroups one after another */
		c.workgroup_size[0] = c.wg_x * c.wg_y * c.split;
		c.workgroup_size[1] = c.workgroup_size[2] = 1;
	}
	return c;
}

/* ---- What makes sense. */

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

static int refuse(struct error *err, const char *axis, const char *rule)
{
	return error_set(err, -ERANGE, axis, "%s", rule);
}

static int check_sizes(const struct contraction *c, struct error *err)
{
	if (c->tile_m > CONTRACTION_TILE_MAX || c->tile_n > CONTRACTION_TILE_MAX ||
	        c->tile_m * c->tile_n > 256)
		return refuse(err, "schedule", "a tile is at most 32 either way and 256 in all");
	if (c->k_step > 64 || c->unroll > 32)
		return refuse(err, "schedule", "k_step is at most 64 and unroll 32");
	if ((uint64_t)c->wg_x * c->wg_y * c->split > 1024)
		return refuse(err, "schedule", "a workgroup has at most 1024 invocations");
	return 0;
}

static int check_steps(const struct contraction *c, struct error *err)
{
	bool staged = c->a.staged || c->b.staged;

	if (!power_of_two(c->vec) || c->vec > 4)
		return refuse(err, "vec", "vec must be 1, 2 or 4");
	if (c->tile_n % c->vec && !c->b.along_k && c->split == 1)
		return refuse(
		        err, "vec", "vec must divide tile_n, or b lie along k, or k be split");
	if (c->k_step % c->unroll)
		return refuse(err, "unroll", "unroll must divide k_step");
	if (!staged && c->unroll != c->k_step)
		return refuse(err, "unroll", "without staging, unroll equals k_step");
	if (c->split > 1 && (staged || !power_of_two(c->split)))
		return refuse(err, "split_k", "split_k is a power of two and excludes staging");
	if (c->a.staged != c->b.staged && (c->dynamic_k || c->k % c->k_step))
		return refuse(err, "k_step", "staging one operand alone needs k_step to divide k");
	if (c->subgroup && (c->wg_x > 1 || c->wg_y > 1 || c->split < 2))
		return refuse(err, "subgroup", "a subgroup sum needs wg_x=1, wg_y=1 and a split_k");
	return 0;
}

static int check_quad(const struct contraction *c, struct error *err)
{
	if (!c->quad)
		return 0;
	if (c->wg_x != CONTRACTION_QUAD || c->wg_y > 1 || c->split > 1 || c->a.staged ||
	        c->b.staged)
		return refuse(
		        err, "quad", "a quad is a workgroup: wg_x=4, nothing staged, k not split");
	if (c->tile_m % CONTRACTION_QUAD || !c->a.along_k)
		return refuse(err, "quad",
		        "a quad swaps rows by fours: a lies along k, 4 divides "
		        "tile_m");
	return 0;
}

static int check_ahead(const struct contraction *c, struct error *err)
{
	if (!c->ahead)
		return 0;
	if (!c->a.staged && !c->b.staged)
		return refuse(err, "ahead", "ahead is of what is staged");
	if (contraction_copies(c, &c->a) > CONTRACTION_COPIES_MAX ||
	        contraction_copies(c, &c->b) > CONTRACTION_COPIES_MAX)
		return refuse(err, "ahead", "an invocation holds at most 16 loads of a tile ahead");
	return 0;
}

static int check_nbits(const struct contraction *c, struct error *err)
{
	if (!c->nbits)
		return 0;
	if (c->k_step % 8 || c->unroll % (c->b.staged ? 4 : 8))
		return refuse(err, "k_step",
		        "b in 4 bits is read in words: k_step is a multiple of 8, unroll too, or "
		        "of 4 where b is staged");
	if (!c->b.staged && c->scale_step % c->unroll && c->unroll % c->scale_step)
		return refuse(
		        err, "unroll", "unroll must divide the block, or be a multiple of it");
	return 0;
}

static int check_types(const struct op *op, const struct schedule *schedule, struct error *err)
{
	if (schedule->axis[AXIS_SLABS] > 1)
		return refuse(err, "slabs", "slabs say nothing without cooperative matrices");
	if (schedule->axis[AXIS_F16] && !contraction_has_half(op))
		return refuse(err, "f16", "f16 says nothing where no tensor is f16");
	if (schedule->axis[AXIS_DOT4] && !contraction_may_dot4(op))
		return refuse(err, "dot4",
		        "packed dot products need a and b of i8 along k, and a k that 4 divides");
	return 0;
}

/* The least that n may be at run time. */
static uint32_t least_n(const struct contraction *c, const struct op *op)
{
	int number = op_dynamic_at(op, contraction_fields(op)->n);

	return number < 0 ? c->pitch : op->dynamic[number].low;
}

static int check_out(const struct contraction *c, const struct op *op, struct error *err)
{
	if (c->pairs && (c->lanes < 2 || c->out_width < 2))
		return refuse(err, "shader-f16",
		        "without f16=1, f16 is written in pairs: tile_n is even, vec 2 or 4");
	if (!c->flat)
		return 0;
	if (c->tile_m != 1 || c->wg_y != 1 || c->tile_n % 2 || c->a.staged || c->b.staged)
		return refuse(err, "shader-f16",
		        "without f16=1, odd rows of f16 are written in pairs that run on: "
		        "tile_m=1, "
		        "wg_y=1, tile_n even, nothing staged");
	if (c->tile_n > least_n(c, op) + 1 && c->tile_n > 2)
		return refuse(err, "tile_n", "pairs that run on must not span three rows");
	return 0;
}

int contraction_check(const struct contraction *c, const struct op *op,
        const struct schedule *schedule, struct error *err)
{
	if (schedule->axis[AXIS_MATRIX])
		return contraction_matrix_check(c, op, schedule, err);
	int r = check_sizes(c, err);

	r = r ? r : check_steps(c, err);
	r = r ? r : check_quad(c, err);
	r = r ? r : check_ahead(c, err);
	r = r ? r : check_nbits(c, err);
	r = r ? r : check_types(op, schedule, err);
	return r ? r : check_out(c, op, err);
}
