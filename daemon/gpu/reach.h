/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a dynamic operator's kernel is right: tried beyond the points at which it was verified,
 * where its rows are long and its tensors large.
 */
#pragma once

#include "daemon/gpu/builder.h"

struct reach {
	uint32_t dims[OP_DYNAMIC_MAX]; /* the greatest that were verified */
	double max_rel_err;            /* there */
	uint32_t checked;              /* elements, 0: nowhere beyond the points */
	char why[160];                 /* what was wrong further out; "" if nothing was */
};
/* `trial` is the candidate's, right at the points of builder->workload. Tries no dispatch that is
 * predicted to take more than REACH_NS, and none beyond `most`. */
#define REACH_NS 500e6
struct reach_params {
	const struct trial *trial;
	const struct schedule *schedule;
	const uint32_t *most; /* OP_DYNAMIC_MAX */
};
int reach_find(struct builder *builder, const struct reach_params *params, struct reach *ret_reach,
        struct error *err);
