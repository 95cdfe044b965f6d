/* SPDX-License-Identifier: Apache-2.0
 *
 * Derives attention's geometry from (operator, schedule), and says which schedules are
 * well-formed. Pure arithmetic; no choice is made here.
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

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
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

/* ---- Well-formedness, before anything is divided or multiplied. */

static int refuse(struct error *err, const char *axis, const char *why)
{
	return error_set(err, -ERANGE, axis, "%s", why);
}

static int check_tiles(const uint16_t *s, struct error *err)
{
	if (s[AXIS_WG_Y] != 1 || s[AXIS_TILE_N] != 1 || s[AXIS_DOT4])
		return refuse(err, "schedule", "attention has no wg_y, tile_n and dot4");
	if (!power_of_two(s[AXIS_SPLIT_K]) || s[AXIS_SPLIT_K] > ATTENTION_SPLIT_MAX)
		return refuse(err, "split_k", "split_k must be a power of two, at most 256");
	if (!s[AXIS_WG_X] || (uint32_t)s[AXIS_WG_X] * s[AXIS_SPLIT_K] > 1024)
		return refuse(err, "wg_x", "wg_x * split_k must be 1 to 1024");
	if (!power_of_two(s[AXIS_TILE_M]) || s[AXIS_TILE_M] > ATTENTION_TILE_MAX)
		return refuse(err, "tile_m", "tile_m must be a power of two, at most 16");
	if (!power_of_two(s[AXIS_K_STEP]) || s[AXIS_K_STEP] > ATTENTION_STEP_MAX)
		return refuse(err, "k_step", "k_step must be a power of two, at most 32");
	if (s[AXIS_SUBGROUP] && (s[AXIS_SPLIT_K] < 2 || s[AXIS_WG_X] != 1))
		return refuse(err, "subgroup", "a subgroup needs a split_k and wg_x=1");
	return 0;
}

static int check_unroll(const uint16_t *s, struct error *err)
{
	if (s[AXIS_STAGE_A] > 1 || s[AXIS_STAGE_B] > 1)
		return refuse(err, "schedule", "stage_a and stage_b are 0 or 1");
	if (!s[AXIS_UNROLL] || s[AXIS_UNROLL] > 256)
		return refuse(err, "unroll", "unroll must be 1 to 256");
	if (s[AXIS_SPLIT_K] > 1)
		return 0;
	if (s[AXIS_STAGE_A])
		return refuse(err, "stage_a", "without split_k, q stands in registers");
	if (s[AXIS_K_STEP] % s[AXIS_UNROLL])
		return refuse(err, "unroll", "unroll must divide k_step");
	if (!s[AXIS_STAGE_B] && s[AXIS_UNROLL] != s[AXIS_K_STEP])
		return refuse(err, "unroll", "without stage_b, unroll equals k_step");
	return 0;
}

static int check_types(const struct op *op, const uint16_t *s, struct error *err)
{
	bool half = op->value[ATTENTION_DTYPE] == DTYPE_F16;

	if (!power_of_two(s[AXIS_VEC]) || s[AXIS_VEC] > 4 || op->value[ATTENTION_DIM] % s[AXIS_VEC])
		return refuse(err, "vec", "vec must be 1, 2 or 4 and divide dim");
	if (s[AXIS_F16] > half)
		return refuse(err, "f16", "f16 is 0 or, where dtype is f16, 1");
	if (!half || s[AXIS_F16] || s[AXIS_VEC] > 1)
		return 0;
	if (op->value[ATTENTION_DIM] % 2 == 0)
		return refuse(err, "vec",
		        "without f16=1, elements of f16 are written in pairs: vec 2 or 4");
	if (s[AXIS_SPLIT_K] == 1 || s[AXIS_WG_X] != 1 || s[AXIS_TILE_M] != 1)
		return refuse(err, "shader-f16",
		        "without f16=1, rows of an odd number of f16 need a split_k, wg_x=1 and "
		        "tile_m=1");
	return 0;
}

/* ---- Derivation. */

