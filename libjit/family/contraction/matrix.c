/* SPDX-License-Identifier: Apache-2.0
 *
 * Contractions by cooperative matrices: what a schedule with the `matrix` axis means, which make
 * sense, and what they cost. Workgroups stage a slab of each operand in workgroup memory, k_step
 * deep; a subgroup multiplies matrices out of the slabs and keeps its tile of out in registers.
 * Sums are f32 throughout, whatever `acc` allows.
 */
#include "family/contraction/shape.h"

#include "base/error.h"

#include <errno.h>
#include <math.h>

#define COPIES_MAX   32 /* vectors that an invocation holds for one slab */
#define MATRICES_MAX 32 /* of sums, in a subgroup's registers */
#define SUM_PAD      4  /* f32s between rows on their way out */

/* Multiply-adds of matrices in the time of one of f32: 8 to 16 on GPUs that have them. */
#define GAIN 8.0

bool contraction_may_matrix(const struct op *op)
{
	const uint32_t *v = op->value;

	return op->kind == OP_MATMUL && v[MATMUL_A] == DTYPE_F16 && v[MATMUL_B] == DTYPE_F16 &&
	       op_dynamic_at(op, MATMUL_K) < 0;
}

static uint32_t over(uint64_t x, uint64_t divisor)
{
	return (uint32_t)((x + divisor - 1) / divisor);
}

/* Rows of the tensor must be whole vectors too. */
static struct contraction_slab derive_slab(
        const struct contraction *c, const struct contraction_operand *x, uint32_t slabs)
{
	struct contraction_slab s = {.rows = x->along_k ? x->block : c->k_step,
	        .columns = x->along_k ? c->k_step : x->block,
	        .width = 8};
	uint64_t invocations = (uint64_t)c->wg.x * c->wg.y * c->wg.split;

	while (s.width > 1 && (!x->run || x->run % s.width || s.columns % s.width))
		s.width /= 2;
	s.pitch = s.columns / s.width + 8 / s.width;
	s.length = slabs * s.rows * s.pitch;
	s.copies = over((uint64_t)s.rows * (s.columns / s.width), invocations);
	return s;
}

struct contraction_matrix contraction_matrix_derive(
        const struct contraction *c, const struct schedule *schedule)
{
	uint32_t digits = schedule->axis[AXIS_CONTRACTION_MATRIX];
	uint32_t slabs = schedule->axis[AXIS_CONTRACTION_SLABS] > 1
	                         ? schedule->axis[AXIS_CONTRACTION_SLABS]
	                         : 1;
	struct contraction_matrix x = {.slabs = slabs,
	        .shape = {(uint16_t)(digits / 100 * 8), (uint16_t)(digits / 10 % 10 * 8),
	                (uint16_t)(digits % 10 * 8)}};

	if (c->form != CONTRACTION_MATRIX)
		return (struct contraction_matrix){0};
	x.a = derive_slab(c, &c->a, slabs);
	x.b = derive_slab(c, &c->b, slabs);
	x.sum_pitch = x.shape.n + SUM_PAD;
	x.sum_length = c->wg.x * c->wg.y * x.shape.m * x.sum_pitch;
	return x;
}

/* ---- What makes sense. */

static int refuse(struct error *err, const char *axis, const char *rule)
{
	return error_set(err, -ERANGE, axis, "%s", rule);
}

static int check_op(const struct contraction *c, const struct op *op, struct error *err)
{
	if (!contraction_may_matrix(op))
		return refuse(err, "matrix",
		        "cooperative matrices need a and b of f16, and a k that is known");
	if (!c->a.row || !c->b.row)
		return refuse(err, "matrix", "cooperative matrices need rows of known length");
	return 0;
}

static int check_axes(const struct schedule *schedule, struct error *err)
{
	const uint16_t *s = schedule->axis;

	if (!s[AXIS_F16] || !s[AXIS_SUBGROUP])
		return refuse(err, "matrix", "cooperative matrices need f16=1 and subgroup=1");
	if (s[AXIS_STAGE_A] || s[AXIS_STAGE_B] || s[AXIS_DOT4] || s[AXIS_CONVOLUTION_TILE_H])
		return refuse(err, "matrix",
		        "stage_a, stage_b, dot4 and tile_h say nothing of cooperative matrices");
	if (s[AXIS_CONTRACTION_MATRIX] > 999 || s[AXIS_CONTRACTION_SLABS] > 2 || s[AXIS_VEC] != 4 ||
	        s[AXIS_UNROLL] != s[AXIS_K_STEP])
		return refuse(err, "matrix",
		        "cooperative matrices need three digits, at most 2 slabs, vec=4 and "
		        "unroll equal to k_step");
	return 0;
}

static int check_tile(const struct contraction *c, struct error *err)
{
	struct matrix_shape s = c->matrix.shape;

	if (!s.m || !s.n || !s.k || c->tile_m % s.m || c->tile_n % s.n || c->k_step % s.k)
		return refuse(err, "matrix", "tile_m, tile_n and k_step are of whole matrices");
	if (c->tile_m > 128 || c->tile_n > 128 || c->k_step > 128 ||
	        c->tile_m / s.m * (c->tile_n / s.n) > MATRICES_MAX)
		return refuse(err, "matrix",
		        "tile_m, tile_n and k_step are at most 128, and a tile of 32 matrices");
	if (c->wg.split < 4 || c->wg.split > 128 || s.m * s.n % (c->wg.split * c->out.width))
		return refuse(err, "split_k",
		        "split_k is the size of a subgroup, which shares a matrix evenly");
	if ((uint64_t)c->wg.x * c->wg.y * c->wg.split > 1024)
		return refuse(err, "schedule", "a workgroup has at most 1024 invocations");
	if (c->matrix.a.copies > COPIES_MAX || c->matrix.b.copies > COPIES_MAX)
		return refuse(err, "matrix", "a slab is at most 32 loads of each invocation");
	return 0;
}

