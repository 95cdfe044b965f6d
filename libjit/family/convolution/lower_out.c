/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a tiled convolution: the split's sum, then the stores. Stores are sorted by the edges
 * that they may be past, so that all of a kind share one guard. Where invocations would share a
 * word of f16, the workgroup's outputs meet in workgroup memory and are stored in pairs. Invariant:
 * an element past an edge is never stored.
 *
 * A tile of 2 rows and 4 columns whose last column and row may lie past out's:
 *
 *     .       .       .       COLUMN
 *     ROW     ROW     ROW     ROW|COLUMN         four groups of stores, three of them guarded
 */
#include "family/convolution/lower.h"

/* ---- The split's sum: a tree in workgroup memory. */

static ir_id sum_slot(struct convolving *v, uint32_t sum, ir_id lane)
{
	ir_id row = lower_plus(v->l, lane, sum * v->c.split);

	return ir_add(v->b, lower_times(v->l, row, v->c.wg_x * v->c.wg_y), v->thread);
}

static void add_partner(struct convolving *v, ir_id partner)
{
	for (uint32_t i = 0; i < v->c.sums.count; i++) {
		ir_id other = ir_shared_load(v->b, v->shared.sum, sum_slot(v, i, partner));
		ir_id own = ir_get(v->b, v->sums[i]);
		ir_set(v->b, v->sums[i], ir_add(v->b, own, other));
	}
}

void out_reduce(struct convolving *v)
{
	for (uint32_t half = v->c.split / 2; half; half /= 2) {
		for (uint32_t i = 0; i < v->c.sums.count; i++) {
			ir_id slot = sum_slot(v, i, v->local_k);
			ir_shared_store(v->b, v->shared.sum, slot, ir_get(v->b, v->sums[i]));
		}
		ir_barrier(v->b);
		ir_if(v->b, ir_compute(v->b, IR_LT, v->local_k, ir_u32(v->b, half), 0));
		add_partner(v, lower_plus(v->l, v->local_k, half));
		ir_end(v->b);
		if (half > 1) /* before the next round overwrites what was read */
			ir_barrier(v->b);
	}
}

/* ---- Stores. */

struct element { /* of the tile */
	uint32_t m, r, j;
};

/* Number n in the order in which they lie in out. */
static struct element element_of(const struct convolution *c, uint32_t n)
{
	uint32_t columns = c->columns.tile;

	if (c->w.nhwc)
		return (struct element){
		        n % c->tile_m, n / c->tile_m / columns, n / c->tile_m % columns};
	return (struct element){
	        n / columns / c->rows.tile, n / columns % c->rows.tile, n % columns};
}

static ir_id both(struct convolving *v, ir_id x, ir_id y)
{
	return x && y ? ir_compute(v->b, IR_LAND, x, y, 0) : x ? x : y;
}

/* The edges an element may be past, by bit: it is, in the last tile alone. */
enum edge { EDGE_COLUMN = 1, EDGE_ROW = 2, EDGE_CHANNEL = 4, EDGES = 8 };

static bool past(uint32_t at, uint32_t out, uint32_t tile)
{
	return out % tile && at >= out % tile;
}

static uint32_t edges_of(const struct convolution *c, struct element e)
{
	return (past(e.j, c->columns.out, c->columns.tile) ? EDGE_COLUMN : 0u) |
	       (past(e.r, c->rows.out, c->rows.tile) ? EDGE_ROW : 0u) |
	       (past(e.m, c->outputs, c->tile_m) ? EDGE_CHANNEL : 0u);
}

static ir_id before_last(struct convolving *v, ir_id tile, uint32_t tiles)
{
	return ir_compute(v->b, IR_LT, tile, ir_u32(v->b, tiles - 1), 0);
}

static ir_id guard_of(struct convolving *v, uint32_t edges)
{
	const struct convolution *c = &v->c;
	ir_id guard = 0;

	if (edges & EDGE_COLUMN)
		guard = before_last(v, v->columns.tile, c->columns.tiles);
	if (edges & EDGE_ROW)
		guard = both(v, guard, before_last(v, v->rows.tile, c->rows.tiles));
	if (edges & EDGE_CHANNEL)
		guard = both(v, guard, before_last(v, v->m.tile, c->tiles_m));
	return guard;
}

/* Elements of out from one to the next along each dimension. */
struct pitches {
	uint32_t m, r, j;
};

static struct pitches pitches_of(const struct convolution *c)
{
	const struct op_window *w = &c->w;

	if (w->nhwc)
		return (struct pitches){1, w->ow * w->oc, w->oc};
	return (struct pitches){w->oh * w->ow, w->ow, 1};
}

/* The tile's first element from its output channels' first image row, in stores. Every product is
 * whole: see choose_out_width. */
static ir_id pixel_base(struct convolving *v, uint32_t width)
{
	const struct convolution *c = &v->c;
	struct pitches p = pitches_of(c);
	ir_id row = lower_times(v->l, v->rows.tile, c->rows.tile * p.r / width);
	ir_id column = lower_times(v->l, v->columns.tile, c->columns.tile * p.j / width);

	return ir_add(v->b, row, column);
}

static ir_id tile_base(struct convolving *v)
{
	const struct convolution *c = &v->c;
	uint32_t width = c->out_width, pitch = pitches_of(c).m;
	ir_id image = lower_times(v->l, v->image, c->w.oc * c->w.oh * c->w.ow / width);
	ir_id group = lower_times(v->l, v->group, c->outputs * pitch / width);
	ir_id m = lower_times(v->l, v->m.tile, c->tile_m * pitch / width);
	ir_id channel = ir_add(v->b, ir_add(v->b, image, group), m);

	return ir_add(v->b, channel, pixel_base(v, width));
}

