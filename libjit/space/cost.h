/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicted times: a model small enough to read, good enough to order a space. See cost.c.
 */
#pragma once

#include "space/contraction.h"
#include "space/limits.h"

double cost_contraction_ns(const struct contraction *contraction, const struct facts *facts);
