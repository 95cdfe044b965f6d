/* SPDX-License-Identifier: Apache-2.0
 *
 * What a right kernel may answer, special values included: one rule for the worker, the tests and
 * whoever else compares. Infinities are as exact as numbers are; a NaN is a NaN; a number that the
 * type cannot hold is an infinity, and near the type's end either will do. A denormal may have been
 * flushed, because no error is relative to so little. Must not know how a value came about.
 */
#include "reference/reference.h"

#include <float.h>
#include <math.h>

struct reference_rule reference_rule(const struct op *op, enum reference_special inputs)
{
	struct tensor tensors[OP_TENSORS_MAX];

	return (struct reference_rule){
	        .dtype = tensors[op_tensors(op, tensors) - 1].dtype,
	        .scale = fmax(reference_scale(op), 1e-30),
	        .tolerance = reference_tolerance(op),
	        .each = inputs && reference_takes_extremes(op),
	};
}

static double greatest(enum dtype dtype)
{
	return dtype == DTYPE_F16 ? 65504 : dtype == DTYPE_F32 ? FLT_MAX : INFINITY;
}

void reference_rule_see(struct reference_rule *rule, double want)
{
	if (!rule->each && fabs(want) <= greatest(rule->dtype) && isfinite(want))
		rule->scale = fmax(rule->scale, fabs(want));
}

/* Of a number at or beyond the type's end. */
static double error_beyond(const struct reference_rule *rule, double want, double got)
{
	double most = greatest(rule->dtype), room = fmax(rule->tolerance, 0x1p-11);
	bool near = fabs(want) <= most * (1 + room);

	if (isnan(got) || signbit(got) != signbit(want))
		return INFINITY;
	return isinf(got) || (near && fabs(got) >= most * (1 - 2 * room)) ? 0 : INFINITY;
}

double reference_error(const struct reference_rule *rule, double want, double got)
{
	if (isnan(want))
		return isnan(got) || !dtype_is_float(rule->dtype) ? 0 : INFINITY;
	if (fabs(want) > greatest(rule->dtype) * (1 - fmax(rule->tolerance, 0x1p-11)))
		return error_beyond(rule, want, got);
	if (!isfinite(got))
		return INFINITY;
	return fabs(got - want) / (rule->each ? fmax(rule->scale, fabs(want)) : rule->scale);
}
