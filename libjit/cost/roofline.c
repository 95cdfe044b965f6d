/* SPDX-License-Identifier: Apache-2.0
 *
 * The least time an operator can take on a device (Williams et al., Roofline, CACM 2009), said
 * carefully: a search that is at it stops. Knows no schedule. Invariant: a bound that something on
 * the device might get around is left out.
 */
#include "cost/roofline.h"

#include <math.h>

#define CACHED_BYTES 128e6 /* what is larger does not stay in any device's cache */

static bool all_f32(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	for (uint32_t i = 0; i < count; i++)
		if (tensors[i].dtype != DTYPE_F32)
			return false;
	return true;
}

static double at_point(const struct op *op, const struct facts *facts)
{
	double least_ns = facts->launch_ns, bytes = op_bytes(op);

	if (facts->fma_gflops > 0 && all_f32(op))
		least_ns = fmax(least_ns, op_flops(op) / facts->fma_gflops);
	if (facts->memory_gbps > 0 && bytes > CACHED_BYTES)
		least_ns = fmax(least_ns, bytes / facts->memory_gbps);
	return least_ns;
}

double roofline_ns(const struct op *op, const struct facts *facts)
{
	uint32_t dims[OP_POINTS_MAX][OP_DYNAMIC_MAX], count = op_points(op, dims);
	double sum_ns = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct op at = op_at(op, dims[i]);
		sum_ns += at_point(&at, facts);
	}
	return sum_ns / count;
}
