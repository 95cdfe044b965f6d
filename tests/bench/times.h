/* SPDX-License-Identifier: Apache-2.0
 *
 * What the benchmarks in C share: clocks, and percentiles of what they gave.
 */
#pragma once

#include "base/statistics.h"

#include <stdlib.h>
#include <time.h>

static inline double clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline double now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* What the process's threads have computed for: of use where neighbours load the machine. */
static inline double cpu_us(void)
{
	return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

/* Sorts values; p from 0 to 1, the nearest one. */
static inline double percentile(double *values, size_t count, double p)
{
	statistics_sort(values, (uint32_t)count);
	return values[(size_t)(p * (double)(count - 1) + 0.5)];
}
