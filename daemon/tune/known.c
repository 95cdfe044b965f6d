/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a kernel now: from the job that tunes it, from the store, or predicted. Starts
 * nothing and measures nothing, so that a page is answered in microseconds to a few milliseconds.
 * Invariant: a schedule that leaves here is legal under the device's limits of today.
 */
#include "base/hash.h"
#include "device/tier.h"
#include "daemon/tune/queue.h"
#include "daemon/tune/session.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>

/* A key's features have the tier above them; before there were tiers, these bits were 0. */
#define TIER_SHIFT 24
_Static_assert(FEATURE_COUNT <= TIER_SHIFT, "features and tier share a word of the key");

/* Kernels of cooperative matrices live on workgroup memory: whoever turns the experimental feature
 * on is expected to ask for the limits that the artifact states, too. */
static void widen(struct limits *limits, const struct limits *own)
{
	limits->invocations = own->invocations;
	limits->size_x = own->size_x;
	limits->size_y = own->size_y;
	limits->workgroup_bytes = own->workgroup_bytes;
}

/* Of the operator's tensors, as it is tuned. */
static uint64_t largest_bytes(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	uint64_t most = 0;

	for (uint32_t i = 0; i < count; i++)
		most = tensor_bytes(&tensors[i]) > most ? tensor_bytes(&tensors[i]) : most;
	return most;
}

struct limits tune_limits(const struct kernel_id *id)
{
	const struct tune_device *device = id->device;
	struct limits limits = device->limits;

	if (largest_bytes(&id->op) > limits.binding_bytes)
		limits.binding_bytes = device->own.binding_bytes;
	tier_apply(id->tier, &device->own, &limits);
	limits.features &= id->features;
	limits.turns = (uint32_t)device->facts.turns;
	if (!(limits.features & FEATURE_SUBGROUPS))
		limits.subgroup_min = limits.subgroup_max = 0;
	if (limits.features & FEATURE_MATRIX)
		widen(&limits, &device->own);
	if (device->facts.workgroup_bytes > 0 &&
	        device->facts.workgroup_bytes < limits.workgroup_bytes)
		limits.workgroup_bytes = (uint32_t)device->facts.workgroup_bytes;
	return limits;
}

struct store_key kernel_key(const struct kernel_id *id)
{
	const struct tune_device *device = id->device;

	return (struct store_key){device->class, device->driver, op_key(&id->op) ^ id->audience,
	        (id->features & device->limits.features) | id->tier << TIER_SHIFT};
}

void kernel_key_read(const struct store_key *key, struct kernel_id *id)
{
	id->features = key->features & ((1u << TIER_SHIFT) - 1);
	id->tier = key->features >> TIER_SHIFT;
}

void kernels_changed(struct tune *tune)
{
	tune->version++;
}

uint64_t tune_version(const struct tune *tune)
{
	return tune->version;
}

/* Puts the texts around a schedule. */
static void fill(
        struct tune_kernel *kernel, const struct kernel_id *id, const struct schedule *schedule)
{
	kernel->id = *id;
	kernel->id.features &= id->device->limits.features;
	kernel->schedule = *schedule;
	op_print(&id->op, kernel->best.op);
	schedule_print(schedule, kernel->best.schedule);
}

static enum tune_status status_of(const struct store_kernel *stored, bool stale)
{
	if (stale || stored->generation != nnjit_generation)
		return TUNE_STALE;
	if (stored->naive)
		return TUNE_NAIVE;
	return stored->finished ? TUNE_TUNED : TUNE_TUNING;
}

int kernel_stored(struct tune *tune, const struct kernel_id *id, struct tune_kernel *ret_kernel)
{
	struct store_key key = kernel_key(id);
	struct limits limits = tune_limits(id);
	struct tune_kernel kernel = {0};
	struct schedule schedule;
	char text[OP_TEXT_BYTES];
	bool stale;

	op_print(&id->op, text);
	if (store_get_kernel(tune->store, &key, text, &kernel.best, &stale))
		return -ENOENT;
	if (schedule_parse(kernel.best.schedule, &schedule, NULL) ||
	        space_check(&id->op, &schedule, &limits, NULL))
		return -ENOENT;
	fill(&kernel, id, &schedule);
	kernel.status = status_of(&kernel.best, stale);
	if (kernel.best.naive && kernel.status == TUNE_STALE)
		return -ENOENT;
	kernel.measured = kernel.best.measured;
	kernel.of = kernel.best.of;
	kernel.predicted_ns = space_predict_ns(&id->op, &schedule, &id->device->facts);
	*ret_kernel = kernel;
	return 0;
}

