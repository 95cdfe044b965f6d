/* SPDX-License-Identifier: Apache-2.0
 *
 * The contraction family's page of contents: who does what, and how many of the space's schedules
 * each kind is sure of.
 */
#include "schedule/family.h"

#include "family/contraction/shape.h"
#include "space/space.h"

_Static_assert(CONTRACTION_KIND_COUNT <= SPACE_KINDS, "each kind has its quota");

const struct family family_contraction = {.derive = contraction_geometry, /* geometry.c */
        .cost = contraction_cost,                                         /* cost.c */
        .offer = contraction_offer,                                       /* offer.c */
        .baseline = contraction_baseline,
        .fallback = contraction_fallback,
        .lower = contraction_lower, /* lower.c */
        .quotas = {[CONTRACTION_KIND_DIRECT] = {14, 14},
                [CONTRACTION_KIND_STAGED] = {14, 4},
                [CONTRACTION_KIND_SPLIT] = {6, 4},
                [CONTRACTION_KIND_SUBGROUP] = {4, 2},
                [CONTRACTION_KIND_MATRIX] = {16, 4},
                [CONTRACTION_KIND_QUAD] = {0, 12}},
        .room_gpu = SPACE_MAX - 2,
        .room_cpu = 38};
