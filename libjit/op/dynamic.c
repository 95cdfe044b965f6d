/* SPDX-License-Identifier: Apache-2.0
 *
 * Dynamic dimensions: which there are, what they may be, and the static operator that a dynamic
 * one is once they are known.
 */
#include "op/rows.h"

#include <math.h>
#include <stdio.h>

int op_dynamic_at(const struct op *op, uint32_t value)
{
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		if (op->dynamic[i].value == value)
			return (int)i;
	return -1;
}

struct op op_at(const struct op *op, const uint32_t dims[static OP_DYNAMIC_MAX])
{
	struct op at = *op;

	at.dynamic_count = 0;
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		at.value[op->dynamic[i].value] = dims[i];
	for (uint32_t i = 0; i < OP_DYNAMIC_MAX; i++)
		at.dynamic[i] = (struct op_dynamic){0};
	return at;
}

/* Whether all tensors fit with the unbounded dimensions at `most` and the others at their
 * greatest. */
static bool fits(const struct op *op, uint32_t most)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t dims[OP_DYNAMIC_MAX] = {0};

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = op->dynamic[i].high ? op->dynamic[i].high : most;
	struct op at = op_at(op, dims);
	uint32_t count = op_tensors(&at, tensors);
	for (uint32_t i = 0; i < count; i++)
		if (tensors[i].elements > OP_ELEMENTS_MAX)
			return false;
	return true;
}

void op_range(const struct op *op, uint32_t n, uint32_t *ret_low, uint32_t *ret_high)
{
	uint32_t most = OP_DIM_MAX;

	*ret_low = op->dynamic[n].low;
	*ret_high = op->dynamic[n].high;
	if (*ret_high)
		return;
	while (most > 1 && !fits(op, most))
		most /= 2;
	*ret_high = most > op->value[op->dynamic[n].value] ? most : op->value[op->dynamic[n].value];
}

void op_dynamic_name(const struct op *op, uint32_t n, char name[static 24])
{
	const struct op_field *field = NULL;
	uint32_t value = op->dynamic[n].value;

	for (uint32_t i = 0; op_field(op->kind, i); i++)
		if (op_field(op->kind, i)->value <= value)
			field = op_field(op->kind, i);
	if (field_rank_max(field))
		snprintf(name, 24, "%.16s[%u]", field->name, (value - field->value - 1) % 8);
	else
		snprintf(name, 24, "%.23s", field->name);
}

uint32_t op_points(const struct op *op, uint32_t ret_dims[OP_POINTS_MAX][OP_DYNAMIC_MAX])
{
	bool ranges = false;

	for (uint32_t i = 0; i < OP_DYNAMIC_MAX; i++) {
		const struct op_dynamic *d = &op->dynamic[i];
		bool used = i < op->dynamic_count;
		uint32_t hint = used ? op->value[d->value] : 0;
		ret_dims[0][i] = used && d->high ? d->low : hint;
		ret_dims[1][i] = hint;
		ret_dims[2][i] = used && d->high ? d->high : hint;
		ranges |= used && d->high;
	}
	return ranges ? 3 : 1;
}
