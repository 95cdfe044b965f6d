/* SPDX-License-Identifier: Apache-2.0
 *
 * What a family says of the full space: which values its axes may take, before anything is known of
 * an operator or a device. Rows of the same axis add up; an axis without a row has its initial
 * value.
 */
#pragma once

#include "op/op.h"
#include "schedule/schedule.h"

struct full_rows {
	uint32_t count;
	const struct full_row {
		enum axis axis;
		/* All whole numbers from first to last; doubling from first; powers of two and what
		 * stands halfway between two of them (1 2 3 4 6 8 12 ...). */
		enum { FULL_ALL, FULL_POWERS, FULL_HALVES } rule;
		uint16_t first, last;
	} * rows;
	/* Whether the value may be legal for this operator, whatever the other axes are. NULL: it
	 * may. */
	bool (*may_be_legal)(const struct op *op, enum axis axis, uint32_t value);
};
/* A family's are full_<room>, with the room of op/families.def. */

/* Of two. */
static inline bool full_is_power(uint32_t x)
{
	return !(x & (x - 1));
}
