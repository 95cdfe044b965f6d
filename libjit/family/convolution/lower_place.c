/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an invocation of a tiled convolution stands: its image, its tile of output channels and of
 * pixels, and the workgroup arrays. Invariant: what lies past the last tile is kept at the last,
 * and `within` says so.
 *
 * Pixels of one image, rows.group = 2, columns.group = 4 (wg_x = 8); each box is a tile of
 * tile_h x tile_n outputs, a to h the invocations of one workgroup:
 *
 *            columns.tile ->
 *   rows     a b c d | a b c d | a b .     the last workgroup's c and d (or g and h) are past
 *   .tile    e f g h | e f g h | e f .     the last tile: they are kept at it and not stored
 *
 * wg_y workgroup neighbours take neighbouring tiles of output channels, split_k others the same
 * tile and other input channels.
 */
#include "family/convolution/lower.h"

static void declare_arrays(struct convolving *v)
{
	const struct convolution *c = &v->c;
	enum ir_scalar number = v->l->number;

	if (c->stage.x)
		v->shared.x = ir_shared(v->b, IR_TYPE(number, c->x_width), c->stage.x_length);
	if (c->stage.w)
		v->shared.w = ir_shared(v->b, IR_TYPE(number, c->stage.w_width), c->stage.w_length);
	if (c->stage.out)
		v->shared.out = ir_shared(v->b, IR_TYPE(number, 1), c->stage.out_length);
	if (c->stage.sum_length)
		v->shared.sum = ir_shared(v->b, IR_TYPE(number, c->sums.vec), c->stage.sum_length);
}

/* The position of `own` among `count`: itself, or the last where it may be past it. */
static ir_id keep(
        struct convolving *v, ir_id own, uint32_t count, uint32_t group, ir_id *ret_within)
{
	*ret_within = 0;
	if (count % group == 0)
		return own;
	*ret_within = ir_compute(v->b, IR_LT, own, ir_u32(v->b, count), 0);
	return ir_compute(v->b, IR_MIN, own, ir_u32(v->b, count - 1), 0);
}

static void place_direction(struct convolving *v, struct direction *d,
        const struct convolution_span *span, ir_id workgroup, ir_id local)
{
	d->span = span;
	d->first = lower_times(v->l, workgroup, span->group);
	ir_id own = ir_add(v->b, d->first, local);
	d->tile = keep(v, own, span->tiles, span->group, &d->within);
}

static void place_channels(struct convolving *v, ir_id workgroup)
{
	const struct convolution *c = &v->c;
	uint32_t tiles = c->groups * c->tiles_m;
	ir_id first = lower_times(v->l, workgroup, c->wg_y);
	ir_id own = ir_add(v->b, first, v->m.local);
	ir_id tile = keep(v, own, tiles, c->wg_y, &v->m.within);

	v->m.first_tile = first;
	v->group = c->groups == 1 ? ir_u32(v->b, 0) : lower_over(v->l, tile, c->tiles_m);
	v->m.tile = c->groups == 1 ? tile : lower_modulo(v->l, tile, c->tiles_m);
	v->m.first = c->groups == 1 ? first : lower_modulo(v->l, first, c->tiles_m);
}

struct workgroup { /* its position on a grid that is not folded */
	ir_id x, y, z;
};

/* Where the workgroup stands, and where the grid is folded the beginning of a block for those
 * within. */
static struct workgroup place_workgroup(
        struct convolving *v, const struct convolution_blocks *blocks)
{
	uint32_t x = blocks->columns, y = blocks->rows;
	struct lower *l = v->l;
	struct workgroup p;

	if (!grid_is_folded(l->geometry.grid)) {
		p.x = x == 1 ? ir_u32(v->b, 0) : ir_builtin(v->b, IR_WORKGROUP_ID_X);
		p.y = y == 1 ? ir_u32(v->b, 0) : ir_builtin(v->b, IR_WORKGROUP_ID_Y);
		p.z = ir_builtin(v->b, IR_WORKGROUP_ID_Z);
		return p;
	}
	ir_id flat = lower_flat_workgroup(l);
	ir_id images = v->c.merged ? ir_u32(v->b, 1) : lower_dim(l, v->c.fields->batch);
	ir_id total = lower_times(l, images, x * y * blocks->channels);
	ir_if(v->b, ir_compute(v->b, IR_LT, flat, total, 0));
	ir_id rest = lower_over(l, flat, x);
	p.x = lower_modulo(l, flat, x);
	p.y = lower_modulo(l, rest, y);
	p.z = lower_over(l, rest, y);
	return p;
}

void convolution_place(struct convolving *v)
{
	const struct convolution *c = &v->c;
	struct lower *l = v->l;
	struct convolution_blocks blocks = convolution_blocks(c);
	uint32_t m = blocks.channels;
	bool many = !c->merged && (c->w.batch > 1 || op_dynamic_at(l->op, c->fields->batch) >= 0);

	declare_arrays(v);
	struct workgroup p = place_workgroup(v, &blocks);
	ir_id first = lower_local(l, 0), second = lower_local(l, 1);
	ir_id pixel = c->channels_first ? second : first;

	v->m.local = c->channels_first ? first : second;
	v->local_k = lower_local(l, 2);
	v->thread = ir_add(v->b, lower_times(l, second, c->workgroup_size[0]), first);
	v->image = many ? lower_over(l, p.z, m) : ir_u32(v->b, 0);
	ir_id row = lower_over(l, pixel, c->columns.group);
	ir_id column = lower_modulo(l, pixel, c->columns.group);
	place_direction(v, &v->rows, &c->rows, p.y, row);
	place_direction(v, &v->columns, &c->columns, p.x, column);
	place_channels(v, many ? lower_modulo(l, p.z, m) : m == 1 ? ir_u32(v->b, 0) : p.z);
}
