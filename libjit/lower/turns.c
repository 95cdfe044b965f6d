/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns of a kernel's loops, out of its IR. Invariant: what is said of some dimensions holds of all
 * smaller ones.
 */
#include "lower/turns.h"

#include "ir/ir.h"
#include "lower/lower.h"
#include "schedule/family.h"

#include <errno.h>

/* A kernel, lowered once and asked about several times. */
struct lowered {
	const struct op *op;
	const struct ir_module *module;
	struct geometry geometry;
};

static int turns_at(
        const struct lowered *k, const uint32_t most[static OP_DYNAMIC_MAX], uint64_t *ret_turns)
{
	struct ir_extremes extremes = {{1, 1, 1}, {0}};

	for (uint32_t i = 0; i < 3; i++) {
		uint64_t workgroups = extent_at(&k->geometry.grid[i], most);
		extremes.workgroups[i] = workgroups < UINT32_MAX ? (uint32_t)workgroups
		                                                 : UINT32_MAX;
	}
	for (uint32_t i = 0; i < k->op->dynamic_count; i++)
		extremes.uniforms[i] = most[i];
	return ir_turns(k->module, &extremes, ret_turns);
}

static int lower(struct ir_builder *builder, const struct op *op, const struct schedule *schedule,
        struct lowered *ret_lowered)
{
	union family_shape shape;
	int r = family_of(op)->derive(op, schedule, &ret_lowered->geometry, &shape, NULL);

	ret_lowered->op = op;
	if (!r)
		r = lower_kernel(builder, op, schedule);
	return r ? r : ir_finish(builder, &ret_lowered->module);
}

int lower_turns(const struct op *op, const struct schedule *schedule,
        const uint32_t most[static OP_DYNAMIC_MAX], uint64_t *ret_turns)
{
	struct ir_builder *builder;
	struct lowered kernel;
	int r = ir_builder_create(&builder);

	if (r)
		return r;
	r = lower(builder, op, schedule, &kernel);
	if (!r)
		r = turns_at(&kernel, most, ret_turns);
	ir_builder_destroy(builder);
	return r;
}

/* ---- Narrowing. */

/* What dimension n may not be narrowed below. */
static uint32_t least_of(const struct op *op, uint32_t n)
{
	uint32_t hint = op->value[op->dynamic[n].value];

	return op->dynamic[n].high ? op->dynamic[n].high : hint;
}

/* The dimension that is furthest above what it must be; dynamic_count: none is above. */
static uint32_t furthest(const struct op *op, const uint32_t most[static OP_DYNAMIC_MAX])
{
	uint32_t best = op->dynamic_count;
	double ratio = 1;

	for (uint32_t n = 0; n < op->dynamic_count; n++) {
		double own = (double)most[n] / least_of(op, n);
		if (own > ratio) {
			ratio = own;
			best = n;
		}
	}
	return best;
}

/* Of what was halved last, the greatest value that fits: between `most[n]`, which does, and
 * `beyond`, which does not. */
static int refine(const struct lowered *k, uint64_t turns, uint32_t n, uint32_t beyond,
        uint32_t most[static OP_DYNAMIC_MAX])
{
	uint32_t fits = most[n];
	uint64_t own;
	int r = 0;

	while (!r && beyond - fits > 1) {
		most[n] = fits + (beyond - fits) / 2;
		r = turns_at(k, most, &own);
		if (own <= turns)
			fits = most[n];
		else
			beyond = most[n];
	}
	most[n] = fits;
	return r;
}

/* A dimension that the turns do not depend on is left as it was. */
static bool matters(const struct lowered *k, uint64_t own, uint32_t n,
        const uint32_t most[static OP_DYNAMIC_MAX])
{
	uint32_t fewer[OP_DYNAMIC_MAX];
	uint64_t then = own;

	for (uint32_t i = 0; i < OP_DYNAMIC_MAX; i++)
		fewer[i] = i == n ? least_of(k->op, n) : most[i];
	return !turns_at(k, fewer, &then) && then < own;
}

static int narrow(const struct lowered *k, uint64_t turns, uint32_t most[static OP_DYNAMIC_MAX])
{
	uint32_t open[OP_DYNAMIC_MAX];
	uint64_t own;
	int r = turns_at(k, most, &own);

	if (r || own <= turns)
		return r;
	for (uint32_t n = 0; n < OP_DYNAMIC_MAX; n++)
		open[n] = n < k->op->dynamic_count && matters(k, own, n, most)
		                  ? most[n]
		                  : (n < k->op->dynamic_count ? least_of(k->op, n) : 0);
	for (;;) {
		uint32_t n = furthest(k->op, open);
		if (n == k->op->dynamic_count)
			return -ERANGE;
		uint32_t beyond = open[n], half = beyond / 2, least = least_of(k->op, n);
		most[n] = open[n] = half > least ? half : least;
		r = turns_at(k, most, &own);
		if (r)
			return r;
		if (own <= turns)
			return refine(k, turns, n, beyond, most);
	}
}

int lower_narrow(const struct op *op, const struct schedule *schedule, uint64_t turns,
        uint32_t most[static OP_DYNAMIC_MAX])
{
	struct ir_builder *builder;
	struct lowered kernel;
	int r = ir_builder_create(&builder);

	if (r)
		return r;
	r = lower(builder, op, schedule, &kernel);
	if (!r)
		r = narrow(&kernel, turns, most);
	ir_builder_destroy(builder);
	return r;
}
