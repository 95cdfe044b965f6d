/* SPDX-License-Identifier: Apache-2.0
 *
 * The cost model learns from this device's stored trials: all that were timed with the driver and
 * the generation of today, of the operators tuned last. What is learnt is part of the device's
 * facts, so that whoever predicts uses it. Must not know how it is learnt (space/calibrate.h).
 */
#include "base/cleanup.h"
#include "daemon/log.h"
#include "daemon/tune/state.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>

/* Together they take some milliseconds: the loop waits for them. */
#define KERNELS_MAX      128
#define OBSERVATIONS_MAX 2048

struct known {
	struct store_key key;
	struct op op;
	uint64_t updated_s;
};

struct lesson {
	const struct device *device;
	struct facts facts; /* without a correction */
	struct known *kernels;
	uint32_t kernel_count, group; /* the kernel whose trials are being read */
	struct observation *observations;
	uint32_t count;
};

/* ---- Which kernels: the last ones. */

static void keep(struct lesson *lesson, const struct known *known)
{
	uint32_t at = lesson->kernel_count;

	if (at == KERNELS_MAX && known->updated_s <= lesson->kernels[at - 1].updated_s)
		return;
	if (at < KERNELS_MAX)
		lesson->kernel_count++;
	else
		at--;
	for (; at > 0 && lesson->kernels[at - 1].updated_s < known->updated_s; at--)
		lesson->kernels[at] = lesson->kernels[at - 1];
	lesson->kernels[at] = *known;
}

static bool look_at_kernel(
        void *context, const struct store_key *key, const struct store_kernel *kernel)
{
	struct lesson *lesson = context;
	const struct tune_device *device = &lesson->device->public;
	struct known known = {.key = *key, .updated_s = kernel->updated_s};

	if (key->class == device->class && key->driver == device->driver &&
	        kernel->generation == nnjit_generation && !op_parse(kernel->op, &known.op, NULL))
		keep(lesson, &known);
	return true;
}

/* ---- Their trials. */

static bool look_at_trial(void *context, const struct store_trial *trial)
{
	struct lesson *lesson = context;
	const struct op *op = &lesson->kernels[lesson->group].op;
	struct prediction prediction;
	struct schedule schedule;

	if (trial->state != STORE_TRIAL_TIMED || !trial->samples || !(trial->median_ns > 0) ||
	        schedule_parse(trial->schedule, &schedule, NULL) ||
	        space_predict(op, &schedule, &lesson->facts, &prediction))
		return true;
	struct observation *o = &lesson->observations[lesson->count++];
	*o = (struct observation){.group = lesson->group,
	        .family = op_family(op->kind),
	        .predicted_ns = prediction.ns,
	        .measured_ns = trial->median_ns};
	memcpy(o->share, prediction.share, sizeof o->share);
	return lesson->count < OBSERVATIONS_MAX;
}

static int read_trials(struct lesson *lesson)
{
	struct store *store = lesson->device->tune->store;
	int code = store_each_kernel(store, look_at_kernel, lesson);

	for (uint32_t i = 0; !code && i < lesson->kernel_count; i++) {
		lesson->group = i;
		if (lesson->count < OBSERVATIONS_MAX)
			code = store_each_trial(
			        store, &lesson->kernels[i].key, look_at_trial, lesson);
	}
	return code;
}

static void learn(struct device *device, const struct lesson *lesson)
{
	struct facts *facts = &device->public.facts;

	calibrate(lesson->observations, lesson->count, &device->correction);
	facts->correction = &device->correction;
	memset(device->tune->predicted, 0, sizeof device->tune->predicted);
	kernels_changed(device->tune);
	log_debug("device %s: %u trials of %u kernels; picking by predictions costs %.3f times "
	          "the best, by the model alone %.3f",
	        device->public.name, lesson->count, lesson->kernel_count,
	        calibrate_loss(lesson->observations, lesson->count, facts->correction),
	        calibrate_loss(lesson->observations, lesson->count, NULL));
}

void device_calibrate(struct device *device)
{
	AUTO(free_pointer) struct known *kernels = calloc(KERNELS_MAX, sizeof *kernels);
	AUTO(free_pointer)
	struct observation *observations = calloc(OBSERVATIONS_MAX, sizeof *observations);
	struct lesson lesson = {.device = device,
	        .facts = device->public.facts,
	        .kernels = kernels,
	        .observations = observations};

	lesson.facts.correction = NULL;
	int code = kernels && observations ? read_trials(&lesson) : -ENOMEM;
	if (code)
		log_warning("device %s: its trials cannot be read: %s; predictions stay as they "
		            "are",
		        device->public.name, strerror(-code));
	else
		learn(device, &lesson);
}
