/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution's x: which rows and columns a tile meets, how they are kept in bounds, and their
 * elements. Each element is read once a turn. Positions are u32 and may wrap below 0: what is then
 * compared with the image's extent is past it. Invariant: no load leaves the image or the window.
 *
 * One direction of a tile of 4 outputs, 3 taps, stride 2, before = 1 (padding):
 *
 *   offset    -1   0   1   2   3   4   5   6   7    output * stride + tap * dilation - before,
 *   line       0   1   2   3   4   5   6   7   8    from the tile's base; a line is loaded once
 *   output 0   t0  t1  t2
 *   output 1           t0  t1  t2                   output 1's tap 0 meets the line that
 *   output 2                   t0  t1  t2           output 0's tap 2 meets: 9 lines for 12
 *   output 3                           t0  t1  t2   meetings
 *
 * Line 0 lies in the padding for the first tile: `inside` then says whether it holds an element.
 * NCHW loads may run along columns: a line is then `width` columns, and a meeting has a lane.
 * Transposed, an output meets only the taps whose distance is a multiple of the stride.
 */
#include "family/convolution/lower.h"

#include <string.h>

/* ---- Lines. */

/* Whether some output that is stored meets the padding there: in the first tile at the near end,
 * or in the last tile that has this output at the far one. */
static bool meets_padding(const struct convolution_span *s, uint32_t at, int32_t offset)
{
	uint64_t last = convolution_base(s, (s->out - 1 - at) / s->tile);

	return offset < 0 || (int64_t)last + offset >= s->in;
}

static uint32_t find_line(struct direction *d, int32_t offset)
{
	uint32_t i = 0;

	while (i < d->count && d->lines[i].offset != offset)
		i++;
	if (i == d->count)
		d->lines[d->count++] = (struct line){.offset = offset};
	return i;
}

/* Returns which lines may lie in the padding, by bit. */
static void collect_lines(struct direction *d, bool padded[LINES_MAX])
{
	const struct convolution_span *s = d->span;
	int32_t offset, width = (int32_t)s->width;

	d->count = 0;
	memset(padded, 0, LINES_MAX * sizeof *padded);
	for (uint32_t j = 0; j < s->tile; j++) {
		for (uint32_t k = 0; k < s->unrolled; k++) {
			struct meeting *meeting = &d->meetings[j][k];
			meeting->line = NO_LINE;
			if (!convolution_meets(s, j, k, &offset))
				continue;
			int32_t load = floor_over(offset, width);
			uint32_t line = find_line(d, load);
			meeting->line = (uint8_t)line;
			meeting->lane = (uint8_t)(offset - load * width);
			padded[line] |= meets_padding(s, j, offset);
		}
	}
}

/* The position that the lines' offsets are counted from, in loads. */
static ir_id base_of(struct convolving *v, const struct direction *d, ir_id tile, ir_id tap)
{
	const struct convolution_span *s = d->span;
	uint32_t step = s->tiles == 1 ? 0 : (uint32_t)(convolution_base(s, 1) / s->width);
	ir_id base = lower_times(v->l, tile, step), reach = lower_times(v->l, tap, s->dilation);

	return s->transposed ? ir_compute(v->b, IR_SUB, base, reach, 0) : ir_add(v->b, base, reach);
}

/* One that no tile can have outside the image costs nothing. */
static void keep_line(
        struct convolving *v, const struct direction *d, struct line *line, ir_id base, bool padded)
{
	const struct convolution_span *s = d->span;
	uint32_t loads = s->in / s->width;
	int64_t last = (int64_t)(convolution_base(s, s->tiles - 1) / s->width) + line->offset;
	bool loop = s->unrolled < s->taps;

	if (!loop && line->offset >= 0 && last < loads) {
		line->at = lower_times(v->l, base, d->pitch);
		line->plus = (uint32_t)line->offset * d->pitch;
		return;
	}
	ir_id position = lower_plus(v->l, base, (uint32_t)line->offset);
	ir_id kept = ir_compute(v->b, IR_MIN, position, ir_u32(v->b, loads - 1), 0);
	line->at = lower_times(v->l, kept, d->pitch);
	if (loop || padded)
		line->inside = ir_compute(v->b, IR_LT, position, ir_u32(v->b, loads), 0);
}

