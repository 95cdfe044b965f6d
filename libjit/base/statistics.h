/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics of measured numbers: sorted, their median, their median absolute deviation (MAD),
 * both safe from outliers. All of them rearrange the numbers they are given; no number is a NaN.
 */
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static inline int statistics_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Ascending. */
static inline void statistics_sort(double *values, uint32_t count)
{
	qsort(values, count, sizeof *values, statistics_compare);
}

/* Of at least one number; of an even count the mean of the two in the middle. Sorts. */
static inline double statistics_median(double *values, uint32_t count)
{
	statistics_sort(values, count);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* The median distance from their median. Overwrites them. */
static inline double statistics_mad(double *values, uint32_t count, double median)
{
	for (uint32_t i = 0; i < count; i++)
		values[i] = fabs(values[i] - median);
	return statistics_median(values, count);
}
