/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule comes to for a convolution. Pure arithmetic; counts no work (cost.c does). The
 * one choice it makes is how a workgroup's invocations stand in rows and columns of pixels.
 * Invariant: any axes within the bounds of convolution_check_axes are safe to derive from.
 */
#include "family/convolution/shape.h"

static uint32_t at_least_1(uint32_t value)
{
	return value ? value : 1;
}

static uint32_t over_up(uint32_t a, uint32_t b)
{
	return a / b + (a % b != 0);
}

/* The widest vector (4, 2 or 1 lanes) that divides both counts and does not pass `most`. */
static uint32_t widest(uint32_t most, uint64_t a, uint64_t b)
{
	uint32_t width = most >= 4 ? 4 : most >= 2 ? 2 : 1;

	while (width > 1 && (a % width || b % width))
		width /= 2;
	return width;
}

bool convolution_meets(
        const struct convolution_span *span, uint32_t at, uint32_t tap, int32_t *ret_offset)
{
	int64_t reach = (int64_t)tap * span->dilation;
	int64_t stride = span->stride;

	if (!span->transposed) {
		*ret_offset = (int32_t)(at * stride + reach - span->before);
		return true;
	}
	int64_t position = (int64_t)at + span->before - reach;
	int64_t rest = (position % stride + stride) % stride;
	*ret_offset = (int32_t)((position - rest) / stride);
	return rest == 0;
}

/* ---- The window, and what its directions are. */

/* A 1x1 convolution that neither strides nor pads: its image is one row of pixels. */
static bool is_pointwise(const struct op_window *w)
{
	return w->kh == 1 && w->kw == 1 && w->stride_h == 1 && w->stride_w == 1 && w->oh == w->h &&
	       w->ow == w->w && !w->top && !w->left;
}

/* One whose rows would pass what an extent may be stays as it is. */
static void flatten(struct convolution *c, const struct op *op)
{
	struct op_window *w = &c->w;
	uint64_t pixels = (uint64_t)w->h * w->w;

	if (!is_pointwise(w) || pixels > OP_DIM_MAX)
		return;
	c->merged = w->nhwc && op_dynamic_at(op, c->fields->batch) < 0 &&
	            pixels * w->batch <= OP_DIM_MAX;
	if (c->merged) {
		pixels *= w->batch;
		w->batch = 1;
	}
	w->h = w->oh = 1;
	w->w = w->ow = (uint32_t)pixels;
}

static void read_operator(struct convolution *c, const struct op *op)
{
	c->w = op_window(op);
	c->fields = op_convolution(op);
	flatten(c, op);
	c->diagonal = c->w.groups == c->w.c && c->w.groups == c->w.oc;
	c->groups = c->diagonal ? 1 : c->w.groups;
	c->inputs = c->w.c / c->w.groups;
	c->outputs = c->diagonal ? c->w.oc : c->w.oc / c->w.groups;
}

static void read_spans(struct convolution *c)
{
	const struct op_window *w = &c->w;

	c->rows = (struct convolution_span){.in = w->h,
	        .out = w->oh,
	        .taps = w->kh,
	        .stride = w->stride_h,
	        .dilation = w->dilation_h,
	        .before = w->top,
	        .transposed = w->transposed,
	        .width = 1};
	c->columns = (struct convolution_span){.in = w->w,
	        .out = w->ow,
	        .taps = w->kw,
	        .stride = w->stride_w,
	        .dilation = w->dilation_w,
	        .before = w->left,
	        .transposed = w->transposed,
	        .width = 1};
}

static void read_schedule(struct convolution *c, const struct schedule *schedule)
{
	const uint16_t *s = schedule->axis;
	uint32_t taps = at_least_1(s[AXIS_UNROLL]);
	bool all = taps == c->w.kh * c->w.kw;

	c->tile_m = at_least_1(s[AXIS_TILE_M]);
	c->rows.tile = at_least_1(s[AXIS_CONVOLUTION_TILE_H]);
	c->columns.tile = at_least_1(s[AXIS_TILE_N]);
	c->flat.outputs = s[AXIS_TILE_M] ? 0 : c->columns.tile;
	c->wg_x = at_least_1(s[AXIS_WG_X]);
	c->wg_y = at_least_1(s[AXIS_WG_Y]);
	c->split = at_least_1(s[AXIS_SPLIT_K]);
	c->k_step = at_least_1(s[AXIS_K_STEP]);
	c->stage.x = s[AXIS_STAGE_A];
	c->stage.w = s[AXIS_STAGE_B];
	c->rows.unrolled = all ? c->w.kh : 1;
	c->columns.unrolled = all ? c->w.kw : taps;
}

/* ---- Vectors. */

static void choose_accumulators(struct convolution *c)
{
	uint32_t m = widest(4, c->tile_m, 0), n = widest(4, c->columns.tile, 0);

	if (c->w.transposed && c->w.stride_w > 1) /* neighbours meet different taps */
		n = 1;
	c->sums.along_m = c->w.nhwc ? m >= n : m > n;
	if (c->diagonal)
		c->sums.along_m = c->w.nhwc && c->tile_m > 1;
	c->sums.vec = c->sums.along_m ? m : n;
	c->sums.count = c->tile_m * c->rows.tile * c->columns.tile / c->sums.vec;
}

