/* SPDX-License-Identifier: Apache-2.0
 *
 * The reduction family, as libjit/family/families.c finds it.
 */
#include "family/reduction/shape.h"
#include "schedule/family.h"

const struct family family_reduction = {.derive = reduction_geometry,
        .cost = reduction_cost,
        .offer = reduction_offer,
        .baseline = reduction_baseline,
        .fallback = reduction_fallback,
        .lower = lower_reduction,
        .quotas = {[REDUCTION_KIND_ALONE] = {8, 12},
                [REDUCTION_KIND_WORKGROUP] = {20, 12},
                [REDUCTION_KIND_SUBGROUP] = {8, 4}},
        .room_gpu = 48,
        .room_cpu = 32};
