/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the work of one invocation of a convolution, and how much a driver has to compile. Counts
 * only: libjit/cost says what a count is worth on a device.
 */
#include "family/convolution/shape.h"
#include "schedule/family.h"

#include <math.h>

/* Outputs of a tile times the taps of a turn that meet them, one direction. */
static double meetings(const struct convolution_span *s)
{
	double pairs = (double)s->tile * s->unrolled;

	return s->transposed ? ceil(pairs / s->stride) : pairs;
}

static double unrolled_taps(const struct convolution *c)
{
	return (double)c->rows.unrolled * c->columns.unrolled;
}

/* Turns that take all the taps. */
static double tap_turns(const struct convolution *c)
{
	return (double)c->rows.taps * c->columns.taps / unrolled_taps(c);
}

/* Multiply-adds of one input channel in one turn. */
static double multiplies(const struct convolution *c)
{
	return c->tile_m * meetings(&c->rows) * meetings(&c->columns);
}

/* Loads of x for one input channel in one turn. */
static double image_loads(const struct convolution *c)
{
	double positions = (double)c->rows.lines * c->columns.lines;

	if (c->diagonal)
		return positions * c->tile_m / c->x_width;
	return c->w.nhwc ? positions / c->x_width : positions;
}

/* The share of x's loads that must be looked at for padding. */
static double padded(const struct convolution *c)
{
	bool rows = c->rows.taps > 1 || c->rows.before, columns = c->columns.taps > 1;

	return rows ? 2.0 / fmax(2, c->rows.lines) : columns ? 2.0 / fmax(2, c->columns.lines) : 0;
}

/* Instructions that take f16 out of words, or put them there. */
static uint32_t unpacking(const struct convolution *c, uint32_t lanes)
{
	return c->numbers.f16 && !c->numbers.native ? 1 + 2 * lanes : 0;
}

static uint32_t count_epilogue(const struct convolution *c, const struct op *op)
{
	const uint32_t *v = op->value;
	uint32_t store = unpacking(c, c->out_width),
	         each = 4 + op_acts_instructions(op, c->fields->act);

	each += (2 + store) * v[c->fields->residual] + v[c->fields->bias] + store;
	return c->tile_m * c->rows.tile * c->columns.tile / c->out_width * each;
}

/* What a driver has to compile: the turn's loads and multiply-adds, and the stores, which count
 * half because little stays alive across them. */
static uint32_t count_instructions(const struct convolution *c, const struct op *op)
{
	double k = c->unrolled_k, taps = unrolled_taps(c);
	double loads = k * image_loads(c) * (1 + unpacking(c, c->x_width)) +
	               k * taps * c->tile_m / c->filter.width * (1 + unpacking(c, c->filter.width));

	if (c->flat.outputs)
		return 60 * c->flat.outputs;
	if (c->stage.x)
		loads += 12 + 4.0 * c->stage.x_length / (c->wg_x * c->wg_y);
	if (c->stage.w)
		loads += 12 + 6.0 * c->stage.w_length / (c->wg_x * c->wg_y);
	loads = fmin(loads, 1e6);
	return (uint32_t)(k * multiplies(c) / c->sums.vec + loads) + count_epilogue(c, op) / 2;
}

static void count_image(const struct convolution *c, double channels, struct work *work)
{
	double loads = channels * tap_turns(c) * image_loads(c), threads = c->wg_x * c->wg_y;

	if (!c->stage.x) {
		work->loads += loads;
		work->lanes += loads * c->x_width;
		work->arithmetic += loads * (1 + 3 * padded(c));
		return;
	}
	double staging = channels / c->k_step * c->stage.x_length / threads;
	work->loads += staging;
	work->lanes += staging * c->x_width;
	work->arithmetic += 12 * staging;
	work->shared_loads += loads + staging;
	work->shared_lanes += (loads + staging) * c->x_width;
}

