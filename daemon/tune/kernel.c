/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a kernel now: from the job that tunes it, from the store, or predicted. Starts
 * nothing and measures nothing, so that a page is answered in microseconds to a few milliseconds.
 * Invariant: a schedule that leaves here is legal under the device's limits of today.
 */
#include "daemon/tune/job.h"
#include "daemon/tune/queue.h"

#include <errno.h>
#include <string.h>

/* Kernels of cooperative matrices live on workgroup memory: whoever turns the experimental feature
 * on is expected to ask for the limits that the artifact states, too. */
static void widen(struct limits *limits, const struct limits *own)
{
	limits->invocations = own->invocations;
	limits->size_x = own->size_x;
	limits->size_y = own->size_y;
	limits->workgroup_bytes = own->workgroup_bytes;
}

struct limits tune_limits(const struct tune_device *device, uint32_t features)
{
	struct limits limits = device->limits;

	limits.features &= features;
	if (!(limits.features & FEATURE_SUBGROUPS))
		limits.subgroup_min = limits.subgroup_max = 0;
	if (limits.features & FEATURE_MATRIX)
		widen(&limits, &device->own);
	return limits;
}

struct store_key kernel_key(
        const struct tune_device *device, const struct op *op, uint32_t features)
{
	return (struct store_key){
	        device->id, device->driver, op_key(op), features & device->limits.features};
}

void kernels_changed(struct tune *tune)
{
	tune->version++;
}

uint64_t tune_version(const struct tune *tune)
{
	return tune->version;
}

/* Puts the device's part and the texts around a schedule. */
static void fill(struct tune_kernel *kernel, const struct tune_device *device, const struct op *op,
        uint32_t features, const struct schedule *schedule)
{
	kernel->op = *op;
	kernel->device = device;
	kernel->features = features & device->limits.features;
	kernel->schedule = *schedule;
	op_print(op, kernel->best.op);
	schedule_print(schedule, kernel->best.schedule);
}

int kernel_stored(struct tune *tune, const struct tune_device *device, const struct op *op,
        uint32_t features, struct tune_kernel *ret_kernel)
{
	struct store_key key = kernel_key(device, op, features);
	struct limits limits = tune_limits(device, features);
	struct tune_kernel kernel = {0};
	struct schedule schedule;
	char text[OP_TEXT_BYTES];
	bool stale;

	op_print(op, text);
	if (store_get_kernel(tune->store, &key, text, &kernel.best, &stale))
		return -ENOENT;
	if (schedule_parse(kernel.best.schedule, &schedule, NULL) ||
	        space_check(op, &schedule, &limits, NULL))
		return -ENOENT;
	fill(&kernel, device, op, features, &schedule);
	kernel.status = kernel.best.finished ? TUNE_TUNED : TUNE_TUNING;
	if (stale || kernel.best.generation != nnjit_generation)
		kernel.status = TUNE_STALE;
	if (kernel.best.naive && kernel.status == TUNE_STALE)
		return -ENOENT;
	if (kernel.best.naive)
		kernel.status = TUNE_NAIVE;
	kernel.measured = kernel.best.measured;
	kernel.of = kernel.best.of;
	kernel.predicted_ns = space_predict_ns(op, &schedule, &device->facts);
	*ret_kernel = kernel;
	return 0;
}

static struct predicted *predicted_slot(
        struct tune *tune, const struct tune_device *device, const struct op *op, uint32_t features)
{
	uint64_t hash = hash_mix(op_key(op) ^ hash_mix(device->id ^ features));

	return &tune->predicted[hash % PREDICTED_MAX];
}

static bool predicted_is(const struct predicted *slot, const struct tune_device *device,
        const struct op *op, uint32_t features)
{
	return slot->valid && slot->device == device->id && slot->driver == device->driver &&
	       slot->features == features && !memcmp(&slot->op, op, sizeof *op);
}

static int predict(struct tune *tune, const struct tune_device *device, const struct op *op,
        uint32_t features, struct predicted **ret_slot, struct error *err)
{
	struct predicted *slot = predicted_slot(tune, device, op, features);
	struct limits limits = tune_limits(device, features);
	struct space space;

	*ret_slot = slot;
	if (predicted_is(slot, device, op, features))
		return 0;
	int code = space_enumerate(op, &limits, &device->facts, &space, err);
	if (code)
		return code;
	*slot = (struct predicted){true, device->id, device->driver, *op, features, space.count,
	        space.candidates[0].schedule, space.candidates[0].predicted_ns};
	return 0;
}

static int kernel_predicted(struct tune *tune, const struct tune_device *device,
        const struct op *op, uint32_t features, struct tune_kernel *ret_kernel, struct error *err)
{
	struct tune_kernel kernel = {.status = TUNE_PREDICTED};
	struct predicted *slot;
	int code = predict(tune, device, op, features & device->limits.features, &slot, err);

	if (code)
		return code;
	fill(&kernel, device, op, features, &slot->schedule);
	kernel.of = slot->of;
	kernel.predicted_ns = slot->predicted_ns;
	*ret_kernel = kernel;
	return 0;
}

/* The best of a job under way, once it has one. */
static void kernel_in_tuning(const struct job *job, struct tune_kernel *ret_kernel)
{
	const struct tune_device *device = &job->device->public;

	*ret_kernel = (struct tune_kernel){.best = job->best};
	fill(ret_kernel, device, &job->op, job->features, &job->best_schedule);
	ret_kernel->status = job->best.naive ? TUNE_NAIVE : TUNE_TUNING;
	ret_kernel->predicted_ns = space_predict_ns(&job->op, &job->best_schedule, &device->facts);
}

/* `job` NULL: none tunes it. */
static int kernel_known(struct tune *tune, const struct tune_device *device, const struct op *op,
        uint32_t features, const struct job *job, struct tune_kernel *ret_kernel, struct error *err)
{
	int code = 0;

	if (job && job->best.schedule[0])
		kernel_in_tuning(job, ret_kernel);
	else if (kernel_stored(tune, device, op, features, ret_kernel))
		code = kernel_predicted(tune, device, op, features, ret_kernel, err);
	if (!code && job && job->search) {
		ret_kernel->measured = search_measured(job->search);
		ret_kernel->of = search_goal(job->search);
	}
	return code;
}

int tune_get(struct tune *tune, const struct tune_device *device, const struct op *op,
        uint32_t features, struct tune_kernel *ret_kernel, struct error *err)
{
	const struct job *job = queue_find(tune, device, op, features);

	return kernel_known(tune, device, op, features, job, ret_kernel, err);
}

void kernel_of_job(const struct job *job, struct tune_kernel *ret_kernel)
{
	const struct tune_device *device = &job->device->public;

	if (!kernel_known(job->tune, device, &job->op, job->features, job, ret_kernel, NULL))
		return;
	/* No schedule is legal any more (the driver changed): the operator is all there is. */
	struct schedule schedule = space_baseline(&job->op);
	*ret_kernel = (struct tune_kernel){.status = TUNE_PREDICTED};
	fill(ret_kernel, device, &job->op, job->features, &schedule);
}