static uint32_t image_pitch(const struct convolution *c, bool rows)
{
	uint32_t channels = c->w.nhwc ? (c->stage.x ? c->k_step : c->w.c) / c->x_width : 1;
	uint32_t columns = c->stage.x ? c->columns.window : c->columns.in / c->columns.width;

	return rows ? columns * channels : channels;
}

void image_find_lines(struct convolving *v, struct direction *d, ir_id tap)
{
	bool padded[LINES_MAX];

	d->pitch = image_pitch(&v->c, d == &v->rows);
	collect_lines(d, padded);
	ir_id tile = d->tile;
	if (v->c.stage.x)
		tile = ir_compute(v->b, IR_SUB, d->tile, d->first, 0);
	ir_id base = base_of(v, d, tile, tap);
	ir_id staged = lower_times(v->l, base, d->pitch);
	for (uint32_t i = 0; i < d->count; i++) {
		struct line *line = &d->lines[i];
		if (!v->c.stage.x) {
			keep_line(v, d, line, base, padded[i]);
			continue;
		}
		line->at = staged;
		line->plus = (uint32_t)(line->offset - d->span->low) * d->pitch;
	}
}

/* ---- Channels. */

/* Elements of x's binding from one input channel to the next; of NHWC, from one load to the next.
 */
static uint32_t channel_pitch(const struct convolution *c)
{
	if (c->w.nhwc)
		return 1;
	return c->stage.x ? c->rows.window * c->columns.window : c->w.h * (c->w.w / c->x_width);
}

/* Where channels are not summed over, it is the output channels that say where x is read. */
void image_begin(struct convolving *v)
{
	const struct convolution *c = &v->c;
	uint32_t along = c->w.nhwc ? c->x_width : 1, pitch = channel_pitch(c);
	uint32_t pixels = c->w.nhwc ? c->w.h * c->w.w : 1;
	ir_id image = lower_times(v->l, v->image, c->w.c / along * pixels * pitch);
	uint32_t channels = c->diagonal ? c->tile_m : c->inputs;
	ir_id first = c->diagonal ? v->m.tile : v->group;

	v->plane.origin = ir_add(v->b, image, lower_times(v->l, first, channels / along * pitch));
}

void image_choose_channel(struct convolving *v, uint32_t kk, uint32_t m)
{
	const struct convolution *c = &v->c;
	uint32_t along = c->w.nhwc ? c->x_width : 1, pitch = channel_pitch(c);
	uint32_t channel = c->diagonal && !c->w.nhwc ? m : kk;

	v->plane.plus = channel / along * pitch;
	v->plane.lane = c->w.nhwc ? kk % along : 0;
	if (v->plane.lane)
		return;
	ir_id k = lower_times(
	        v->l, lower_over(v->l, c->stage.x ? v->turn.staged_k : v->turn.k, along), pitch);
	v->plane.at = c->stage.x ? k : ir_add(v->b, v->plane.origin, k);
	memset(v->plane.elements, 0, v->rows.count * v->columns.count * sizeof *v->plane.elements);
}

/* ---- Elements. */

static ir_id read_element(struct convolving *v, const struct line *row, const struct line *column)
{
	ir_id line = ir_add(v->b, v->plane.at, row->at);
	ir_id at = ir_add(v->b, line, column->at);

	at = lower_plus(v->l, at, row->plus + column->plus + v->plane.plus);
	if (v->c.stage.x)
		return ir_shared_load(v->b, v->shared.x, at);
	ir_id value = lower_load(v->l, v->bound.x, at), zero = lower_literal(v->b, 0, value);
	if (column->inside)
		value = ir_select(v->b, column->inside, value, zero);
	if (row->inside)
		value = ir_select(v->b, row->inside, value, zero);
	return value;
}

static ir_id element_at(struct convolving *v, uint32_t row, uint32_t column)
{
	ir_id *element = &v->plane.elements[row * v->columns.count + column];

	if (!*element)
		*element = read_element(v, &v->rows.lines[row], &v->columns.lines[column]);
	return *element;
}

