/* SPDX-License-Identifier: Apache-2.0
 *
 * What a contraction costs: the size of its code, and what one invocation does. Counts only; what
 * a count is worth on a device is cost.c's to say.
 */
#include "family/contraction/shape.h"
#include "schedule/family.h"

#include <math.h>

/* ---- Instructions. */

/* Vector instructions that take one packed vector apart. */
static uint32_t unpacking(const struct contraction_operand *x)
{
	if (x->load == CONTRACTION_PACKED)
		return x->bits == 16 ? 3 : 4;
	return x->bits < 16 || (x->bits == 16 && x->words) ? 3 * x->lanes : 0;
}

static uint32_t fetching(const struct contraction_operand *x, uint32_t unroll)
{
	return x->staged ? 0 : x->tile * unroll / x->lanes * unpacking(x);
}

/* Of one store: what is added, where it goes, and f16 taken out of words and put into them. */
static uint32_t finishing(const struct contraction *c, const struct op *op)
{
	const struct contraction_fields *f = contraction_fields(op);
	uint32_t sum = 6 + op_acts_instructions(op, f->act);

	if (c->out.pairs)
		sum += c->out.width *
		       (1u + contraction_has(op, f->bias) + contraction_has(op, f->residual));
	return sum;
}

/* What a driver has to compile for each accumulator: its multiply-adds, and for each store the
 * epilogue, which counts half because little stays alive across it. Loads are left out, but for
 * what it takes to make numbers of them. */
static uint32_t instructions(const struct contraction *c, const struct op *op)
{
	uint32_t stores = c->lanes / c->out.width, product = 1;

	if (c->form == CONTRACTION_MATRIX)
		return contraction_matrix_instructions(c);
	if (c->sum == CONTRACTION_INT || c->form == CONTRACTION_FLAT)
		product = 2;
	if (c->sum == CONTRACTION_DOT4)
		product = c->lanes + 2;
	return c->tile_m * (c->tile_n / c->lanes) *
	               (c->unroll * product + stores * finishing(c, op) / 2) +
	       fetching(&c->a, c->unroll) + fetching(&c->b, c->unroll);
}

/* ---- Work. */

/* Instructions that make a number of one stored element. */
static double conversion(const struct contraction_operand *x)
{
	if (x->load == CONTRACTION_PACKED)
		return x->bits == 16 ? 1 : x->bits == 8 ? 3 : 4;
	return x->bits == 16 ? 0.5 : x->bits == 8 ? 5 : 0;
}

/* Words of 32 bits that one load moves. */
static double words_of(const struct contraction_operand *x)
{
	return fmax(1, x->width * x->bits / 32.0);
}

/* Rows that others load are swapped for. */
static double loaded_rows(const struct contraction *c, const struct contraction_operand *x)
{
	return c->form == CONTRACTION_QUAD && x == &c->a ? (double)x->tile / CONTRACTION_QUAD_SIZE
	                                                 : x->tile;
}

static void count_operand(const struct contraction *c, const struct contraction_operand *x,
        double k, double threads, struct work *work)
{
	double rows = loaded_rows(c, x), loads = rows * k / x->width;

	if (!x->staged) {
		work->loads += loads;
		work->lanes += loads * words_of(x);
		work->arithmetic += rows * k * conversion(x) + (x->tile - rows) * k;
		return;
	}
	double staging = x->block * k / x->width / threads; /* shared among the threads */
	double vectors = x->tile * k / x->lanes, stored = staging * x->width / x->lanes;
	work->loads += staging;
	work->lanes += staging * words_of(x);
	work->arithmetic += staging * (4 + x->width * conversion(x));
	work->shared_loads += vectors + stored;
	work->shared_lanes += (vectors + stored) * x->lanes;
}

/* Scales of 4-bit weights, and what applying them adds. */
static void count_scales(
        const struct contraction *c, double k, double threads, bool zeros, struct work *work)
{
	double tile = c->b.staged ? c->b.block / threads : c->tile_n;
	double step = c->b.staged ? c->b.width : fmin(c->scale_step, c->unroll);
	double parts = k / step, loads = tile * parts * (zeros ? 2 : 1);

	work->loads += loads;
	work->lanes += loads;
	work->arithmetic += c->b.staged ? tile * k : parts * c->tile_m * c->tile_n;
	work->arithmetic += zeros ? 5 * tile * parts : 0;
}

static void count_split(const struct contraction *c, double accumulators, struct work *work)
{
	double rounds = c->wg.split > 1 ? log2(c->wg.split) : 0;

	if (c->subgroup) {
		work->arithmetic += 6 * accumulators;
	} else {
		work->barriers += rounds;
		work->shared_loads += 3 * rounds * accumulators;
	}
}

/* Each workgroup reads its rows and columns. */
static double traffic(const struct contraction *c, const struct op *op)
{
	double blocks = ceil((double)c->m / c->a.block) * ceil((double)c->n / c->b.block) *
	                c->batch;
	double out = dtype_bits(contraction_dtype_out(op)), b_bits = c->b.bits;

	if (c->nbits)
		b_bits += (double)dtype_bits((enum dtype)op->value[MATMUL_NBITS_SCALES]) /
		          c->scale_step;
	return blocks / 8 *
	       (((double)c->a.block * c->a.bits + c->b.block * b_bits) * c->k +
	               (double)c->a.block * c->b.block * out);
}

/* Elements of the next tiles that an invocation holds. */
static double held_ahead(const struct contraction *c)
{
	return !c->ahead ? 0
	                 : contraction_copies(c, &c->a) * c->a.width +
	                           contraction_copies(c, &c->b) * c->b.width;
}

static struct work work_of(const struct contraction *c, const struct op *op)
{
	if (c->form == CONTRACTION_MATRIX)
		return contraction_matrix_work(c, op);
	double k = ceil((double)c->k / c->wg.split), threads = c->wg.x * c->wg.y;
	double accumulators = c->tile_m * c->tile_n;
	double product = c->sum == CONTRACTION_FLOAT && c->form != CONTRACTION_FLAT ? 1 : 2;
	struct work work = {.arithmetic = product * k * accumulators + accumulators,
	        .loads = accumulators / c->out.width,
	        .lanes = accumulators,
	        .turns = k / c->unroll,
	        .accumulators = accumulators,
	        .registers = accumulators + c->tile_m + c->tile_n + held_ahead(c),
	        .parallel = accumulators < 8 ? 1 : 2,
	        .row = c->wg.x > 1 && c->wg.y > 1 && c->form != CONTRACTION_FLAT ? c->wg.x : 0};

	count_operand(c, &c->a, k, threads, &work);
	count_operand(c, &c->b, k, threads, &work);
	if (c->nbits)
		count_scales(c, k, threads, op->value[MATMUL_NBITS_ZEROS], &work);
	if (c->a.staged || c->b.staged)
		/* A barrier behind loads waits for memory; one that loads have passed does not. */
		work.barriers += (c->ahead ? 1.5 : 2) * ceil(k / c->k_step);
	count_split(c, accumulators, &work);
	work.traffic_bytes = traffic(c, op);
	return work;
}

void contraction_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work)
{
	const struct contraction *c = (const void *)shape;

	(void)schedule;
	*ret_work = work_of(c, op);
	ret_work->instructions = instructions(c, op);
}
