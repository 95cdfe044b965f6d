/* SPDX-License-Identifier: Apache-2.0
 *
 * From (operator, schedule) to IR, one file a family. A lowering trusts that space_check passed;
 * it unrolls with C loops and leaves folding and numbering to the builder.
 */
#pragma once

#include "ir/ir.h"
#include "op/op.h"
#include "space/schedule.h"

/* Fills the builder with the kernel; the caller has not begun a module and finishes it. */
void lower_contraction(
        struct ir_builder *builder, const struct op *op, const struct schedule *schedule);

/* act(x), for any number of lanes; max absolute error 2e-7 * (1 + |x|) for both gelu forms. */
ir_id lower_activation(struct ir_builder *builder, enum activation activation, ir_id x);
