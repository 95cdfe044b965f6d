/* SPDX-License-Identifier: Apache-2.0
 *
 * The two knobs of glibc's malloc (mallopt(3), and "Memory Allocation Tunables" of its manual).
 */
#include "daemon/gpu/allocator.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#define TUNABLES "GLIBC_TUNABLES"
#define PATTERN  0x5a /* any but 0, which is none */

void allocator_without_cache(char *argv[])
{
	if (getenv(TUNABLES) || setenv(TUNABLES, "glibc.malloc.tcache_count=0", 1))
		return;
	execv("/proc/self/exe", argv); /* where that cannot be, it goes on as it is */
}

void allocator_writes(bool writes)
{
	mallopt(M_PERTURB, writes ? PATTERN : 0);
}
