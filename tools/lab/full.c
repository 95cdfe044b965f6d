/* SPDX-License-Identifier: Apache-2.0
 *
 * The full space. An axis's values are those of its family's rows that may be legal for this
 * operator on this device, whatever the other axes are; a schedule's number has a digit for each
 * axis, and what is legal is asked of the family. Invariant: values stand in ascending order, so a
 * digit's neighbours are the neighbouring values.
 */
#include "tools/lab/full.h"

#include "base/cleanup.h"
#include "tools/lab/full_rows.h"
#include "space/space.h"

#include <errno.h>
#include <stdlib.h>

#define VALUES_MAX 96 /* of one axis */

struct full {
	struct op op;
	struct limits limits;
	uint32_t instructions_most;
	uint64_t size;
	uint32_t count[AXIS_COUNT];
	uint16_t value[AXIS_COUNT][VALUES_MAX];
};

/* ---- What may be legal, of one axis. */

static bool may_be_legal(
        const struct full *full, const struct full_rows *rows, enum axis axis, uint32_t value)
{
	uint32_t features = full->limits.features;

	if (value && ((axis == AXIS_F16 && !(features & FEATURE_F16)) ||
	                     (axis == AXIS_DOT4 && !(features & FEATURE_DOT4)) ||
	                     (axis == AXIS_SUBGROUP && !(features & FEATURE_SUBGROUPS))))
		return false;
	return !rows->may_be_legal || rows->may_be_legal(&full->op, axis, value);
}

/* ---- The rows. */

#define FAMILY(name, room) extern const struct full_rows full_##room;
#include "op/families.def"

static const struct full_rows *const families[OP_FAMILIES] = {
#define FAMILY(name, room) [FAMILY_##name] = &full_##room,
#include "op/families.def"
};

static bool follows(const struct full_row *row, uint32_t value)
{
	return row->rule == FULL_ALL || full_is_power(value) ||
	       (row->rule == FULL_HALVES && value % 3 == 0 && full_is_power(value / 3));
}

static void add_row(struct full *full, const struct full_rows *rows, const struct full_row *row)
{
	uint32_t *count = &full->count[row->axis];
	uint16_t *values = full->value[row->axis];

	for (uint32_t value = row->first; value <= row->last; value++) {
		bool there = *count && values[*count - 1] >= value;
		if (!there && *count < VALUES_MAX && follows(row, value) &&
		        may_be_legal(full, rows, row->axis, value))
			values[(*count)++] = (uint16_t)value;
	}
}

int full_create(const struct op *op, const struct limits *limits, uint32_t instructions_most,
        struct full **ret_full)
{
	const struct full_rows *rows = families[op_family(op->kind)];
	struct full *full = calloc(1, sizeof *full);
	struct schedule plain = schedule_initial();

	if (!full)
		return -ENOMEM;
	full->op = *op;
	full->limits = *limits;
	full->instructions_most = instructions_most;
	for (uint32_t i = 0; i < rows->count; i++)
		add_row(full, rows, &rows->rows[i]);
	full->size = 1;
	for (uint32_t axis = 0; axis < AXIS_COUNT; axis++) {
		if (!full->count[axis])
			full->value[axis][full->count[axis]++] = plain.axis[axis];
		full->size *= full->count[axis];
	}
	*ret_full = full;
	return 0;
}

void full_destroy(struct full *full)
{
	free(full);
}

/* ---- By number. */

uint64_t full_size(const struct full *full)
{
	return full->size;
}

static int check(const struct full *full, const struct schedule *schedule)
{
	struct work work;

	if (space_check(&full->op, schedule, &full->limits, NULL))
		return -ERANGE;
	if (!full->instructions_most)
		return 0;
	space_work(&full->op, schedule, &work);
	return work.instructions > full->instructions_most ? -ERANGE : 0;
}

int full_at(const struct full *full, uint64_t index, struct schedule *ret_schedule)
{
	struct schedule schedule;

	for (uint32_t axis = 0; axis < AXIS_COUNT; axis++) {
		schedule.axis[axis] = full->value[axis][index % full->count[axis]];
		index /= full->count[axis];
	}
	int r = check(full, &schedule);
	if (!r)
		*ret_schedule = schedule;
	return r;
}

/* The position of an axis's value, or its count. */
static uint32_t position(const struct full *full, enum axis axis, uint16_t value)
{
	uint32_t at = 0;

	while (at < full->count[axis] && full->value[axis][at] != value)
		at++;
	return at;
}

uint64_t full_find(const struct full *full, const struct schedule *schedule)
{
	uint64_t index = 0;

	for (uint32_t axis = AXIS_COUNT; axis-- > 0;) {
		uint32_t at = position(full, (enum axis)axis, schedule->axis[axis]);
		if (at == full->count[axis])
			return full->size;
		index = index * full->count[axis] + at;
	}
	return index;
}

/* ---- In a random order. */

/* The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* A permutation of the numbers below `size`: a Feistel network over the next power of four, walked
 * until it is back in range (Black and Rogaway, CT-RSA 2002). */
static uint64_t permute(uint64_t number, uint64_t size, uint64_t seed)
{
	uint32_t half = 1;

	while (half < 32 && size > 1ull << 2 * half)
		half++;
	uint64_t mask = (1ull << half) - 1;
	do {
		uint64_t left = number >> half, right = number & mask;
		for (uint64_t round = 1; round <= 4; round++) {
			uint64_t next = left ^ (mix(right + mix(seed + round)) & mask);
			left = right;
			right = next;
		}
		number = left << half | right;
	} while (number >= size);
	return number;
}

int full_next(struct full_walk *walk, struct schedule *ret_schedule)
{
	const struct full *full = walk->full;

	while (walk->visited < full->size) {
		uint64_t index = permute(walk->visited++, full->size, walk->seed);
		if (!full_at(full, index, ret_schedule)) {
			walk->legal++;
			return 0;
		}
	}
	return -ENOENT;
}

double full_count(const struct full *full, uint64_t visits, bool *ret_exact)
{
	struct schedule schedule;
	uint64_t legal = 0;

	*ret_exact = visits >= full->size;
	visits = *ret_exact ? full->size : visits;
	for (uint64_t i = 0; i < visits; i++)
		legal += !full_at(full, permute(i, full->size, 0), &schedule);
	return (double)full->size * ((double)legal / (double)visits);
}

/* ---- Neighbours. */

/* Step 0: none; 1, 2: down and up along the first axis; and so on. */
static bool step(const struct full *full, uint32_t number, struct schedule *schedule)
{
	enum axis axis = (enum axis)((number - 1) / 2);

	if (!number)
		return true;
	uint32_t at = position(full, axis, schedule->axis[axis]), count = full->count[axis];
	if (at == count || (number % 2 ? at == 0 : at + 1 == count))
		return false;
	schedule->axis[axis] = full->value[axis][number % 2 ? at - 1 : at + 1];
	return true;
}

int full_neighbour(const struct full *full, const struct schedule *from, uint32_t number,
        struct schedule *ret_schedule)
{
	uint32_t first = number % FULL_STEPS, second = number / FULL_STEPS;
	struct schedule schedule = *from;

	/* Each pair once, of different axes. */
	if (!first || (second && (first - 1) / 2 >= (second - 1) / 2))
		return -ERANGE;
	if (!step(full, first, &schedule) || !step(full, second, &schedule))
		return -ERANGE;
	int r = check(full, &schedule);
	if (!r)
		*ret_schedule = schedule;
	return r;
}
