/* SPDX-License-Identifier: Apache-2.0
 *
 * Greedy, one value at a time, by the kinds of fields in op.def. Every step is a valid operator for
 * which the schedule is well-formed and whose exact result decides.
 */
#include "shrink.h"

#include "draw.h"
#include "op/rows.h"
#include "space/space.h"

#define ATTEMPTS_MAX 600

struct shrinker {
	struct trial *trial;
	shrink_fails *fails;
	void *context;
	uint32_t attempts;
	bool moved; /* in this round */
};

static bool is_sound(const struct trial *t)
{
	struct op at = op_at(&t->op, t->dims);

	return !op_validate(&t->op, NULL) && !op_validate(&at, NULL) && draw_suits(&at) &&
	       !space_check(&t->op, &t->schedule, NULL, NULL);
}

/* Takes the smaller one if it fails as well. */
static bool keep(struct shrinker *s, const struct trial *smaller)
{
	if (s->attempts == ATTEMPTS_MAX || !is_sound(smaller))
		return false;
	s->attempts++;
	if (!s->fails(s->context, smaller))
		return false;
	*s->trial = *smaller;
	s->moved = true;
	return true;
}

static void lower_value(struct shrinker *s, uint32_t at, uint32_t least)
{
	uint32_t value = s->trial->op.value[at];
	const uint32_t tries[] = {least, least + (value - least) / 2, value - 1};

	for (uint32_t i = 0; i < 3 && value > least; i++) {
		struct trial smaller = *s->trial;
		smaller.op.value[at] = tries[i];
		if (keep(s, &smaller))
			return;
	}
}

static void lower_dim(struct shrinker *s, uint32_t n)
{
	uint32_t low, high, dim = s->trial->dims[n];

	op_range(&s->trial->op, n, &low, &high);
	const uint32_t tries[] = {low, low + (dim - low) / 2, dim - 1};
	for (uint32_t i = 0; i < 3 && dim > low; i++) {
		struct trial smaller = *s->trial;
		smaller.dims[n] = tries[i];
		if (keep(s, &smaller))
			return;
	}
}

static void reset(struct shrinker *s, const struct op_field *field)
{
	struct trial smaller = *s->trial;
	bool changes = false;

	for (uint32_t i = 0; i < field_width(field); i++) {
		uint32_t initial = field_rank_max(field) ? 0 : field->initial;
		changes |= smaller.op.value[field->value + i] != initial;
		smaller.op.value[field->value + i] = initial;
	}
	if (changes)
		keep(s, &smaller);
}

/* A dynamic value is lowered through its dimension. */
static void lower_values(struct shrinker *s, uint32_t first, uint32_t count, uint32_t least)
{
	for (uint32_t i = 0; i < count; i++)
		if (op_dynamic_at(&s->trial->op, first + i) < 0)
			lower_value(s, first + i, least);
}

static void shrink_field(struct shrinker *s, const struct op_field *field)
{
	switch (field->kind) {
	case FIELD_DIM:
	case FIELD_SIZE:
	case FIELD_PAIR:
		lower_values(s, field->value, field_width(field), field->initial ? 1 : 0);
		break;
	case FIELD_SHAPE:
		lower_values(s, field->value + 1, s->trial->op.value[field->value], 1);
		break;
	case FIELD_STEPS:
		break;
	case FIELD_COUNT:
	case FIELD_QUAD:
		lower_values(s, field->value, field_width(field), 0);
		break;
	default:
		reset(s, field);
	}
}

void shrink(struct trial *trial, shrink_fails *fails, void *context)
{
	struct shrinker s = {trial, fails, context, 0, true};

	while (s.moved && s.attempts < ATTEMPTS_MAX) {
		s.moved = false;
		for (uint32_t n = 0; n < trial->op.dynamic_count; n++)
			lower_dim(&s, n);
		for (uint32_t i = 0; op_field(trial->op.kind, i); i++)
			shrink_field(&s, op_field(trial->op.kind, i));
	}
}
