/* SPDX-License-Identifier: Apache-2.0
 *
 * The tiers: two numbers of two bits each. Invariant: tier 0 is limits_web_default's.
 */
#include "device/tier.h"

#define STEPS 4

/* Invocations of a workgroup, and along x and y: the default, what WebGPU's compatibility mode has,
 * and more. */
static const uint32_t widths[STEPS] = {256, 128, 512, 1024};
static const uint32_t bytes[STEPS] = {16384, 32768, 49152, 65536}; /* of its memory */

/* The number of the greatest value that does not pass `most`; of the least where all do. */
static uint32_t step_within(const uint32_t values[static STEPS], uint32_t most)
{
	uint32_t least = 0, found = STEPS;

	for (uint32_t i = 0; i < STEPS; i++) {
		if (values[i] < values[least])
			least = i;
		if (values[i] <= most && (found == STEPS || values[i] > values[found]))
			found = i;
	}
	return found == STEPS ? least : found;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

uint32_t tier_of(const struct limits *limits)
{
	uint32_t width = lesser(limits->invocations, lesser(limits->size_x, limits->size_y));

	return step_within(widths, width) | step_within(bytes, limits->workgroup_bytes) << 2;
}

void tier_apply(uint32_t tier, const struct limits *own, struct limits *limits)
{
	uint32_t width = widths[tier % STEPS];

	limits->invocations = lesser(width, own->invocations);
	limits->size_x = lesser(width, own->size_x);
	limits->size_y = lesser(width, own->size_y);
	limits->workgroup_bytes = lesser(bytes[tier / STEPS % STEPS], own->workgroup_bytes);
}
