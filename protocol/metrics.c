/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the counters as the members of `status`, by the rows of metrics.def. Counts nothing.
 */
#include "protocol/metrics.h"

void metrics_json(const struct metrics *metrics, json_t *status)
{
#define METRIC_OBJECT(id, member, ...)       \
	json_t *object_##id = json_object(); \
	json_object_set_new(status, member, object_##id);
#define METRIC(id, field, member, ...) \
	json_object_set_new(object_##id, member, json_integer((json_int_t)metrics->field));
#define STATUS_METRIC(field, member, ...) \
	json_object_set_new(status, member, json_integer((json_int_t)metrics->field));
#include "protocol/metrics.def"
}
