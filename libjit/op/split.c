/* SPDX-License-Identifier: Apache-2.0
 *
 * An operator whose tensors are larger than a binding may be is several smaller ones over parts of
 * the same buffers, as steps. One dimension is cut where that makes everything fit; else the parts
 * of one are cut again along another. Invariant: the steps together write what the operator means,
 * and every place is aligned as WebGPU's bindings are.
 *
 * Cut along k, each part adds to what the one before it left. No binding may be read and written
 * at once, so out and a scratch buffer take turns, such that the last part writes out:
 *
 *   a0 x b0 -> out;   a1 x b1 + out -> scratch;   act(a2 x b2 + bias + scratch) -> out
 */
#include "base/error.h"
#include "op/cut.h"

#include <errno.h>
#include <string.h>

#define ALIGNED_BYTES 256 /* of a binding's offset: WebGPU's minStorageBufferOffsetAlignment */
#define PARTS_MAX     256 /* of one dimension */
#define DEPTH_MAX     3   /* dimensions of one operator that are cut */

/* ---- Steps. */

struct splitting {
	uint64_t most_bytes;
	struct op_way way;
	bool full; /* more steps than there is room for */
};

static uint64_t aligned(uint64_t bytes)
{
	return (bytes + ALIGNED_BYTES - 1) / ALIGNED_BYTES * ALIGNED_BYTES;
}

static bool is_whole_word(uint64_t offset_bytes)
{
	return offset_bytes % ALIGNED_BYTES == 0;
}

static bool fits(const struct op *op, uint64_t most_bytes, struct tensor *ret_largest)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	*ret_largest = tensors[0];
	for (uint32_t i = 1; i < count; i++)
		if (tensor_bytes(&tensors[i]) > tensor_bytes(ret_largest))
			*ret_largest = tensors[i];
	return tensor_bytes(ret_largest) <= most_bytes;
}

static uint32_t find(const struct op *op, const char *name)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors), i = 0;

	while (i < count && strcmp(tensors[i].name, name))
		i++;
	return i;
}

/* A step of `op`, whose tensors are where `whole` has those of the same names. */
static struct op_step step_within(const struct op_step *whole, const struct op *op)
{
	struct op_step step = {.op = *op, .repeat = 1};
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t from = find(&whole->op, tensors[i].name);
		if (from < OP_TENSORS_MAX)
			step.places[i] = whole->places[from];
	}
	return step;
}

/* Moves the step's tensors to part number `part` of `whole`'s, parts of `extent` elements. */
static void move_to(
        struct op_step *step, const struct op_step *whole, const struct cut *cut, uint64_t first)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&step->op, tensors);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t from = find(&whole->op, tensors[i].name);
		if (from < OP_TENSORS_MAX)
			step->places[i].offset_bytes +=
			        (cut->before[from] + cut->bits[from] * first) / 8;
	}
}

static void append(struct splitting *s, const struct op_step *step)
{
	if (s->way.count == OP_WAY_STEPS_MAX)
		s->full = true;
	else
		s->way.steps[s->way.count++] = *step;
}

static int split(struct splitting *s, const struct op_step *whole, uint32_t depth);

/* ---- Extents. */

/* The tensors that grow with the dimension fit; where `all`, the others too. */
static bool part_fits(const struct splitting *s, const struct op *op, const struct cut *cut,
        uint32_t extent, bool all)
{
	struct op part = cut_to(op, cut, extent);
	struct tensor tensors[OP_TENSORS_MAX], largest;
	uint32_t count = op_tensors(&part, tensors);

	for (uint32_t i = 0; i < count; i++)
		if (cut->bits[i] && !cut->column[i] && tensor_bytes(&tensors[i]) > s->most_bytes)
			return false;
	return !all || fits(&part, s->most_bytes, &largest);
}

/* The least extent whose multiples are all aligned. */
static uint64_t unit_of(const struct op *op, const struct cut *cut)
{
	uint64_t least = cut_unit(op, cut), unit = least;

	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
		while (cut->bits[i] * unit % (8 * ALIGNED_BYTES))
			unit += unit;
	return unit;
}

/* The extent of the fewest, evenly sized parts that fit, or, unless `all`, of which as much fits as
 * this dimension can bring about; 0: none. */