ir_id image_vector(struct convolving *v, uint32_t r, uint32_t j, const struct tap *tap)
{
	const struct convolution *c = &v->c;
	uint32_t row = v->rows.meetings[r][tap->ky].line, count = c->sums.along_m ? 1 : c->sums.vec;
	ir_id lanes[4];

	for (uint32_t i = 0; i < count; i++) {
		const struct meeting *column = &v->columns.meetings[j + i][tap->kx];
		if (row == NO_LINE || column->line == NO_LINE)
			return 0;
		ir_id element = element_at(v, row, column->line);
		if (c->diagonal && c->sums.along_m)
			return element;
		lanes[i] = ir_extract(v->b, element, c->w.nhwc ? v->plane.lane : column->lane);
	}
	return c->sums.along_m ? ir_splat(v->b, lanes[0], c->sums.vec)
	                       : ir_compose(v->b, lanes, c->sums.vec);
}

/* ---- Staging. */

/* Position `at` of the workgroup's window, kept in bounds; *inside is 0 where it always is. */
static ir_id window_position(
        struct convolving *v, const struct direction *d, ir_id at, ir_id *ret_inside)
{
	const struct convolution_span *s = d->span;
	uint32_t loads = s->in / s->width, groups = (s->tiles - 1) / s->group;
	ir_id base = base_of(v, d, d->first, ir_u32(v->b, 0));
	ir_id position = lower_plus(v->l, ir_add(v->b, base, at), (uint32_t)s->low);
	int64_t last = (int64_t)(convolution_base(s, (uint64_t)groups * s->group) / s->width) +
	               s->low + s->window - 1;

	*ret_inside = 0;
	if (s->low >= 0 && last < loads)
		return position;
	*ret_inside = ir_compute(v->b, IR_LT, position, ir_u32(v->b, loads), 0);
	return ir_compute(v->b, IR_MIN, position, ir_u32(v->b, loads - 1), 0);
}

/* In global memory, from a window's row, column and channel (in loads). */
static ir_id read_window(struct convolving *v, ir_id row, ir_id column, ir_id channel)
{
	const struct convolution *c = &v->c;
	uint32_t channels = c->w.nhwc ? c->w.c / c->x_width : 1;
	uint32_t columns = c->columns.in / c->columns.width,
	         pitch = c->w.nhwc ? 1 : c->w.h * columns;
	uint32_t along = c->w.nhwc ? c->x_width : 1;
	ir_id inside_y, inside_x, y = window_position(v, &v->rows, row, &inside_y);
	ir_id x = window_position(v, &v->columns, column, &inside_x);
	ir_id image = lower_times(
	        v->l, v->image, c->w.c / along * (c->w.nhwc ? c->w.h * columns : pitch));
	ir_id group = lower_times(v->l, v->group, c->inputs / along);
	ir_id k = ir_add(v->b, ir_add(v->b, lower_over(v->l, v->turn.k, along), group), channel);
	ir_id pixel = ir_add(v->b, lower_times(v->l, y, columns), x);
	ir_id plane = ir_add(v->b, image, lower_times(v->l, k, pitch));
	ir_id at = ir_add(v->b, plane, lower_times(v->l, pixel, channels));
	ir_id value = lower_load(v->l, v->bound.x, at);
	ir_id zero = lower_literal(v->b, 0, value);

	value = inside_x ? ir_select(v->b, inside_x, value, zero) : value;
	return inside_y ? ir_select(v->b, inside_y, value, zero) : value;
}

static void stage_element(struct convolving *v, ir_id e)
{
	const struct convolution *c = &v->c;
	uint32_t rows = c->rows.window, columns = c->columns.window;
	uint32_t channels = c->w.nhwc ? c->k_step / c->x_width : 1;
	ir_id pixel = lower_over(v->l, e, channels), line = lower_over(v->l, pixel, columns);
	ir_id column = lower_modulo(v->l, pixel, columns);
	ir_id row = c->w.nhwc ? line : lower_modulo(v->l, line, rows);
	ir_id channel = c->w.nhwc ? lower_modulo(v->l, e, channels) : lower_over(v->l, line, rows);

	ir_shared_store(v->b, v->shared.x, e, read_window(v, row, column, channel));
}

void image_stage(struct convolving *v)
{
	convolution_copy(v, v->c.stage.x_length, stage_element);
}
