/* SPDX-License-Identifier: Apache-2.0
 *
 * What a convolution's schedule costs: one invocation's work in counts, and the dispatch.
 */
#include "family/convolution/shape.h"

#include "device/limits.h"

#include <math.h>
#include <string.h>

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
	return c->f16 && !c->native ? 1 + 2 * lanes : 0;
}

static uint32_t count_epilogue(const struct convolution *c, const struct op *op)
{
	enum scalar acts[OP_ACTS_MAX];
	uint32_t at = c->epilogue + CONV2D_ACT - CONV2D_DTYPE, each = 4;

	for (uint32_t i = 0, count = op_acts(op, at, acts); i < count; i++)
		each += acts[i] == SCALAR_RELU || acts[i] == SCALAR_RELU6 ? 2 : 16;
	each += (2 + unpacking(c, c->out_width)) * op->value[at - 1] + op->value[at - 2];
	each += unpacking(c, c->out_width);
	return c->tile_m * c->rows.tile * c->columns.tile / c->out_width * each;
}

/* What a driver has to compile: the turn's loads and multiply-adds, and the stores, which count
 * half because little stays alive across them. */
static uint32_t count_instructions(const struct convolution *c, const struct op *op)
{
	double k = c->unrolled_k, taps = unrolled_taps(c);
	double loads = k * image_loads(c) * (1 + unpacking(c, c->x_width)) +
	               k * taps * c->tile_m / c->w_width * (1 + unpacking(c, c->w_width));

	if (c->flat)
		return 60 * c->columns.tile;
	if (c->stage_x)
		loads += 12 + 4.0 * c->x_length / (c->wg_x * c->wg_y);
	if (c->stage_w)
		loads += 12 + 6.0 * c->w_length / (c->wg_x * c->wg_y);
	loads = fmin(loads, 1e6);
	return (uint32_t)(k * multiplies(c) / c->vec + loads) + count_epilogue(c, op) / 2;
}

static void count_image(const struct convolution *c, double channels, struct work *work)
{
	double loads = channels * tap_turns(c) * image_loads(c), threads = c->wg_x * c->wg_y;

	if (!c->stage_x) {
		work->loads += loads;
		work->lanes += loads * c->x_width;
		work->arithmetic += loads * (1 + 3 * padded(c));
		return;
	}
	double staging = channels / c->k_step * c->x_length / threads;
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

	if (!c->stage_w) {
		work->loads += elements / c->w_width;
		work->lanes += elements;
		work->arithmetic += elements / c->w_width;
		return;
	}
	double staging = channels / c->k_step * c->w_length / threads;
	work->loads += staging * c->stage_width;
	work->lanes += staging * c->stage_width;
	work->arithmetic += 10 * staging;
	work->shared_loads += elements / c->stage_width + staging;
	work->shared_lanes += elements + staging * c->stage_width;
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

	return (c->f16 ? 2 : 4) * blocks * (pixels * scale * in + filter + pixels * m);
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
	if (c->stage_x || c->stage_w)
		work.barriers += 2 * turns;
	if (c->stage_out) {
		work.barriers += 1;
		work.shared_loads += 2 * outputs;
		work.shared_lanes += 2 * outputs;
		work.arithmetic += 10 * outputs;
	}
	if (c->split > 1) {
		work.barriers += log2(c->split);
		work.shared_loads += 3 * log2(c->split) * c->accumulators;
		work.shared_lanes += 3 * log2(c->split) * outputs;
	}
	return work;
}

/* ---- The dispatch: pixels along x and y, channels and images along z, unless one of these may
 * pass what a dispatch allows. */

#define WORKGROUPS_MAX 65535

static uint32_t over_up(uint32_t a, uint32_t b)
{
	return a / b + (a % b != 0);
}

static void count_flat_grid(const struct convolution *c, const struct op *op, struct geometry *g)
{
	const struct op_window *w = &c->w;
	struct extent total = {.times = (uint64_t)w->oc * w->oh * w->ow,
	        .over = (uint64_t)c->wg_x * c->columns.tile};

	if (!c->merged)
		extent_times(op, &total, c->batch);
	grid_fold(op, total, g->grid);
}

/* No tensor has more than OP_ELEMENTS_MAX elements. */
static uint64_t most_images(const struct convolution *c, const struct op *op)
{
	int n = op_dynamic_at(op, c->batch);
	uint64_t in = (uint64_t)c->w.c * c->w.h * c->w.w,
	         out = (uint64_t)c->w.oc * c->w.oh * c->w.ow;

	if (n < 0)
		return c->w.batch;
	return op->dynamic[n].high ? op->dynamic[n].high : OP_ELEMENTS_MAX / (in > out ? in : out);
}

static void count_grid(const struct convolution *c, const struct op *op, struct geometry *g)
{
	struct extent x = {.times = over_up(c->columns.tiles, c->columns.group), .over = 1};
	struct extent y = {.times = over_up(c->rows.tiles, c->rows.group), .over = 1};
	struct extent z = {.times = over_up(c->groups * c->tiles_m, c->wg_y), .over = 1};
	uint64_t images = most_images(c, op);
	bool fits = x.times <= WORKGROUPS_MAX && y.times <= WORKGROUPS_MAX &&
	            z.times * images <= WORKGROUPS_MAX;
	if (!c->merged)
		extent_times(op, &z, c->batch);
	g->grid[0] = x;
	g->grid[1] = y;
	g->grid[2] = z;
	if (fits)
		return;
	z.times *= x.times * y.times; /* folded whatever the batch will be: the kernel counts so */
	g->grid[0] = g->grid[1] = z;
	g->grid[0].most = GRID_FOLD;
	g->grid[1].over = GRID_FOLD;
	g->grid[2] = (struct extent){.times = 1, .over = 1};
}

struct geometry convolution_geometry(const struct convolution *c, const struct op *op)
{
	uint64_t bytes = ((uint64_t)c->x_length * c->x_width +
	                         (uint64_t)c->w_length * c->stage_width +
	                         (uint64_t)c->reduce_length * c->vec + c->out_length) *
	                 (c->half ? 2 : 4);
	struct geometry g = {.workgroup_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
	        .features = c->native ? FEATURE_F16 : 0};

	memcpy(g.workgroup_size, c->workgroup_size, sizeof g.workgroup_size);
	if (c->flat)
		count_flat_grid(c, op, &g);
	else
		count_grid(c, op, &g);
	return g;
}

struct work convolution_work(const struct convolution *c, const struct op *op)
{
	double blocks = (double)over_up(c->columns.tiles, c->columns.group) *
	                over_up(c->rows.tiles, c->rows.group) *
	                over_up(c->groups * c->tiles_m, c->wg_y) * c->w.batch;
	struct work work = c->flat ? count_flat(c) : count_work(c, blocks);

	work.instructions = count_instructions(c, op);
	return work;
}
