/* SPDX-License-Identifier: Apache-2.0
 *
 * What legality and the dispatch need to know of a convolution's schedule: workgroups, their
 * memory, features. Refuses what check.c refuses.
 */
#include "family/convolution/shape.h"
#include "schedule/family.h"

#include <string.h>

/* ---- The dispatch: pixels along x and y, channels and images along z, unless one of these may
 * pass what a dispatch allows. */

#define WORKGROUPS_MAX 65535

static void count_flat_grid(const struct convolution *c, const struct op *op, struct geometry *g)
{
	const struct op_window *w = &c->w;
	struct extent total = {.times = (uint64_t)w->oc * w->oh * w->ow,
	        .over = (uint64_t)c->wg_x * c->flat.outputs};

	if (!c->merged)
		extent_times(op, &total, c->fields->batch);
	grid_fold(op, total, g->grid);
}

/* No tensor has more than OP_ELEMENTS_MAX elements. */
static uint64_t most_images(const struct convolution *c, const struct op *op)
{
	int n = op_dynamic_at(op, c->fields->batch);
	uint64_t in = (uint64_t)c->w.c * c->w.h * c->w.w,
	         out = (uint64_t)c->w.oc * c->w.oh * c->w.ow;

	if (n < 0)
		return c->w.batch;
	return op->dynamic[n].high ? op->dynamic[n].high : OP_ELEMENTS_MAX / (in > out ? in : out);
}

static void count_grid(const struct convolution *c, const struct op *op, struct geometry *g)
{
	struct convolution_blocks blocks = convolution_blocks(c);
	struct extent x = {.times = blocks.columns, .over = 1};
	struct extent y = {.times = blocks.rows, .over = 1};
	struct extent z = {.times = blocks.channels, .over = 1};
	uint64_t images = most_images(c, op);
	bool fits = x.times <= WORKGROUPS_MAX && y.times <= WORKGROUPS_MAX &&
	            z.times * images <= WORKGROUPS_MAX;
	if (!c->merged)
		extent_times(op, &z, c->fields->batch);
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

static struct geometry geometry_of(const struct convolution *c, const struct op *op)
{
	uint64_t bytes = ((uint64_t)c->stage.x_length * c->x_width +
	                         (uint64_t)c->stage.w_length * c->stage.w_width +
	                         (uint64_t)c->stage.sum_length * c->sums.vec +
	                         c->stage.out_length) *
	                 (c->numbers.half ? 2 : 4);
	struct geometry g = {.workgroup_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
	        .features = c->numbers.native ? FEATURE_F16 : 0};

	memcpy(g.workgroup_size, c->workgroup_size, sizeof g.workgroup_size);
	if (c->flat.outputs)
		count_flat_grid(c, op, &g);
	else
		count_grid(c, op, &g);
	return g;
}

_Static_assert(sizeof(struct convolution) <= FAMILY_SHAPE_BYTES, "derive() hands it to cost()");

int convolution_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, union family_shape *ret_shape, struct error *err)
{
	int r = convolution_check_axes(schedule, err);

	if (r)
		return r;
	struct convolution c = convolution_derive(op, schedule);
	r = convolution_check(&c, err);
	if (r)
		return r;
	memcpy(ret_shape, &c, sizeof c);
	*ret_geometry = geometry_of(&c, op);
	return 0;
}
