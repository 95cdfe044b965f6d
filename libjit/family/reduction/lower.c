/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry of the reductions' lowering: binds the tensors, finds where the invocation stands, and
 * dispatches on what the operator writes. The files beneath never call back into this one.
 * Invariant: lines past the last are read as the last and not written.
 */
#include "family/reduction/lower.h"

/* ---- Set-up. */

static ir_id extent(struct reducing *r, struct op_extent e)
{
	if (e.value == OP_CONSTANT)
		return lower_u32(r->l, e.times);
	return lower_times(r->l, lower_dim(r->l, e.value), e.times);
}

static uint32_t find_either(const struct lower *l, const char *one, const char *other)
{
	uint32_t tensor = lower_find(l, one);

	return tensor < OP_TENSORS_MAX ? tensor : lower_find(l, other);
}

static void bind(struct reducing *r)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(r->l->op, tensors);
	bool by_channel = r->s.lines.groups;

	r->x = 0;
	r->out = count - 1;
	r->addend = find_either(r->l, "mask", "residual");
	r->weight = lower_find(r->l, "weight");
	r->bias = lower_find(r->l, "bias");
	for (uint32_t i = 0; i < count; i++) {
		bool scalar = by_channel && (i == r->weight || i == r->bias);
		lower_bind(r->l, i == r->out ? r->s.out_width : scalar ? 1 : r->s.vec);
	}
}

static void measure(struct reducing *r)
{
	struct ir_builder *b = r->b;

	r->rows = extent(r, r->s.lines.rows);
	r->count = extent(r, r->s.count);
	r->columns = extent(r, r->s.columns);
	r->lines = ir_mul(b, r->rows, r->columns);
	if (r->s.owner == OWNER_WORDS)
		r->lines = ir_mul(b, r->lines, r->count);
	if (reduction_is_constant(r->l->op, r->s.lines.n)) {
		r->inverse = ir_f32(b, 1.0f / (float)reduction_tuned(r->l->op, r->s.lines.n));
	} else {
		ir_id n = ir_convert(b, extent(r, r->s.lines.n), IR_F32);
		r->inverse = ir_compute(b, IR_FDIV, ir_f32(b, 1), n, 0);
	}
}

/* Whether some invocation has lines past the last. */
static bool is_ragged(const struct reducing *r)
{
	const struct reduction *s = &r->s;
	const struct op *op = r->l->op;
	uint64_t lines = (uint64_t)reduction_tuned(op, s->lines.rows) *
	                 reduction_tuned(op, s->columns);

	return !reduction_is_constant(op, s->lines.rows) ||
	       !reduction_is_constant(op, s->columns) || s->owner != OWNER_LINES ||
	       lines % (s->wg_y * s->tile_m) || grid_is_folded(r->l->geometry.grid);
}

static void place_invocation(struct reducing *r)
{
	struct lower *l = r->l;
	ir_id group = lower_flat_workgroup(l);
	uint32_t along = r->s.lines_fastest ? 1 : 0;

	r->side = lower_local(l, 1 - along);
	r->along = r->s.subgroup ? ir_builtin(r->b, IR_SUBGROUP_INVOCATION) : lower_local(l, along);
	ir_id tile = ir_add(r->b, lower_times(l, group, r->s.wg_y), r->side);
	r->first = lower_times(l, tile, r->s.tile_m);
	r->ragged = is_ragged(r);
}

/* ---- The entry. */

static void write_results(struct reducing *r)
{
	ir_id value[TILE_MAX];

	for (uint32_t i = 0; i < r->s.tile_m; i++)
		value[i] = reduction_evaluate(r, &r->line[i], r->s.row->write, 0);
	reduction_write_results(r, value);
}

void reduction_lower(struct lower *l)
{
	struct reducing r = {.l = l, .b = l->b, .s = reduction_derive(l->op, l->schedule)};
	ir_id index[TILE_MAX];

	bind(&r);
	measure(&r);
	place_invocation(&r);
	reduction_place_lines(&r);
	switch (r.s.row->output) {
	case OUTPUT_RESULTS:
		reduction_run(&r);
		write_results(&r);
		break;
	case OUTPUT_INDICES:
		reduction_run_index(&r, index);
		reduction_write_results(&r, index);
		break;
	case OUTPUT_ELEMENTS:
		reduction_run(&r);
		reduction_write_elements(&r);
		break;
	case OUTPUT_RUNNING:
		reduction_scan(&r);
		break;
	}
}
