/* SPDX-License-Identifier: Apache-2.0
 *
 * The meaning of each operator in plain C and double, one element at a time: slow, obvious, and
 * what every kernel is compared with.
 */
#pragma once

#include "op/op.h"

/* Element `element` (linear, row-major, batch outermost) of the output, from f32 inputs:
 * buffers[i] is tensor i of op_tensors. */
double reference_contraction(const struct op *op, void *const buffers[], uint64_t element);

double reference_activation(enum activation activation, double x);