static void count_filter(const struct convolution *c, double channels, struct work *work)
{
	double elements = channels * tap_turns(c) * unrolled_taps(c) * c->tile_m;
	double threads = c->wg_x * c->wg_y;

	if (!c->stage.w) {
		work->loads += elements / c->filter.width;
		work->lanes += elements;
		work->arithmetic += elements / c->filter.width;
		return;
	}
	double staging = channels / c->k_step * c->stage.w_length / threads;
	work->loads += staging * c->stage.w_width;
	work->lanes += staging * c->stage.w_width;
	work->arithmetic += 10 * staging;
	work->shared_loads += elements / c->stage.w_width + staging;
	work->shared_lanes += elements + staging * c->stage.w_width;
}

/* What all workgroups read and write: each its window, its channels of the filter, its outputs. */
static double traffic(const struct convolution *c, double blocks)
{
	double pixels = (double)c->rows.tile * c->rows.group * c->columns.tile * c->columns.group;
	double scale = c->w.transposed ? 1.0 / c->w.stride_h / c->w.stride_w
	                               : (double)c->w.stride_h * c->w.stride_w;
	double m = (double)c->tile_m * c->wg_y, in = c->diagonal ? m : c->inputs;
	double taps = (double)c->rows.taps * c->columns.taps;
	double filter = m * (c->diagonal ? 1 : c->inputs) * taps;

	return (c->numbers.f16 ? 2 : 4) * blocks * (pixels * scale * in + filter + pixels * m);
}

/* One output an invocation, tap by tap, each behind two comparisons. */
static struct work count_flat(const struct convolution *c)
{
	double taps = (double)c->rows.taps * c->columns.taps, out = c->columns.tile;
	double k = c->w.c / c->w.groups * taps;

	return (struct work){.arithmetic = out * (k * 10 + 200),
	        .loads = out * 2 * k + 1,
	        .lanes = out * (2 * k + 1),
	        .turns = k,
	        .accumulators = out,
	        .registers = 20 * out,
	        .parallel = out,
	        .traffic_bytes = 8 * k * (double)c->w.oc * c->w.oh * c->w.ow};
}

static struct work count_work(const struct convolution *c, double blocks)
{
	double outputs = (double)c->tile_m * c->rows.tile * c->columns.tile;
	double channels = ceil((double)c->inputs / c->split), turns = channels / c->k_step;
	struct work work = {.arithmetic = channels * tap_turns(c) * multiplies(c) + 2 * outputs,
	        .loads = outputs / c->out_width,
	        .lanes = outputs,
	        .turns = c->inputs == c->unrolled_k && tap_turns(c) == 1
	                         ? 0
	                         : channels / c->unrolled_k * tap_turns(c),
	        .accumulators = outputs,
	        .registers = outputs + c->tile_m + 2.0 * c->columns.lines,
	        .parallel = outputs < 8 ? 1 : 2,
	        .row = c->channels_first ? c->wg_y : c->wg_x,
	        .traffic_bytes = traffic(c, blocks)};

	count_image(c, channels, &work);
	count_filter(c, channels, &work);
	if (c->stage.x || c->stage.w)
		work.barriers += 2 * turns;
	if (c->stage.out) {
		work.barriers += 1;
		work.shared_loads += 2 * outputs;
		work.shared_lanes += 2 * outputs;
		work.arithmetic += 10 * outputs;
	}
	if (c->split > 1) {
		work.barriers += log2(c->split);
		work.shared_loads += 3 * log2(c->split) * c->sums.count;
		work.shared_lanes += 3 * log2(c->split) * outputs;
	}
	return work;
}

void convolution_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work)
{
	const struct convolution *c = (const void *)shape;
	struct convolution_blocks b = convolution_blocks(c);
	double blocks = (double)b.columns * b.rows * b.channels * c->w.batch;

	(void)schedule;
	*ret_work = c->flat.outputs ? count_flat(c) : count_work(c, blocks);
	ret_work->instructions = count_instructions(c, op);
}