static uint32_t extent_of_parts(
        const struct splitting *s, const struct op *op, const struct cut *cut, bool all)
{
	uint64_t whole = op->value[cut->value], extent = whole, unit = unit_of(op, cut);

	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
		if (cut->bits[i] && 8 * s->most_bytes / cut->bits[i] < extent)
			extent = 8 * s->most_bytes / cut->bits[i];
	if (extent == whole && op->kind != OP_SLICE) /* what is too large does not have it */
		return 0;
	if (extent < whole)
		extent = extent / unit * unit;
	if (!extent && !all) /* the least there is, to be cut again along another dimension */
		return unit < whole ? (uint32_t)unit : 0;
	if (!extent)
		return 0;
	uint64_t parts = (whole + extent - 1) / extent, even = (whole + parts - 1) / parts;
	if (parts > 1)
		extent = (even + unit - 1) / unit * unit;
	if (parts > PARTS_MAX)
		return 0;
	return part_fits(s, op, cut, (uint32_t)extent, all) ? (uint32_t)extent : 0;
}

/* ---- Parts that have nothing to do with one another. */

/* All parts but the last are alike: one step, repeated. Those that do not fit yet are split on. */
static int part_apart(struct splitting *s, const struct op_step *whole, const struct cut *cut,
        uint32_t extent, uint32_t depth)
{
	uint32_t length = whole->op.value[cut->value], alike = length / extent;
	struct op part = cut_to(&whole->op, cut, extent);
	struct op_step step = step_within(whole, &part);
	struct tensor largest;
	int r = 0;

	if (fits(&part, s->most_bytes, &largest)) {
		step.repeat = alike;
		for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
			step.places[i].advance_bytes = cut->bits[i] * extent / 8;
		move_to(&step, whole, cut, 0);
		append(s, &step);
	} else {
		for (uint32_t i = 0; !r && i < alike; i++) {
			step = step_within(whole, &part);
			move_to(&step, whole, cut, (uint64_t)i * extent);
			r = split(s, &step, depth + 1);
		}
	}
	if (r || length % extent == 0)
		return r;
	part = cut_to(&whole->op, cut, length % extent);
	step = step_within(whole, &part);
	move_to(&step, whole, cut, (uint64_t)alike * extent);
	return split(s, &step, depth + 1);
}

/* ---- Parts of a sum. */

static struct op_step term_of(
        const struct op_step *whole, const struct cut *cut, uint64_t first, uint32_t extent)
{
	struct op part = cut_to(&whole->op, cut, extent);
	bool is_first = !first, is_last = first + extent == whole->op.value[cut->value];

	if (!is_first)
		part.value[MATMUL_RESIDUAL] = 1;
	if (!is_last)
		part.value[MATMUL_BIAS] = part.value[MATMUL_ACT] = 0;
	struct op_step step = step_within(whole, &part);
	move_to(&step, whole, cut, first);
	return step;
}

static int part_sums(
        struct splitting *s, const struct op_step *whole, const struct cut *cut, uint32_t extent)
{
	uint32_t length = whole->op.value[cut->value], parts = (length + extent - 1) / extent;
	const struct op_place scratch = {.tensor = OP_SCRATCH},
	                      out = whole->places[find(&whole->op, "out")];
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&whole->op, tensors);
	uint64_t bytes = aligned(tensor_bytes(&tensors[count - 1]));

	for (uint32_t i = 0; i < parts; i++) {
		uint32_t first = i * extent;
		struct op_step step = term_of(
		        whole, cut, first, first + extent < length ? extent : length - first);
		bool to_out = (parts - 1 - i) % 2 == 0;
		if (i)
			step.places[find(&step.op, "residual")] = to_out ? scratch : out;
		step.places[find(&step.op, "out")] = to_out ? out : scratch;
		append(s, &step);
	}
	if (bytes > s->way.scratch_bytes)
		s->way.scratch_bytes = bytes;
	return 0;
}

/* ---- Parts of a table. */

static int part_rows(
        struct splitting *s, const struct op_step *whole, const struct cut *cut, uint32_t extent)
{
	uint32_t length = whole->op.value[cut->value];

	for (uint32_t first = 0; first < length; first += extent) {
		struct op part = cut_to(
		        &whole->op, cut, length - first < extent ? length - first : extent);
		part.value[GATHER_FIRST] += first;
		if (!part.value[GATHER_OF])
			part.value[GATHER_OF] = length;
		struct op_step step = step_within(whole, &part);
		move_to(&step, whole, cut, first);
		append(s, &step);
	}
	return 0;
}

