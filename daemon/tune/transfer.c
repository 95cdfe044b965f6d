/* SPDX-License-Identifier: Apache-2.0
 *
 * What was learnt of other shapes. Kernels of one operator like similar schedules on one device:
 * those of the nearest shapes tuned go first. Near is meant in the logarithm of the dimensions, as
 * tiles and caches see ratios. Invariant: a schedule that leaves here is legal for the job.
 */
#include "daemon/log.h"
#include "daemon/tune/session.h"
#include "space/space.h"

#include <math.h>
#include <string.h>

#define FAR 12.0 /* tells nothing any more: a factor of a hundred in two dimensions, say */

struct transfer {
	const struct job *job;
	uint32_t count;
	struct near {
		double distance;
		struct schedule schedule;
	} near[TRANSFER_MAX]; /* nearest first */
};

/* Of one value of a field: a ratio where it is a size, else what a difference is worth. */
static double differ(enum op_field_kind kind, uint32_t a, uint32_t b)
{
	if (a == b)
		return 0;
	switch (kind) {
	case FIELD_FLOAT:
	case FIELD_NUMBER:
	case FIELD_ACTS:
	case FIELD_STEPS:
		return 0.2; /* epilogues hardly matter */
	case FIELD_DTYPE:
		return 3;
	case FIELD_FLAG:
	case FIELD_CHOICE:
		return 1;
	default:
		return fabs(log((a + 1.0) / (b + 1.0)));
	}
}

/* Between operators of one kind; INFINITY where one is dynamic and the other is not. */
static double distance_of(const struct op *a, const struct op *b)
{
	const struct op_field *field = op_field(a->kind, 0), *next;
	double sum = a->dynamic_count == b->dynamic_count ? 0 : INFINITY;

	for (uint32_t i = 0; field; i++, field = next) {
		next = op_field(a->kind, i + 1);
		uint32_t end = next ? next->value : OP_VALUES_MAX;
		for (uint32_t v = field->value; v < end; v++)
			sum += differ(field->kind, a->value[v], b->value[v]);
	}
	return sum;
}

static void keep(struct transfer *transfer, double distance, const struct schedule *schedule)
{
	uint32_t at = transfer->count;

	if (at < TRANSFER_MAX)
		transfer->count++;
	else if (transfer->near[--at].distance <= distance)
		return;
	for (; at && transfer->near[at - 1].distance > distance; at--)
		transfer->near[at] = transfer->near[at - 1];
	transfer->near[at] = (struct near){distance, *schedule};
}

static bool look(void *context, const struct store_key *key, const struct store_kernel *kernel)
{
	struct transfer *transfer = context;
	const struct job *job = transfer->job;
	struct limits limits = tune_limits(&job->id);
	struct schedule schedule;
	struct op op;

	if (key->class != job->key.class || key->driver != job->key.driver || !kernel->finished ||
	        kernel->generation != nnjit_generation || key->op == job->key.op ||
	        op_parse(kernel->op, &op, NULL) || op.kind != job->id.op.kind)
		return true;
	if ((key->op ^ op_key(&op)) != job->id.audience)
		return true; /* somebody else's */
	double distance = distance_of(&op, &job->id.op);
	if (distance <= FAR && !schedule_parse(kernel->schedule, &schedule, NULL) &&
	        !space_check(&job->id.op, &schedule, &limits, NULL))
		keep(transfer, distance, &schedule);
	return true;
}

uint32_t transfer_schedules(const struct job *job, struct schedule ret_schedules[TRANSFER_MAX])
{
	struct transfer transfer = {.job = job};
	int code = store_each_kernel(job->tune->store, look, &transfer);

	if (code)
		log_warning("%s: what other shapes taught cannot be read: %s", job->text,
		        strerror(-code));
	for (uint32_t i = 0; i < transfer.count; i++)
		ret_schedules[i] = transfer.near[i].schedule;
	return transfer.count;
}
