/* SPDX-License-Identifier: Apache-2.0
 *
 * How a measured time compares with what the operator computes and what the device could attain.
 */
#include "protocol/artifact/artifact.h"

#include <math.h>

/* Means over the points at which the operator is tuned, as times are. */
static double mean_flops(const struct op *op)
{
	uint32_t dims[OP_POINTS_MAX][OP_DYNAMIC_MAX], count = op_points(op, dims);
	double sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct op at = op_at(op, dims[i]);
		sum += op_flops(&at);
	}
	return sum / count;
}

/* The least time that arithmetic and memory allow. */
static double mean_least_ns(const struct op *op, const struct facts *facts)
{
	uint32_t dims[OP_POINTS_MAX][OP_DYNAMIC_MAX], count = op_points(op, dims);
	double sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct op at = op_at(op, dims[i]);
		sum += fmax(op_flops(&at) / facts->fma_gflops, op_bytes(&at) / facts->memory_gbps);
	}
	return sum / count;
}

double artifact_gflops(const struct op *op, double median_ns)
{
	return median_ns > 0 ? mean_flops(op) / median_ns : 0;
}

double artifact_roofline(const struct op *op, const struct facts *facts, double median_ns)
{
	if (!(median_ns > 0 && facts->fma_gflops > 0 && facts->memory_gbps > 0))
		return 0;
	return fmin(mean_least_ns(op, facts) / median_ns, 1);
}
