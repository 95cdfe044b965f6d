/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel run by the interpreter: what its code computes, without a GPU.
 */
#pragma once

#include "nnjit.h"

struct nnjit_eval_params {
	/* One a tensor, as dtype.def lays them out, of op_at(op, dims). */
	void *const *buffers;
	const uint32_t *dims;   /* OP_DYNAMIC_MAX of them; NULL: as it is tuned */
	uint32_t subgroup_size; /* > 0 where the kernel uses subgroups */
	uint64_t *ret_turns;    /* of loops, as emit_eval counts them; NULL: not asked for */
};
/* 0, -ENOMEM, -EINVAL if the schedule is malformed, or -EFAULT if the kernel read or wrote out of
 * bounds. */
int nnjit_eval(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        const struct nnjit_eval_params *params);