/* ---- Inputs one after another. */

/* A concatenation along what stands first is a copy of each input. */
static int part_inputs(struct splitting *s, const struct op_step *whole, uint32_t depth)
{
	static const char *const dtypes[] = {
	        [DTYPE_F32] = "f32", [DTYPE_F16] = "f16", [DTYPE_I32] = "i32"};
	const uint32_t *v = whole->op.value;
	uint64_t at = whole->places[v[CONCAT_SIZES]].offset_bytes;
	char text[OP_TEXT_BYTES];
	int r = 0;

	for (uint32_t i = 0; !r && i < v[CONCAT_SIZES]; i++) {
		uint64_t elements = (uint64_t)v[CONCAT_SIZES + 1 + i] * v[CONCAT_INNER];
		struct op_step step = {.repeat = 1,
		        .places[0] = whole->places[i],
		        .places[1] = whole->places[v[CONCAT_SIZES]]};
		step.places[1].offset_bytes = at;
		snprintf(text, sizeof text, "copy shape=%u,%u dtype=%s", v[CONCAT_SIZES + 1 + i],
		        v[CONCAT_INNER], dtypes[v[CONCAT_DTYPE]]);
		if (!is_whole_word(at) || op_parse(text, &step.op, NULL))
			return -ERANGE;
		at += elements * dtype_bits((enum dtype)v[CONCAT_DTYPE]) / 8;
		r = split(s, &step, depth + 1);
	}
	return r;
}

/* ---- All of them. */

static bool is_aligned(const struct cut *cut)
{
	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
		if (!is_whole_word(cut->before[i] / 8))
			return false;
	return true;
}

static int cut_along(
        struct splitting *s, const struct op_step *whole, struct cut *cut, bool all, uint32_t depth)
{
	if (cut->value == CUT_NONE || cut_measure(&whole->op, cut) || !is_aligned(cut))
		return -ERANGE;
	all |= cut->kind != CUT_APART;
	uint32_t extent = extent_of_parts(s, &whole->op, cut, all);
	if (!extent)
		return -ERANGE;
	switch (cut->kind) {
	case CUT_SUMS:
		return part_sums(s, whole, cut, extent);
	case CUT_ROWS:
		return part_rows(s, whole, cut, extent);
	default:
		return part_apart(s, whole, cut, extent, depth);
	}
}

/* Appends steps that are the whole one: first by a cut that makes everything fit. */
static int split(struct splitting *s, const struct op_step *whole, uint32_t depth)
{
	struct cut_list cuts = cuts_of(&whole->op);
	struct op_way before;
	struct tensor largest;

	if (fits(&whole->op, s->most_bytes, &largest)) {
		append(s, whole);
		return 0;
	}
	s->full = s->way.count == OP_WAY_STEPS_MAX;
	if (depth == DEPTH_MAX || s->full)
		return -ERANGE;
	before = s->way;
	for (uint32_t i = 0; i < 2 * CUTS_MAX; i++) {
		struct cut cut = {
		        .kind = cuts.cut[i % CUTS_MAX].kind, .value = cuts.cut[i % CUTS_MAX].value};
		if (i >= CUTS_MAX && cut.kind != CUT_APART)
			continue; /* all of their parts fit, or none do */
		s->full = false;
		if (!cut_along(s, whole, &cut, i < CUTS_MAX, depth) && !s->full)
			return 0;
		s->way = before;
	}
	if (whole->op.kind == OP_CONCAT && whole->op.value[CONCAT_OUTER] == 1 &&
	        !whole->op.dynamic_count)
		return part_inputs(s, whole, depth);
	return -ERANGE;
}

int op_split(const struct op *op, uint64_t most_bytes, struct op_way *ret_way, struct error *err)
{
	struct splitting s = {.most_bytes = most_bytes};
	struct op_step whole = {.op = *op, .repeat = 1};
	struct tensor largest;

	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
		whole.places[i].tensor = i;
	if (!split(&s, &whole, 0) && !s.full) {
		*ret_way = s.way;
		return 0;
	}
	fits(op, most_bytes, &largest);
	return error_set(err, -ERANGE, largest.name,
	        "%s takes %llu bytes, a binding may have %llu, and this operator cannot be cut: "
	        "create the device with a larger maxStorageBufferBindingSize",
	        largest.name, (unsigned long long)tensor_bytes(&largest),
	        (unsigned long long)most_bytes);
}
