/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicted times: a model small enough to read, good enough to order a space. See cost.c.
 */
#pragma once

#include "space/geometry.h"
#include "space/limits.h"

double cost_ns(const struct op *op, const struct geometry *geometry, const struct facts *facts);
