/* SPDX-License-Identifier: Apache-2.0
 *
 * Which levels of memory a series of reading rates shows: plateaus. Windows double in size from one
 * rate to the next and a level holds several times what the one before it does, so a rate that no
 * neighbour shares stands between two levels, not for one. Pure arithmetic.
 */
#include "daemon/gpu/probe_measures.h"

#define SAME 0.8 /* of a level's rate: still that level */

/* Larger windows cannot be faster: what looks so is noise of the smaller one. */
static double rate_at(const double gbps[], uint32_t count, uint32_t i)
{
	double rate = 0;

	for (; i < count; i++)
		rate = gbps[i] > rate ? gbps[i] : rate;
	return rate;
}

void levels_find(const double bytes[], const double gbps[], uint32_t count,
        struct cache ret_caches[static FACTS_CACHES])
{
	uint32_t found = 0, next;
	double last = count ? rate_at(gbps, count, count - 1) : 0;

	for (uint32_t i = 0; i < FACTS_CACHES; i++)
		ret_caches[i] = (struct cache){0, 0};
	for (uint32_t i = 0; i < count && found < FACTS_CACHES; i = next) {
		double rate = rate_at(gbps, count, i);
		for (next = i + 1; next < count && rate_at(gbps, count, next) >= SAME * rate;)
			next++;
		bool farthest = last >= SAME * rate;
		if (next - i > 1 && !(farthest && found))
			ret_caches[found++] = (struct cache){bytes[next - 1], rate};
	}
}
