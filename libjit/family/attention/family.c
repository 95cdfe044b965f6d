/* SPDX-License-Identifier: Apache-2.0
 *
 * The attention family's page of contents: who does what, and how many of the space's schedules
 * each kind is sure of.
 */
#include "schedule/family.h"

#include "family/attention/shape.h"
#include "space/space.h"

_Static_assert(ATTENTION_KIND_COUNT <= SPACE_KINDS, "each kind has its quota");

const struct family family_attention = {.derive = attention_geometry, /* geometry.c */
        .cost = attention_cost,                                       /* cost.c */
        .offer = attention_offer,                                     /* offer.c */
        .baseline = attention_baseline,
        .fallback = attention_fallback,
        .lower = attention_lower, /* lower.c */
        .quotas = {[ATTENTION_KIND_ALONE] = {4, 10},
                [ATTENTION_KIND_ALONE_STAGED] = {6, 0},
                [ATTENTION_KIND_TEAM] = {16, 26},
                [ATTENTION_KIND_TEAM_STAGED] = {20, 0}},
        .room_gpu = SPACE_MAX - 2,
        .room_cpu = 44};
