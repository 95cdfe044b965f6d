/* SPDX-License-Identifier: Apache-2.0
 *
 * What a row of operators.h stands for: the operator in every combination of element types that it
 * accepts, and each of those with as many of its dimensions dynamic as may be.
 */
#pragma once

#include "operators.h"

#define VARIANTS_MAX 128

/* The operator of row number `row` alone, which must be valid. */
struct op variant_of(size_t row);
/* All of them, static before dynamic; returns how many. Rows after the first of their operator
 * stand for themselves. */
uint32_t variants_of(size_t row, struct op ret_ops[static VARIANTS_MAX]);
/* Of a static operator: with its dimensions dynamic, tuned as if what they are; false: it has none,
 * or allows none. */
bool variant_make_dynamic(struct op *op);
