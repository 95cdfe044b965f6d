/* SPDX-License-Identifier: Apache-2.0
 *
 * The map family, as libjit/family/families.c finds it.
 */
#include "family/map/shape.h"
#include "schedule/family.h"

const struct family family_map = {.derive = map_geometry,
        .cost = map_cost,
        .offer = map_offer,
        .baseline = map_baseline,
        .fallback = map_fallback,
        .lower = lower_map,
        .quotas = {[MAP_KIND_STRIDED] = {20, 6},
                [MAP_KIND_CHUNK] = {0, 12},
                [MAP_KIND_STAGED] = {12, 0},
                [MAP_KIND_REGISTERS] = {8, 8}},
        .room_gpu = 36,
        .room_cpu = 26};