/* As many input channels in a turn of the inner loop as stay within a bound of multiply-adds. */
static void choose_unrolled_k(struct convolution *c)
{
	uint32_t unrolled = c->k_step, each = c->sums.count * c->w.kh * c->w.kw;

	if (c->stage.x || c->stage.w)
		while (unrolled > 1 && (c->k_step % unrolled || unrolled * each > 192))
			unrolled--;
	c->unrolled_k = unrolled;
}

static uint64_t base_step(const struct convolution_span *s)
{
	return s->tiles == 1 ? 0 : convolution_base(s, 1);
}

/* NHWC: along input channels; NCHW: along columns, where every base is aligned. */
static void choose_x_width(struct convolution *c, uint32_t vec)
{
	struct convolution_span *columns = &c->columns;

	if (c->w.nhwc) {
		c->x_width = c->diagonal ? c->tile_m : widest(vec, c->unrolled_k, c->inputs);
		return;
	}
	c->x_width = columns->unrolled < columns->taps
	                     ? 1
	                     : widest(vec, columns->in, base_step(columns));
	columns->width = c->x_width;
}

static void choose_filter(struct convolution *c, uint32_t vec)
{
	const struct op_window *w = &c->w;
	uint64_t taps = (uint64_t)w->kh * w->kw,
	         depth = w->transposed ? w->oc / w->groups : c->inputs;
	uint64_t outer = depth * taps, inner = w->nhwc ? 1 : taps;

	c->filter.m = w->transposed && !c->diagonal ? inner : outer;
	c->filter.k = w->transposed && !c->diagonal ? outer : inner;
	c->filter.tap = w->nhwc ? (uint32_t)depth : 1;
	/* Whatever moves a load's base must keep it aligned. */
	uint64_t m_step = c->outputs % c->tile_m        ? c->filter.m
	                  : c->groups * c->tiles_m == 1 ? 0
	                                                : c->filter.m * c->tile_m;
	uint64_t group_step = c->groups > 1 && w->transposed ? c->filter.k * c->inputs : 0;
	uint64_t k_step = c->inputs == c->unrolled_k ? 0 : c->filter.k * c->unrolled_k;
	uint64_t y_step = c->rows.unrolled < w->kh ? (uint64_t)c->filter.tap * w->kw : 0;
	uint64_t x_step = c->columns.unrolled < w->kw
	                          ? (uint64_t)c->filter.tap * c->columns.unrolled
	                          : 0;
	uint64_t total = (uint64_t)(w->transposed ? w->c : w->oc) * outer;
	if (c->stage.w) /* element by element */
		vec = 1;
	c->filter.width = widest(
	        widest(widest(vec, m_step, group_step), k_step, y_step), x_step, total);
}

/* Elements of a tile that are neighbours in out stand together until a dimension is not covered:
 * a store is as wide as divides that run, and every position where one may begin. */
static uint32_t choose_out_width(const struct convolution *c)
{
	struct {
		uint64_t tile, full;
	} m = {c->tile_m, c->outputs}, y = {c->rows.tile, c->rows.out},
	  x = {c->columns.tile, c->columns.out};
	bool nhwc = c->w.nhwc;
	const uint64_t tiles[] = {
	        nhwc ? m.tile : x.tile, nhwc ? x.tile : y.tile, nhwc ? y.tile : m.tile};
	const uint64_t fulls[] = {
	        nhwc ? m.full : x.full, nhwc ? x.full : y.full, nhwc ? y.full : m.full};
	uint64_t run = 1;

	if (nhwc && c->groups > 1) /* a pixel's channels are those of all groups */
		return widest(4, c->tile_m, c->outputs);
	for (uint32_t i = 0; i < 3; i++) {
		if (tiles[i] < fulls[i])
			return widest(4, run * tiles[i], run * fulls[i]);
		run *= tiles[i];
	}
	return widest(4, run, run);
}

/* ---- How a workgroup is arranged. */

static uint64_t reach_of(const struct convolution_span *s, uint32_t group)
{
	return (uint64_t)s->tile * group * (s->transposed ? 1 : s->stride) +
	       (uint64_t)s->taps * s->dilation;
}

/* wg_x = rows.group * columns.group: the arrangement that covers out with the fewest invocations,
 * of those the one that reads the least, of those the widest. */
static void arrange(struct convolution *c)
{
	uint64_t best = UINT64_MAX, least = UINT64_MAX;

	for (uint32_t columns = c->wg_x; columns; columns /= 2) {
		uint32_t rows = c->wg_x / columns;
		uint64_t covered = (uint64_t)over_up(c->columns.tiles, columns) * columns *
		                   over_up(c->rows.tiles, rows) * rows;
		uint64_t reads = reach_of(&c->columns, columns) * reach_of(&c->rows, rows);
		if (covered > best || (covered == best && reads >= least))
			continue;
		best = covered, least = reads;
		c->columns.group = columns;
		c->rows.group = rows;
	}
}