static void take_operator(struct attention *a, const struct op *op)
{
	const uint32_t *v = op->value;

	a->batch = v[ATTENTION_BATCH];
	a->kv_heads = v[ATTENTION_KV_HEADS] ? v[ATTENTION_KV_HEADS] : v[ATTENTION_HEADS];
	a->group = v[ATTENTION_HEADS] / a->kv_heads;
	a->q = v[ATTENTION_Q];
	a->kv = v[ATTENTION_KV];
	a->causal = v[ATTENTION_CAUSAL];
	a->mask = (enum attention_mask)v[ATTENTION_MASK];
	a->positions_first = v[ATTENTION_ORDER];
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
	a->paired = op->value[ATTENTION_DTYPE] == DTYPE_F16 && !s[AXIS_F16] && a->width == 1;
	a->lanes = least(4, a->tile);
	a->packs = a->tile / a->lanes;
}

/* Where keys end decides whether loads must be kept within them. */
static void derive_keys(struct attention *a, const struct op *op)
{
	bool dynamic = op_dynamic_at(op, ATTENTION_KV) >= 0;
	uint32_t at_once = a->split > 1 ? a->step : a->unroll;

	a->block = a->step * a->split;
	a->clamped = dynamic || a->kv % a->block;
	a->hidden = a->clamped || a->causal;
	a->mask_width = a->mask == MASK_NONE || dynamic ? 1 : least(4, at_once);
	while (a->kv % a->mask_width)
		a->mask_width /= 2;
}

static void derive_alone(struct attention *a)
{
	a->pitch = a->chunks;
	if (a->stage_kv)
		a->vector_length = 2 * a->block * a->pitch;
	a->workgroup_size[0] = a->tiles;
	a->workgroup_size[1] = 1;
}

/* The workgroup array of vectors serves staging, then the sums of the parts, then pairs of rows. */
static uint32_t shared_vectors(const struct attention *a)
{
	uint32_t staged = a->stage_kv ? a->block * a->pitch : 0;
	uint32_t summed = a->parts > 1 ? a->tiles * a->split : 0;
	uint32_t paired = a->paired ? a->chunks + 1 : 0;

	summed = summed > paired ? summed : paired;
	return staged > summed ? staged : summed;
}

/* Loads of the weights in one turn: of few accumulators many, so that as many loads of v are under
 * way at once. */
static uint32_t loads_at_once(const struct attention *a)
{
	uint32_t sums = a->tile * a->each, keys = sums == 1 ? 16 : sums == 2 ? 8 : 4;
	uint32_t loads = a->block / a->weight_width / a->parts;

	return least(loads, keys / a->weight_width);
}

static void derive_shared(struct attention *a)
{

	a->inner = divisor_of(a->chunks, a->unroll);
	a->across = least(a->split, power_at_least(a->chunks));
	a->parts = a->split / a->across;
	a->each = ceil_over(a->chunks, a->across);
	a->weight_width = least(4, a->step);
	a->weight_loads = loads_at_once(a);
	a->pitch = a->chunks | 1; /* odd, against bank conflicts */
	a->vector_length = shared_vectors(a);
	a->q_length = a->stage_q ? a->tiles * a->tile * a->chunks : 0;
	a->weight_length = a->tiles * a->tile * a->block / a->weight_width;
	a->slots = a->split + (a->split > 16 ? a->split / 16 : 0);
	a->exchange_length = a->subgroup ? 0 : a->packs * a->tiles * a->slots;
	a->workgroup_size[0] = a->split;
	a->workgroup_size[1] = a->tiles;
}

int attention_derive(const struct op *op, const struct schedule *schedule,
        struct attention *ret_attention, struct error *err)
{
	const uint16_t *s = schedule->axis;
	struct attention a = {0};
	int r = check_tiles(s, err);

	r = r ? r : check_unroll(s, err);
	r = r ? r : check_types(op, s, err);
	if (r)
		return r;
	take_operator(&a, op);
	take_schedule(&a, op, s);
	derive_keys(&a, op);
	if (a.split > 1)
		derive_shared(&a);
	else
		derive_alone(&a);
	if (a.tile * (a.split > 1 ? a.each : a.chunks) > ATTENTION_ACCUMULATORS_MAX)
		return refuse(err, "tile_m", "an invocation accumulates 512 vectors at most");
	*ret_attention = a;
	return 0;
}
