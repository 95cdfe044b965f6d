/* SPDX-License-Identifier: Apache-2.0
 *
 * The convolution family, as libjit/family/families.c finds it.
 */
#include "family/convolution/shape.h"
#include "schedule/family.h"
#include "space/space.h"

const struct family family_convolution = {.derive = convolution_geometry,
        .cost = convolution_cost,
        .offer = convolution_offer,
        .baseline = convolution_baseline,
        .fallback = convolution_fallback,
        .lower = lower_convolution,
        .quotas = {[CONVOLUTION_KIND_DIRECT] = {20, 24},
                [CONVOLUTION_KIND_STAGED] = {16, 0},
                [CONVOLUTION_KIND_SPLIT] = {10, 0}},
        .room_gpu = SPACE_MAX - 2,
        .room_cpu = 38};