struct ending {
	ir_id base;
	ir_id bias[TILE_MAX]; /* by output channel; 0: none */
};

static void load_bias(struct convolving *v, ir_id bias[TILE_MAX])
{
	const struct convolution *c = &v->c;
	ir_id group = lower_times(v->l, v->group, c->outputs);
	ir_id first = lower_times(v->l, v->m.tile, c->tile_m), last = ir_u32(v->b, c->outputs - 1);

	for (uint32_t m = 0; m < c->tile_m; m++) {
		bias[m] = 0;
		if (v->bound.bias == OP_TENSORS_MAX)
			continue;
		ir_id own = lower_plus(v->l, first, m);
		if (c->outputs % c->tile_m)
			own = ir_compute(v->b, IR_MIN, own, last, 0);
		bias[m] = lower_load(v->l, v->bound.bias, ir_add(v->b, group, own));
	}
}

static ir_id sum_of(struct convolving *v, struct element e)
{
	const struct convolution *c = &v->c;
	ir_id value = v->values[convolution_sum(c, e.m, e.r, e.j)];

	return ir_extract(v->b, value, (c->sums.along_m ? e.m : e.j) % c->sums.vec);
}

static void store_elements(struct convolving *v, const struct ending *ending, uint32_t first)
{
	const struct convolution *c = &v->c;
	struct pitches p = pitches_of(c);
	struct element at = element_of(c, first);
	uint32_t plus = (at.m * p.m + at.r * p.r + at.j * p.j) / c->out_width;
	ir_id index = lower_plus(v->l, ending->base, plus), sums[4], bias[4];

	for (uint32_t i = 0; i < c->out_width; i++) {
		struct element e = element_of(c, first + i);
		sums[i] = sum_of(v, e);
		bias[i] = ending->bias[e.m];
	}
	convolution_conclude(v, sums, bias, index);
}

static void stage_sum(struct convolving *v, const struct ending *ending, uint32_t number)
{
	const struct convolution *c = &v->c;
	struct pitches p = pitches_of(c);
	struct element e = element_of(c, number);
	ir_id at = lower_plus(v->l, ending->base, e.m * p.m + e.r * p.r + e.j * p.j);

	ir_shared_store(v->b, v->shared.out, at, sum_of(v, e));
}

/* All that may be past these edges and no others. */
static void store_all(struct convolving *v, const struct ending *ending, uint32_t edges)
{
	const struct convolution *c = &v->c;
	uint32_t count = c->tile_m * c->rows.tile * c->columns.tile;
	bool open = false;

	for (uint32_t i = 0; i < count; i += c->stage.out ? 1 : c->out_width) {
		if (edges_of(c, element_of(c, i)) != edges)
			continue;
		if (edges && !open)
			ir_if(v->b, guard_of(v, edges));
		open = true;
		(c->stage.out ? stage_sum : store_elements)(v, ending, i);
	}
	if (edges && open)
		ir_end(v->b);
}

/* Stores pair `pair` of the workgroup's block of whole channels. */
static void store_pair(struct convolving *v, ir_id pair)
{
	const struct convolution *c = &v->c;
	uint32_t pixels = c->w.oh * c->w.ow;
	ir_id first = lower_times(v->l, v->m.first_tile, c->tile_m);
	ir_id image = lower_times(v->l, v->image, c->w.oc * pixels / 2);
	ir_id block = lower_over(v->l, lower_times(v->l, first, pixels), 2);
	ir_id index = ir_add(v->b, ir_add(v->b, image, block), pair), sums[4], bias[4];

	for (uint32_t i = 0; i < 2; i++) {
		ir_id at = lower_plus(v->l, lower_times(v->l, pair, 2), i);
		ir_id channel = ir_add(v->b, first, lower_over(v->l, at, pixels));
		sums[i] = ir_shared_load(v->b, v->shared.out, at);
		if (v->bound.bias != OP_TENSORS_MAX)
			bias[i] = lower_load(v->l, v->bound.bias, channel);
	}
	convolution_conclude(v, sums, bias, index);
}

static void store_staged(struct convolving *v)
{
	ir_barrier(v->b);
	if (v->c.split > 1)
		ir_if(v->b, ir_compute(v->b, IR_EQ, v->local_k, ir_u32(v->b, 0), 0));
	convolution_copy(v, v->c.stage.out_length / 2, store_pair);
	if (v->c.split > 1)
		ir_end(v->b);
}

/* Where an invocation's sums begin in the workgroup's block. */
static ir_id staged_base(struct convolving *v)
{
	uint32_t pitch = v->c.tile_m * v->c.w.oh * v->c.w.ow;
	ir_id m = lower_times(v->l, v->m.local, pitch);

	return ir_add(v->b, m, pixel_base(v, 1));
}

void out_store(struct convolving *v)
{
	struct ending ending;
	ir_id within = both(v, both(v, v->columns.within, v->rows.within), v->m.within);

	if (v->c.split > 1)
		within = both(v, within, ir_compute(v->b, IR_EQ, v->local_k, ir_u32(v->b, 0), 0));
	if (within)
		ir_if(v->b, within);
	for (uint32_t i = 0; i < v->c.sums.count; i++)
		v->values[i] = ir_get(v->b, v->sums[i]);
	ending.base = v->c.stage.out ? staged_base(v) : tile_base(v);
	if (!v->c.stage.out)
		load_bias(v, ending.bias);
	for (uint32_t edges = 0; edges < EDGES; edges++)
		store_all(v, &ending, edges);
	if (within)
		ir_end(v->b);
	if (v->c.stage.out)
		store_staged(v);
}
