/* SPDX-License-Identifier: Apache-2.0
 *
 * The map family's page of contents: who does what, and how many of the space's schedules each
 * kind is sure of.
 */
#include "schedule/family.h"

#include "family/map/shape.h"

_Static_assert(MAP_KIND_COUNT <= SPACE_KINDS, "each kind has its quota");

const struct family family_map = {.derive = map_geometry, /* geometry.c */
        .cost = map_cost,                                 /* cost.c */
        .offer = map_offer,                               /* offer.c */
        .baseline = map_baseline,
        .fallback = map_fallback,
        .lower = map_lower, /* lower.c */
        .quotas = {[MAP_KIND_STRIDED] = {20, 6},
                [MAP_KIND_CHUNK] = {0, 12},
                [MAP_KIND_STAGED] = {12, 0},
                [MAP_KIND_REGISTERS] = {8, 8}},
        .room_gpu = 36,
        .room_cpu = 26};
