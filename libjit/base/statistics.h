/* SPDX-License-Identifier: Apache-2.0
 *
 * The median of what a search was told.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>

static inline int median_ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static inline double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof *values, median_ascending);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