static bool same_kernel(const struct kernel_id *a, const struct kernel_id *b)
{
	return a->device == b->device && a->features == b->features && a->tier == b->tier &&
	       !memcmp(&a->op, &b->op, sizeof a->op);
}

/* The best of a space listed now or lately. */
static int predict(struct tune *tune, const struct kernel_id *id, struct predicted **ret_slot,
        struct error *err)
{
	uint64_t hash = hash_mix(
	        op_key(&id->op) ^ hash_mix(id->device->id ^ id->features ^ id->tier << TIER_SHIFT));
	struct predicted *slot = &tune->predicted[hash % PREDICTED_MAX];
	struct limits limits = tune_limits(id);
	struct space space;

	*ret_slot = slot;
	if (slot->valid && slot->driver == id->device->driver && same_kernel(&slot->id, id))
		return 0;
	int code = space_enumerate(&id->op, &limits, &id->device->facts, &space, err);
	if (!code)
		*slot = (struct predicted){true, id->device->driver, *id, space.count,
		        space.candidates[0].schedule, space.candidates[0].predicted_ns};
	return code;
}

static int kernel_predicted(struct tune *tune, const struct kernel_id *id,
        struct tune_kernel *ret_kernel, struct error *err)
{
	struct tune_kernel kernel = {.status = TUNE_PREDICTED};
	struct kernel_id of = *id;
	struct predicted *slot;

	of.features &= id->device->limits.features;
	of.audience = 0; /* a prediction says nothing of anybody */
	int code = predict(tune, &of, &slot, err);
	if (code)
		return code;
	fill(&kernel, id, &slot->schedule);
	kernel.of = slot->of;
	kernel.predicted_ns = slot->predicted_ns;
	*ret_kernel = kernel;
	return 0;
}

/* The best of a session, once it has one. */
static void kernel_in_tuning(const struct session *session, struct tune_kernel *ret_kernel)
{
	*ret_kernel = (struct tune_kernel){
	        .id = session->job->id,
	        .schedule = session->best.schedule,
	        .status = session->best.kernel.naive ? TUNE_NAIVE : TUNE_TUNING,
	        .predicted_ns = session->best.predicted_ns,
	        .best = session->best.kernel,
	};
}

/* A search that has ended says how far it looked; a record from before that did not look beyond
 * the points that are timed. */
static uint32_t verified_to(const struct tune_kernel *kernel, uint32_t n)
{
	const struct op_dynamic *d = &kernel->id.op.dynamic[n];

	if (kernel->status != TUNE_TUNED && kernel->status != TUNE_STALE)
		return OP_DIM_MAX;
	if (kernel->best.reach[n])
		return kernel->best.reach[n];
	return d->high ? d->high : kernel->id.op.value[d->value];
}

static void set_range(struct tune_kernel *kernel)
{
	const struct kernel_id *id = &kernel->id;
	struct limits limits = tune_limits(id);

	if (space_range(&id->op, &kernel->schedule, &limits, kernel->most))
		for (uint32_t i = 0; i < id->op.dynamic_count; i++)
			kernel->most[i] = id->op.value[id->op.dynamic[i].value];
	for (uint32_t i = 0; i < id->op.dynamic_count; i++)
		if (kernel->most[i] > verified_to(kernel, i))
			kernel->most[i] = verified_to(kernel, i);
}

/* `job` NULL: none tunes it. */
static int kernel_known(struct tune *tune, const struct kernel_id *id, const struct job *job,
        struct tune_kernel *ret_kernel, struct error *err)
{
	const struct session *session = job ? job->session : NULL;
	int code = 0;

	if (session && session->best.kernel.schedule[0])
		kernel_in_tuning(session, ret_kernel);
	else if (kernel_stored(tune, id, ret_kernel))
		code = kernel_predicted(tune, id, ret_kernel, err);
	if (!code && session && session->search) {
		ret_kernel->measured = search_measured(session->search);
		ret_kernel->of = search_goal(session->search);
	}
	if (!code && id->op.dynamic_count)
		set_range(ret_kernel);
	return code;
}

int tune_get(struct tune *tune, const struct kernel_id *id, struct tune_kernel *ret_kernel,
        struct error *err)
{
	return kernel_known(tune, id, queue_find(tune, id), ret_kernel, err);
}

void kernel_of_job(const struct job *job, struct tune_kernel *ret_kernel)
{
	if (!kernel_known(job->tune, &job->id, job, ret_kernel, NULL))
		return;
	/* No schedule is legal any more (the driver changed): the operator is all there is. */
	struct schedule schedule = space_baseline(&job->id.op);
	*ret_kernel = (struct tune_kernel){.status = TUNE_PREDICTED};
	fill(ret_kernel, &job->id, &schedule);
}
