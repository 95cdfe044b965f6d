/* SPDX-License-Identifier: Apache-2.0
 *
 * How often the loops of an operator's kernel turn, which some drivers limit. Lowers the kernel to
 * say so: tens of microseconds.
 */
#pragma once

#include "op/op.h"
#include "schedule/schedule.h"

/* Of any invocation, with dimensions up to `most`; the schedule is well-formed. 0 or -ENOMEM. */
int lower_turns(const struct op *op, const struct schedule *schedule,
        const uint32_t most[static OP_DYNAMIC_MAX], uint64_t *ret_turns);

/* Lowers the dimensions in `most` until the loops turn no more often than that: none below what it
 * is tuned as, or, where its range is stated, below its greatest. 0, -ERANGE where that is too
 * often already, or -ENOMEM. */
int lower_narrow(const struct op *op, const struct schedule *schedule, uint64_t turns,
        uint32_t most[static OP_DYNAMIC_MAX]);
