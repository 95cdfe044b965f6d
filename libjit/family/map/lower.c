/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry of the maps' lowering: binds the tensors and dispatches on the form of the schedule.
 * The files beneath never call back into this one.
 */
#include "family/map/lower.h"

void map_lower(struct lower *l)
{
	struct mapper m = {.l = l, .b = l->b};
	uint32_t tensors = 0;

	if (map_derive(l->op, l->schedule, &m.map, NULL))
		return;
	l->moves = m.map.plan.moves;
	while (tensors < OP_TENSORS_MAX && l->tensors[tensors].name)
		tensors++;
	while (l->tensor_count < tensors)
		lower_bind(l, m.map.lanes[l->tensor_count]);
	m.guarded = grid_is_folded(l->geometry.grid) ||
	            m.map.plan.elements.times % (m.map.wg_x * m.map.vectors * m.map.vec);
	if (m.map.form == MAP_FLAT)
		map_lower_flat(&m);
	else
		map_lower_transpose(&m);
}
