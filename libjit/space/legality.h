/* SPDX-License-Identifier: Apache-2.0
 *
 * The two halves of space_check, for space.c: bindings are an operator's, so they are looked at
 * once; sizes are each schedule's.
 */
#pragma once

#include "device/limits.h"
#include "op/op.h"
#include "schedule/geometry.h"
#include "schedule/schedule.h"

struct error;

/* Workgroup, dispatch, workgroup memory, features. 0, or -ERANGE and err. */
int legality_of_sizes(const struct op *op, const struct geometry *geometry,
        const struct limits *limits, struct error *err);
/* Storage buffers: how many, how large. 0, or -ERANGE and err. */
/* What it is tuned as, and a stated range's greatest. Lowers the kernel where the device ends loops
 * that turn too often. */
int legality_of_turns(const struct op *op, const struct schedule *schedule, const struct limits *l,
        struct error *err);
int legality_of_bindings(const struct op *op, const struct limits *limits, struct error *err);
