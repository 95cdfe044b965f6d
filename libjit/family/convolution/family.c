/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution family's page of contents: who does what, and how many of the space's schedules
 * each kind is sure of.
 */
#include "schedule/family.h"

#include "family/convolution/shape.h"
#include "space/space.h"

_Static_assert(CONVOLUTION_KIND_COUNT <= SPACE_KINDS, "each kind has its quota");

const struct family family_convolution = {.derive = convolution_geometry, /* geometry.c */
        .cost = convolution_cost,                                         /* cost.c */
        .offer = convolution_offer,                                       /* offer.c */
        .baseline = convolution_baseline,
        .fallback = convolution_fallback,
        .lower = convolution_lower, /* lower.c */
        .quotas = {[CONVOLUTION_KIND_DIRECT] = {20, 24},
                [CONVOLUTION_KIND_STAGED] = {16, 0},
                [CONVOLUTION_KIND_SPLIT] = {10, 0}},
        .room_gpu = SPACE_MAX - 2,
        .room_cpu = 38};
