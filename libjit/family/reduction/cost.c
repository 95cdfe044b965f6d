/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the work of one invocation of a reduction, and how much a driver has to compile. Counts
 * only: libjit/cost says what a count is worth on a device.
 */
#include "family/reduction/shape.h"
#include "schedule/family.h"

#include <math.h>

static double cost_of_steps(const uint8_t *steps)
{
	double cost = 0;

	for (uint32_t i = 0; i < REDUCTION_STEPS && steps[i]; i++)
		if (steps[i] < SCALAR_FUNCTION_END)
			cost += scalar_info((enum scalar)steps[i])->cost;
	return cost;
}

/* Input tensors by how they are read: a vector for every vector of x, or one for all lines of the
 * invocation. */
struct streams {
	double each, common;
};

static struct streams count_streams(const struct op *op, const struct reduction *r)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	struct streams s = {.each = 1};

	for (uint32_t i = 1; i + 1 < count; i++) {
		bool vector = tensors[i].rank == 1; /* weight, bias */
		s.each += !vector;
		s.common += vector;
	}
	if (r->lines.groups)
		s.each += s.common * 0.5, s.common = 0;
	return s;
}

/* How often x is read: by each pass, unless one turn holds it. */
static double count_reads(const struct reduction *r)
{
	bool twice = r->row->pass[1].join != JOIN_NONE && r->row->online == ONLINE_NONE;
	bool writes = r->row->output == OUTPUT_ELEMENTS;

	return r->straight ? 1 : 1 + twice + writes;
}

static bool writes_elements(const struct reduction *r)
{
	return r->row->output == OUTPUT_ELEMENTS || r->row->output == OUTPUT_RUNNING;
}

/* Arithmetic of one element, all passes together. */
static double count_arithmetic(const struct op *op, const struct reduction *r)
{
	const struct reduction_row *row = r->row;
	double cost = 2 + cost_of_steps(row->pass[0].term) + cost_of_steps(row->pass[1].term);

	if (row->output == OUTPUT_INDICES)
		cost += 3;
	if (row->output == OUTPUT_ELEMENTS)
		cost += cost_of_steps(row->write) + 1;
	if (r->lines.act)
		cost += op_acts_cost(op, r->lines.act);
	return cost;
}

/* Turns through workgroup memory; the radix is 2 at least. */
static uint32_t count_stages(const struct reduction *r)
{
	uint32_t stages = 0;

	for (uint32_t width = r->wg_x; width > 1; width = width > r->radix ? width / r->radix : 1)
		stages++;
	return stages;
}

/* Running sums are joined in every turn. */
static void count_scans(const struct op *op, const struct reduction *r, struct work *work)
{
	uint32_t turn = r->wg_x * r->vectors;
	double turns = ceil((double)reduction_tuned(op, r->count) / turn);
	bool few = r->wg_x <= r->radix;
	double reads = few ? r->wg_x : log2(r->wg_x) + 2, barriers = few ? 2 : log2(r->wg_x) + 2;
	double loads = turns * r->tile_m * (few ? reads + 1 : 2 * reads);

	work->barriers += turns * barriers;
	work->shared_loads += loads;
	work->shared_lanes += loads * (r->across ? r->vec : 1);
}

static void count_joins(const struct op *op, const struct reduction *r, struct work *work)
{
	bool second = r->row->pass[1].join != JOIN_NONE || r->row->output == OUTPUT_INDICES;
	double lanes = r->across ? r->vec : 1, joins = second ? 2 : 1;

	if (r->wg_x == 1)
		return;
	if (r->row->output == OUTPUT_RUNNING) {
		count_scans(op, r, work);
		return;
	}
	if (r->subgroup) {
		work->arithmetic += joins * r->tile_m * lanes * 6;
		return;
	}
	double stages = count_stages(r), loads = joins * r->tile_m * stages * (1 + r->radix);
	work->barriers += joins * (2 * stages - 1);
	work->shared_loads += loads;
	work->shared_lanes += loads * lanes;
}

/* Whether neighbouring invocations read far apart: lines that stand one after another, or a scan's
 * shares of several vectors. Each then fetches sectors of its own. */
static bool is_strided(const struct reduction *r)
{
	bool shares = r->row->output == OUTPUT_RUNNING && r->wg_x > 1 && r->vectors > 1;

	return !r->across && (r->lines_fastest || shares);
}

static struct work count_work(const struct op *op, const struct reduction *r)
{
	struct streams s = count_streams(op, r);
	double vectors = ceil((double)reduction_tuned(op, r->count) / r->wg_x);
	double reads = count_reads(r), elements = vectors * r->vec * r->tile_m;
	double outputs = writes_elements(r) ? vectors * r->tile_m : (double)r->tile_m / r->wg_x;
	struct work work = {.loads = vectors * (r->tile_m * s.each * reads + s.common) + outputs,
	        .arithmetic = elements * count_arithmetic(op, r),
	        .accumulators = r->tile_m * r->vec,
	        .registers = (r->straight ? 1.0 : 0.5) * r->vectors * r->tile_m * r->vec,
	        .parallel = r->vectors * r->tile_m > 1 ? 2 : 1};

	work.lanes = work.loads * r->vec;
	if (!r->straight)
		work.turns = reads * vectors / r->vectors;
	if (r->owner == OWNER_WORDS) { /* the results of every element anew */
		work.loads = 2 * (double)reduction_tuned(op, r->count) * reads;
		work.lanes = work.loads;
	}
	if (is_strided(r))
		work.loads *= 4;
	count_joins(op, r, &work);
	work.traffic_bytes = op_bytes(op) * (1 + reads) / 2 * (is_strided(r) ? 1.5 : 1);
	return work;
}

/* Stores that stand in a condition of their own: vectors that may lie beyond the line. */
static uint32_t count_conditions(const struct op *op, const struct reduction *r)
{
	bool constant = reduction_is_constant(op, r->count), blocks = r->wg_x > 1;
	uint32_t turn = r->wg_x * r->vectors;

	if (!writes_elements(r))
		return 0;
	if (r->owner == OWNER_PAIRS)
		return r->vectors;
	if (r->row->output == OUTPUT_RUNNING && blocks)
		return constant && reduction_tuned(op, r->count) % turn == 0 ? 0 : r->vectors;
	return !constant && r->straight ? r->vectors : 1;
}

/* Once unrolled: every vector of a turn, and of the rest behind the last turn. Lanes of loads and
 * stores weigh most (a driver that checks bounds makes a dozen instructions of each), and
 * conditions more with every one that stands beside them. */
static uint32_t count_instructions(const struct op *op, const struct reduction *r)
{
	struct streams s = count_streams(op, r);
	double stores = writes_elements(r), reads = count_reads(r);
	double memory = r->tile_m * (s.each * reads + stores) + s.common;
	double each = 1.2 * memory + 0.25 * count_arithmetic(op, r) * r->tile_m;
	bool rest = !r->straight && reduction_tuned(op, r->count) % (r->wg_x * r->vectors);
	double conditions = count_conditions(op, r);

	return (uint32_t)(30 + each * r->vectors * r->vec * (rest ? 1.5 : 1) +
	                  4 * conditions * conditions);
}

void reduction_cost(const struct op *op, const struct schedule *schedule,
        const union family_shape *shape, struct work *ret_work)
{
	const struct reduction *r = (const void *)shape;

	(void)schedule;
	*ret_work = count_work(op, r);
	ret_work->instructions = count_instructions(op, r);
}
