/* SPDX-License-Identifier: Apache-2.0
 *
 * The reduction family's page of contents: who does what, and how many of the space's schedules
 * each kind is sure of.
 */
#include "schedule/family.h"

#include "family/reduction/shape.h"

_Static_assert(REDUCTION_KIND_COUNT <= SPACE_KINDS, "each kind has its quota");

const struct family family_reduction = {.derive = reduction_geometry, /* geometry.c */
        .cost = reduction_cost,                                       /* cost.c */
        .offer = reduction_offer,                                     /* offer.c */
        .baseline = reduction_baseline,
        .fallback = reduction_fallback,
        .lower = reduction_lower, /* lower.c */
        .quotas = {[REDUCTION_KIND_ALONE] = {8, 12},
                [REDUCTION_KIND_WORKGROUP] = {20, 12},
                [REDUCTION_KIND_SUBGROUP] = {8, 4}},
        .room_gpu = 48,
        .room_cpu = 32};
