/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory as dear as in a browser. A driver that computes on the processor allocates for every
 * workgroup; in a page it does so by Chromium's allocator, and a workgroup takes about 400 ns
 * longer than by glibc's. Without its cache for threads, and writing all that is allocated and
 * freed, glibc's comes near that (tests/bench/run fidelity).
 */
#pragma once

#include <stdbool.h>

/* Starts this program again without the cache, which can only be decided at the start, unless the
 * user has set GLIBC_TUNABLES. To be called before anything else is open. */
void allocator_without_cache(char *argv[]);
/* Whether what is allocated and freed is written. */
void allocator_writes(bool writes);