static int32_t floor_over(int64_t a, int32_t b)
{
	return (int32_t)(a >= 0 ? a / b : -((-a + b - 1) / b));
}

/* The least and the greatest offset that a tile of s reads, in loads. */
static void reads(const struct convolution_span *s, int32_t *ret_low, int32_t *ret_high)
{
	int64_t high = (int64_t)s->tile - 1, low = 0;
	int64_t reach = (int64_t)(s->unrolled - 1) * s->dilation, before = s->before;

	if (s->transposed) {
		low = floor_over(before - reach, (int32_t)s->stride);
		high = floor_over(high + before, (int32_t)s->stride);
	} else {
		low = -before;
		high = high * s->stride + reach - before;
	}
	*ret_low = floor_over(low, (int32_t)s->width);
	*ret_high = floor_over(high, (int32_t)s->width);
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* Of tile * unrolled positions, those are the same whose output and tap differ by a common multiple
 * of stride and dilation. */
static void count_lines(struct convolution_span *s)
{
	uint32_t common = gcd(s->stride, s->dilation), pairs = s->tile * s->unrolled;
	uint32_t back = s->dilation / common, on = s->stride / common;
	int32_t low, high;

	reads(s, &low, &high);
	s->lines = pairs;
	if (s->tile > back && s->unrolled > on)
		s->lines -= (s->tile - back) * (s->unrolled - on);
	if (s->transposed)
		s->lines = pairs;
	if ((uint32_t)(high - low) < s->lines)
		s->lines = (uint32_t)(high - low) + 1;
	s->low = low;
	s->window = (uint32_t)(high - low) + 1 +
	            (s->group - 1) * (uint32_t)(convolution_base(s, 1) / s->width);
}

static void place_workgroup(struct convolution *c)
{
	uint32_t m = c->channels_first ? 0 : 1;

	c->workgroup_size[m] = c->wg_y;
	c->workgroup_size[1 - m] = c->wg_x;
	c->workgroup_size[2] = c->split;
}

/* ---- Workgroup memory. */

/* f16 in words, rows and images of odd lengths: pairs are the workgroup's own where it has whole
 * images of an even number of channels, always the same. */
static void choose_out_stage(struct convolution *c)
{
	uint32_t block = c->wg_y * c->tile_m;
	uint64_t length = (uint64_t)block * c->rows.out * c->columns.out;

	c->stage.out = c->numbers.f16 && !c->numbers.native && !c->flat.outputs && !c->w.nhwc &&
	               c->out_width < 2 && c->rows.tiles <= c->rows.group &&
	               c->columns.tiles <= c->columns.group && block % 2 == 0 &&
	               c->w.oc % block == 0 && c->outputs % c->tile_m == 0 && length <= 1 << 16;
	if (!c->stage.out)
		return;
	c->out_width = 2;
	c->stage.out_length = (uint32_t)length;
}

static void size_arrays(struct convolution *c)
{
	uint32_t taps = c->rows.unrolled * c->columns.unrolled;

	c->stage.w_width = widest(4, c->tile_m, 0);
	if (c->stage.x)
		c->stage.x_length = c->rows.window * c->columns.window *
		                    (c->w.nhwc ? c->k_step / c->x_width : c->k_step);
	if (c->stage.w)
		c->stage.w_length = c->k_step * taps * (c->wg_y * c->tile_m / c->stage.w_width);
	if (c->split > 1)
		c->stage.sum_length = c->sums.count * c->wg_x * c->wg_y * c->split;
}

struct convolution_blocks convolution_blocks(const struct convolution *c)
{
	return (struct convolution_blocks){.columns = over_up(c->columns.tiles, c->columns.group),
	        .rows = over_up(c->rows.tiles, c->rows.group),
	        .channels = over_up(c->groups * c->tiles_m, c->wg_y)};
}

struct convolution convolution_derive(const struct op *op, const struct schedule *schedule)
{
	struct convolution c = {0};
	uint32_t vec = at_least_1(schedule->axis[AXIS_VEC]);

	read_operator(&c, op);
	read_spans(&c);
	read_schedule(&c, schedule);
	c.numbers.f16 = op->value[c.fields->dtype] == DTYPE_F16;
	c.numbers.native = schedule->axis[AXIS_F16];
	c.numbers.half = c.numbers.native && op->value[c.fields->acc] == DTYPE_F16;
	c.channels_first = c.w.nhwc && !c.flat.outputs;
	c.rows.tiles = over_up(c.rows.out, c.rows.tile);
	c.columns.tiles = over_up(c.columns.out, c.columns.tile);
	c.tiles_m = over_up(c.outputs, c.tile_m);
	arrange(&c);
	choose_accumulators(&c);
	choose_unrolled_k(&c);
	choose_x_width(&c, vec);
	choose_filter(&c, vec);
	c.out_width = c.flat.outputs ? c.flat.outputs : choose_out_width(&c);
	count_lines(&c.rows);
	count_lines(&c.columns);
	size_arrays(&c);
	choose_out_stage(&c);
	place_workgroup(&c);
	return c;
}
