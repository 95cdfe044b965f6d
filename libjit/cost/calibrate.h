/* SPDX-License-Identifier: Apache-2.0
 *
 * What measured times teach the cost model: how much each part of a prediction is worth on this
 * device, for each family of operators. A correction is bounded, and one that would have picked
 * slower schedules than the model alone is not made.
 */
#pragma once

#include "cost/cost.h"

/* A prediction is multiplied by exp(level + sum of worth * share). A part's worth is the logarithm
 * of what its weights should be multiplied by; the sum is held within CORRECTION_BEND either way,
 * so that it may turn the order of schedules over only where the model itself sees them close. */
#define CORRECTION_BEND  1.6
#define CORRECTION_LEVEL 4.0 /* the most of exp(level), either way */
struct correction {
	double level[OP_FAMILIES], worth[OP_FAMILIES][COST_PARTS];
};
/* NULL: 1. */
double correction_factor(
        const struct correction *correction, enum op_family family, const double share[COST_PARTS]);

/* One schedule tried. Those of one operator stand together. */
struct observation {
	uint32_t group; /* the operator: a number of its own */
	enum op_family family;
	double share[COST_PARTS];
	double predicted_ns, measured_ns; /* the first without any correction */
};
/* The same observations give the same correction. Few, or none, give little or none. */
void calibrate(
        const struct observation observations[], uint32_t count, struct correction *ret_correction);

/* How much slower than the best of its operator the schedule that is predicted fastest was, as a
 * geometric mean over the operators; 1 where there are none. */
double calibrate_loss(const struct observation observations[], uint32_t count,
        const struct correction *correction);
