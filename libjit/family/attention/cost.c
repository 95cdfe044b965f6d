/* SPDX-License-Identifier: Apache-2.0
 *
 * What a schedule of attention costs: to compile and to run.
 */
#include "family/attention/shape.h"
#include "schedule/family.h"

#include <math.h>

/* Keys that a row sees, averaged over the rows. */
static double keys_seen(const struct attention *a)
{
	double q = a->op.q, kv = a->op.kv;

	if (!a->op.causal)
		return kv;
	return q <= kv ? kv - (q - 1) / 2 : kv * (kv + 1) / 2 / q;
}

/* What a load of `width` elements takes to become numbers. */
static uint32_t instructions_of_load(const struct attention *a, const struct op *op)
{
	if (op->value[ATTENTION_DTYPE] == DTYPE_F32)
		return 1;
	return a->native ? 2 : 2 * a->width + 2;
}

/* What a driver has to compile, in vectors of four: multiply-adds in full, all else half, because
 * little stays alive across it. */
uint32_t attention_instructions(const struct attention *a, const struct op *op)
{
	uint32_t load = instructions_of_load(a, op), in_memory = a->stage_kv ? 1 : load;
	uint32_t scores, rest;

	if (a->form == ATTENTION_ALONE) {
		scores = a->unroll * a->tile;
		rest = a->tile * a->chunks * (load + 4) + 2 * a->unroll * a->chunks * in_memory;
		return 2 * scores * a->chunks + (rest + 8 * scores) / 2;
	}
	uint32_t keys = a->team.weight_loads * a->team.weight_width;
	scores = a->step * a->tile;
	rest = a->team.inner * (a->tile * load + a->step * in_memory) +
	       keys * a->team.each * in_memory +
	       a->packs * (a->team.slots < 32 ? a->team.slots : 32) + 4 * a->tile * a->team.each;
	return scores * a->team.inner * a->width / 4 + keys * a->tile * a->team.each +
	       (rest + 3 * scores) / 2;
}

uint32_t attention_lanes(const struct attention *a)
{
	uint32_t keys = a->team.weight_loads * a->team.weight_width, vectors, products;

	if (a->form == ATTENTION_ALONE) {
		vectors = 2 * a->chunks * (a->tile + a->unroll);
		products = 2 * a->chunks * a->tile * a->unroll;
	} else {
		vectors = a->team.inner * (a->tile + a->step) + a->team.each * (keys + a->tile) +
		          a->team.weight_loads * a->tile;
		products = a->team.inner * a->tile * a->step + a->team.each * a->tile * keys;
	}
	return vectors * a->width + products / 4;
}

static void count_memory(struct work *w, double loads, double width)
{
	w->loads += loads;
	w->lanes += loads * width;
}

static void count_shared_memory(struct work *w, double loads, double width)
{
	w->shared_loads += loads;
	w->shared_lanes += loads * width;
}

/* k or v, `loads` an invocation unless they are staged. */
static void count_keys(const struct attention *a, double keys, double loads, struct work *w)
{
	double staged = keys * a->chunks / a->tiles / a->split;

	if (!a->stage_kv) {
		count_memory(w, loads, a->width);
		return;
	}
	count_memory(w, staged, a->width);
	count_shared_memory(w, loads + staged, a->width);
	w->arithmetic += 4 * staged;
}

static void count_mask(const struct attention *a, double keys, struct work *w)
{
	double rows = a->op.mask == MASK_NONE ? 0 : a->op.mask == MASK_KEY ? 1 : a->tile;

	count_memory(w, rows * keys / a->mask_width, a->mask_width);
}

/* Besides its multiply-adds a score takes an exponential, sums over lanes and comparisons. */
static double score_cost(void)
{
	return scalar_info(SCALAR_EXP)->cost + 5;
}

static struct work work_alone(const struct attention *a, double keys)
{
	double elements = a->chunks * a->width, rows = a->tile;
	struct work w = {
	        .arithmetic = rows * keys * (2 * elements + score_cost()) + 3 * rows * elements,
	        .turns = keys / a->unroll,
	        .accumulators = rows * elements,
	        .registers = (2 * rows + 0.25) * elements,
	        .parallel = a->tile * a->unroll > 1 ? 2 : 1};

	count_memory(&w, 2 * rows * a->chunks, a->width);
	count_keys(a, keys, 2 * keys * a->chunks, &w);
	count_mask(a, keys, &w);
	if (a->stage_kv)
		w.barriers = 2 * keys / a->block;
	return w;
}

static void count_exchange(const struct attention *a, double turns, struct work *w)
{
	double reads = a->split > 16 ? 16 + a->split / 16.0 : a->split;
	double barriers = a->subgroup ? 2 : a->split > 16 ? 3 : 2;

	w->barriers += turns * (barriers + (a->stage_kv ? 2 : 0));
	if (!a->subgroup)
		count_shared_memory(w, turns * a->packs * reads, a->lanes);
}

static struct work work_team(const struct attention *a, double keys)
{
	double rows = a->tile, own = keys / a->split, elements = a->chunks * a->width;
	double accumulators = rows * a->team.each * a->width, turns = keys / a->block;
	double summed = keys / a->team.parts;
	struct work w = {.arithmetic = rows * own * (elements + score_cost()) +
	                               accumulators * summed + 8 * accumulators * a->team.parts,
	        .turns = turns * (a->chunks / a->team.inner) +
	                 summed / a->team.weight_width / a->team.weight_loads,
	        .accumulators = accumulators,
	        .registers = accumulators + rows * a->step + (rows + a->step) * a->width,
	        .parallel = a->tile * a->step > 1 ? 2 : 1};

	if (a->stage_q)
		count_shared_memory(&w, rows * a->chunks * turns, a->width);
	else
		count_memory(&w, rows * a->chunks * turns, a->width);
	count_memory(&w, rows * elements / a->split / a->width, a->width);
	count_keys(a, keys, own * a->chunks, &w);
	count_keys(a, keys, summed * a->team.each, &w);
	count_shared_memory(&w, rows * summed / a->team.weight_width, a->team.weight_width);
	count_mask(a, own, &w);
	count_exchange(a, turns + 1, &w);
	return w;
}

static struct work work_of(const struct attention *a, const struct op *op)
{
	double turns = ceil(keys_seen(a) / a->block), keys = turns * a->block;
	double rows = (double)a->op.q * a->op.group, heads = (double)a->op.batch * a->op.kv_heads;
	double tiles = ceil(rows / ((double)a->tile * a->tiles)), elements = a->chunks * a->width;
	struct work w = a->form != ATTENTION_ALONE ? work_team(a, keys) : work_alone(a, keys);
	uint32_t bytes = dtype_bits((enum dtype)op->value[ATTENTION_DTYPE]) / 8;

	w.traffic_bytes = bytes * heads * 2 * elements * (tiles * keys_seen(a) + rows);
	return w;
}

void attention_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work)
{
	const struct attention *a = (const void *)shape;

	(void)schedule;
	*ret_work = work_of(a, op);
	ret_work->instructions = attention_instructions(a, op);
}
