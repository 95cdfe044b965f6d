/* SPDX-License-Identifier: Apache-2.0
 *
 * One function for each thing that the probe measures; each sets members of *facts, or leaves them
 * 0. They return the driver's answer where a kernel could not be run.
 */
#pragma once

#include "daemon/gpu/probe_run.h"
#include "device/limits.h"

typedef int probe_measure(struct probe *probe, struct facts *facts, struct error *err);
probe_measure measure_launch, measure_cores, measure_caches, measure_workgroup_memory,
        measure_barrier, measure_registers, measure_half, measure_dot4;
/* What the device silently does not do (probe_bounds.c). */
probe_measure measure_turns, measure_workgroup_bytes;

/* Number `i` of the shapes of the two peaks, from the likeliest; nothing where there is none. */
#define PROBE_SHAPES_MAX 8
int measure_fma_shape(struct probe *probe, size_t i, struct facts *facts, struct error *err);
int measure_copy_shape(struct probe *probe, size_t i, struct facts *facts, struct error *err);

/* The levels of a memory hierarchy, nearest first, out of the rates at which windows of ascending
 * size were read. The last level, where the rate no longer falls, is not among them unless it is
 * the only one. Unknown ones are 0. */
void levels_find(const double bytes[], const double gbps[], uint32_t count,
        struct cache ret_caches[static FACTS_CACHES]);
