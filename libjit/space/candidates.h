/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of candidates: ascending predicted time, equal ones by their axes, so that it is the
 * same on every machine.
 */
#pragma once

#include "space/space.h"

#include <stdlib.h>
#include <string.h>

static inline int candidates_compare(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	if (a->predicted_ns != b->predicted_ns)
		return a->predicted_ns < b->predicted_ns ? -1 : 1;
	return memcmp(&a->schedule, &b->schedule, sizeof a->schedule);
}

static inline void candidates_sort(struct candidate *candidates, uint32_t count)
{
	qsort(candidates, count, sizeof *candidates, candidates_compare);
}
