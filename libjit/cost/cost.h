/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicted times: a model small enough to read, good enough to order a space. See cost.c.
 */
#pragma once

#include "schedule/geometry.h"
#include "schedule/work.h"
#include "device/limits.h"

enum cost_bound { /* what most of the time is spent on */
#define BOUND(name, ...) COST_##name,
#include "cost/bounds.def"
	COST_BOUNDS
};
const char *cost_bound_name(enum cost_bound bound);

enum cost_part {
#define PART(name, ...) PART_##name,
#include "cost/bounds.def"
	COST_PARTS
};

struct prediction {
	double ns; /* > 0 */
	enum cost_bound bound;
	double share[COST_PARTS]; /* of the time, before it was corrected; they add up to 1 */
};
struct prediction cost_predict(const struct op *op, const struct geometry *geometry,
        const struct work *work, const struct facts *facts);
