/* SPDX-License-Identifier: Apache-2.0
 *
 * Derives attention's numbers from (operator, schedule). Pure arithmetic; no choice is made here.
 * The axes' values have passed check.c.
 */
#include "family/attention/shape.h"

#include "base/error.h"

#include <errno.h>

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t ceil_over(uint32_t a, uint32_t b)
{
	return (a + b - 1) / b;
}

/* The greatest divisor of x that is not above `most`. */
static uint32_t divisor_of(uint32_t x, uint32_t most)
{
	uint32_t divisor = least(x, most);

	while (x % divisor)
		divisor--;
	return divisor;
}

static uint32_t power_at_least(uint32_t x)
{
	uint32_t power = 1;

	while (power < x)
		power *= 2;
	return power;
}

static void take_operator(struct attention *a, const struct op *op)
{
	const uint32_t *v = op->value;

	a->op.batch = v[ATTENTION_BATCH];
	a->op.kv_heads = v[ATTENTION_KV_HEADS] ? v[ATTENTION_KV_HEADS] : v[ATTENTION_HEADS];
	a->op.group = v[ATTENTION_HEADS] / a->op.kv_heads;
	a->op.q = v[ATTENTION_Q];
	a->op.kv = v[ATTENTION_KV];
	a->op.causal = v[ATTENTION_CAUSAL];
	a->op.mask = (enum attention_mask)v[ATTENTION_MASK];
	a->op.positions_first = v[ATTENTION_ORDER];
}

static enum attention_form form_of(const struct op *op, const uint16_t *s)
{
	if (op->value[ATTENTION_DTYPE] == DTYPE_F16 && !s[AXIS_F16] && s[AXIS_VEC] == 1)
		return ATTENTION_PAIR;
	return s[AXIS_SPLIT_K] > 1 ? ATTENTION_TEAM : ATTENTION_ALONE;
}

static void take_schedule(struct attention *a, const struct op *op, const uint16_t *s)
{
	a->width = s[AXIS_VEC];
	a->chunks = op->value[ATTENTION_DIM] / a->width;
	a->tiles = s[AXIS_WG_X];
	a->tile = s[AXIS_TILE_M];
	a->split = s[AXIS_SPLIT_K];
	a->step = s[AXIS_K_STEP];
	a->unroll = s[AXIS_UNROLL];
	a->stage_q = s[AXIS_STAGE_A];
	a->stage_kv = s[AXIS_STAGE_B];
	a->subgroup = s[AXIS_SUBGROUP];
	a->native = s[AXIS_F16];
	a->form = form_of(op, s);
	a->lanes = least(4, a->tile);
	a->packs = a->tile / a->lanes;
}

/* Where keys end decides whether loads must be kept within them. */
static void derive_keys(struct attention *a, const struct op *op)
{
	bool dynamic = op_dynamic_at(op, ATTENTION_KV) >= 0;
	uint32_t at_once = a->form != ATTENTION_ALONE ? a->step : a->unroll;

	a->block = a->step * a->split;
	a->clamped = dynamic || a->op.kv % a->block;
	a->hidden = a->clamped || a->op.causal;
	a->mask_width = a->op.mask == MASK_NONE || dynamic ? 1 : least(4, at_once);
	while (a->op.kv % a->mask_width)
		a->mask_width /= 2;
}

static void derive_alone(struct attention *a)
{
	a->arrays.pitch = a->chunks;
	if (a->stage_kv)
		a->arrays.vector_length = 2 * a->block * a->arrays.pitch;
	a->workgroup_size[0] = a->tiles;
	a->workgroup_size[1] = 1;
}

/* The workgroup array of vectors serves staging, then the sums of the parts, then pairs of rows. */
static uint32_t vectors_of_team(const struct attention *a)
{
	uint32_t staged = a->stage_kv ? a->block * a->arrays.pitch : 0;
	uint32_t summed = a->team.parts > 1 ? a->tiles * a->split : 0;
	uint32_t paired = a->form == ATTENTION_PAIR ? a->chunks + 1 : 0;

	summed = summed > paired ? summed : paired;
	return staged > summed ? staged : summed;
}

/* Loads of the weights in one turn: of few accumulators many, so that as many loads of v are under
 * way at once. */
static uint32_t loads_at_once(const struct attention *a)
{
	uint32_t sums = a->tile * a->team.each, keys = sums == 1 ? 16 : sums == 2 ? 8 : 4;
	uint32_t loads = a->block / a->team.weight_width / a->team.parts;

	return least(loads, keys / a->team.weight_width);
}

static void derive_team(struct attention *a)
{
	a->team.inner = divisor_of(a->chunks, a->unroll);
	a->team.across = least(a->split, power_at_least(a->chunks));
	a->team.parts = a->split / a->team.across;
	a->team.each = ceil_over(a->chunks, a->team.across);
	a->team.weight_width = least(4, a->step);
	a->team.weight_loads = loads_at_once(a);
	a->arrays.pitch = a->chunks | 1; /* odd, against bank conflicts */
	a->arrays.vector_length = vectors_of_team(a);
	a->arrays.q_length = a->stage_q ? a->tiles * a->tile * a->chunks : 0;
	a->arrays.weight_length = a->tiles * a->tile * a->block / a->team.weight_width;
	a->team.slots = a->split + (a->split > 16 ? a->split / 16 : 0);
	a->arrays.exchange_length = a->subgroup ? 0 : a->packs * a->tiles * a->team.slots;
	a->workgroup_size[0] = a->split;
	a->workgroup_size[1] = a->tiles;
}

int attention_derive(const struct op *op, const struct schedule *schedule,
        struct attention *ret_attention, struct error *err)
{
	struct attention a = {0};
	int r = attention_check(op, schedule, err);

	if (r)
		return r;
	take_operator(&a, op);
	take_schedule(&a, op, schedule->axis);
	derive_keys(&a, op);
	if (a.form == ATTENTION_ALONE)
		derive_alone(&a);
	else
		derive_team(&a);
	uint32_t vectors = a.form == ATTENTION_ALONE ? a.chunks : a.team.each;
	if (a.tile * vectors > ATTENTION_ACCUMULATORS_MAX)
		return error_set(err, -ERANGE, "tile_m", "%s",
		        "an invocation accumulates 512 vectors at most");
	*ret_attention = a;
	return 0;
}