int contraction_matrix_check(const struct contraction *c, const struct op *op,
        const struct schedule *schedule, struct error *err)
{
	int r = check_op(c, op, err);

	r = r ? r : check_axes(schedule, err);
	return r ? r : check_tile(c, err);
}

/* ---- What is worth offering. */

/* Subgroups of a workgroup along n and m, the tile of each, k_step and slabs. Large ones feed the
 * matrix units best: reading workgroup memory takes less of the time (docs/BENCHMARKS.md). Small
 * ones are for small products, which would leave most of the device idle. */
static const struct {
	uint8_t x, y, m, n, k, slabs;
} tiles[] = {{4, 2, 64, 64, 32, 1}, {4, 2, 64, 64, 16, 2}, {2, 2, 64, 64, 32, 1},
        {2, 2, 64, 64, 32, 2}, {2, 2, 64, 64, 16, 2}, {2, 4, 64, 64, 32, 1}, {2, 4, 64, 64, 16, 2},
        {4, 4, 32, 64, 32, 1}, {4, 4, 32, 64, 16, 2}, {2, 2, 64, 32, 32, 1}, {2, 2, 32, 32, 64, 1},
        {2, 2, 32, 32, 32, 2}, {2, 1, 32, 32, 32, 2}, {2, 2, 16, 32, 32, 2}, {2, 2, 16, 16, 32, 2},
        {1, 1, 32, 32, 32, 2}, {1, 1, 16, 32, 32, 1}, {1, 1, 16, 16, 32, 1}};

bool contraction_matrix_offer(
        struct matrix_shape shape, uint32_t subgroup, uint32_t i, struct schedule *ret_schedule)
{
	uint32_t digits = shape.m / 8u * 100 + shape.n / 8u * 10 + shape.k / 8u;

	if (i >= sizeof tiles / sizeof *tiles)
		return false;
	*ret_schedule = (struct schedule){
	        .axis = {[AXIS_WG_X] = tiles[i].x,
	                [AXIS_WG_Y] = tiles[i].y,
	                [AXIS_TILE_M] = tiles[i].m,
	                [AXIS_TILE_N] = tiles[i].n,
	                [AXIS_VEC] = 4,
	                [AXIS_K_STEP] = tiles[i].k,
	                [AXIS_UNROLL] = tiles[i].k,
	                [AXIS_SPLIT_K] = (uint16_t)subgroup,
	                [AXIS_SUBGROUP] = 1,
	                [AXIS_F16] = 1,
	                [AXIS_CONTRACTION_MATRIX] = (uint16_t)digits,
	                [AXIS_CONTRACTION_SLABS] = tiles[i].slabs > 1 ? 2 : 0}};
	return true;
}

/* ---- What it costs. */

static uint32_t slab_bytes(const struct contraction_slab *s)
{
	return s->length * s->width * 2;
}

uint32_t contraction_matrix_bytes(const struct contraction *c)
{
	return slab_bytes(&c->matrix.a) + slab_bytes(&c->matrix.b) + c->matrix.sum_length * 4;
}

uint32_t contraction_matrix_instructions(const struct contraction *c)
{
	struct matrix_shape s = c->matrix.shape;
	uint32_t across = c->tile_m / s.m, along = c->tile_n / s.n;

	return c->k_step / s.k * (across * along + across + along) +
	       4 * (c->matrix.a.copies + c->matrix.b.copies) + 8 * across * along;
}

/* Each workgroup reads its rows and columns. */
static double traffic(const struct contraction *c, const struct op *op)
{
	double blocks = ceil((double)c->m / c->a.block) * ceil((double)c->n / c->b.block) *
	                c->batch;

	return blocks *
	       ((c->a.block + c->b.block) * 2.0 * c->k +
	               (double)c->a.block * c->b.block * dtype_bits(contraction_dtype_out(op)) / 8);
}

/* Fitted on an H200 at 4096x4096x4096: reading matrices out of workgroup memory takes as long as
 * multiplying them. `registers` is scaled to the knee of cost.c, which is that of scalar kernels.
 */
struct work contraction_matrix_work(const struct contraction *c, const struct op *op)
{
	struct matrix_shape s = c->matrix.shape;
	double turns = ceil((double)c->k / c->k_step);
	double sums = (double)c->tile_m * c->tile_n / c->wg.split;
	double copies = c->matrix.a.copies + c->matrix.b.copies;
	double elements = (double)c->k_step * (c->tile_m + c->tile_n) / c->wg.split;

	return (struct work){.arithmetic = turns * c->k_step * sums / GAIN + 8 * sums,
	        .loads = turns * copies + sums / c->out.width,
	        .lanes = turns * copies + sums,
	        .shared_loads = turns * (4 * copies + elements / 2) + 2 * sums,
	        .shared_lanes = turns * (4 * copies + elements) + 2 * sums,
	        .barriers = turns * (c->matrix.slabs > 1 ? 1 : 2) +
	                    2.0 * (c->tile_m / s.m) * (c->tile_n / s.n),
	        .turns = turns,
	        .accumulators = sums,
	        .registers = (sums + 4 * copies + 60) * 140 / 255,
	        .parallel = 2,
	        .traffic_bytes = traffic(c, op)};
}
