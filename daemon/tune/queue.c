/* SPDX-License-Identifier: Apache-2.0
 *
 * Who waits for which kernel, and which job goes next. At most one job a kernel, however many ask;
 * at most one job a device, and one for all devices that share the processor, as they would
 * disturb each other's times. Invariant: once the pump has run, a queued job is in the store until
 * it ends, so that a restart takes it up again.
 */
#include "daemon/tune/queue.h"

#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/session.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define NAIVE_WHY                                                                          \
	"every schedule failed on this device; the plainest one is served, not verified; " \
	"they are tried again later, when it is asked for"

/* A busy machine or a driver that stumbles once must not decide for good: 10 minutes later all is
 * tried again, then after four times as long. */
#define AGAIN_S      600
#define AGAIN_FACTOR 4
#define AGAIN_MAX    4 /* times */

/* ---- The list, most urgent first. */

struct job *queue_find(const struct tune *tune, const struct kernel_id *id)
{
	uint32_t features = id->features & id->device->limits.features;

	for (struct job *job = tune->jobs; job; job = job->next)
		if (job->id.device == id->device && job->id.features == features &&
		        job->id.tier == id->tier && job->id.audience == id->audience &&
		        !memcmp(&job->id.op, &id->op, sizeof id->op))
			return job;
	return NULL;
}

static bool before(const struct job *a, const struct job *b)
{
	return a->priority != b->priority ? a->priority < b->priority : a->sequence < b->sequence;
}

static void insert(struct tune *tune, struct job *job)
{
	struct job **at = &tune->jobs;

	while (*at && before(*at, job))
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	tune->job_count++;
}

void queue_remove(struct job *job)
{
	struct job **at = &job->tune->jobs;

	while (*at && *at != job)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = job->next;
	job->tune->job_count--;
}

/* A write that fails costs nothing but the resumption. Done from the pump, not where a job is made:
 * whoever asks is answered before the disk has been waited for. */
static void remember(struct job *job)
{
	int code = store_put_job(job->tune->store, &job->key, job->text, job->priority);

	job->unsaved = false;
	if (code)
		log_warning("%s: the job cannot be stored: %s; it will not survive a restart",
		        job->text, strerror(-code));
}

/* Two cards of one class share a record: the last of their jobs takes it away. */
int queue_forget(const struct job *job)
{
	for (const struct job *other = job->tune->jobs; other; other = other->next)
		if (other != job && !memcmp(&other->key, &job->key, sizeof job->key))
			return 0;
	return store_delete_job(job->tune->store, &job->key);
}

static struct job *job_create(
        struct tune *tune, const struct kernel_id *id, enum tune_priority priority)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->tune = tune;
	job->device = device_of(id->device);
	job->id = *id;
	job->id.features &= id->device->limits.features;
	job->priority = priority;
	job->sequence = tune->job_sequence++;
	job->key = kernel_key(id);
	op_print(&id->op, job->text);
	job->unsaved = true;
	insert(tune, job);
	return job;
}

static void raise_priority(struct job *job, enum tune_priority priority)
{
	if (priority >= job->priority)
		return;
	queue_remove(job);
	job->priority = priority;
	job->unsaved = true;
	insert(job->tune, job);
}

/* ---- Starting. */

static bool may_start(const struct tune *tune, const struct job *job)
{
	bool cpu = job->device->public.facts.cpu;

	if (job->session || job->device->job || job->device->readied)
		return false;
	for (uint32_t i = 0; cpu && i < tune->device_count; i++)
		if (tune->devices[i]->job && tune->devices[i]->public.facts.cpu)
			return false;
	return true;
}

static struct job *next_job(struct tune *tune)
{
	for (struct job *job = tune->jobs; tune->enumerated && job; job = job->next)
		if (may_start(tune, job))
			return job;
	return NULL;
}

bool queue_overtaken(const struct job *job)
{
	for (const struct job *other = job->tune->jobs; other; other = other->next)
		if (!other->session && other->priority < job->priority &&
		        (other->device == job->device ||
		                (other->device->public.facts.cpu && job->device->public.facts.cpu)))
			return true;
	return false;
}

void queue_kick(struct tune *tune)
{
	loop_timer_set(tune->pump, 0);
}

/* ---- Telling. */

static void unlink_subscription(struct tune_subscription *subscription)
{
	struct tune *tune = subscription->tune;

	if (tune->next_told == subscription)
		tune->next_told = subscription->next;
	*subscription->at = subscription->next;
	if (subscription->next)
		subscription->next->at = subscription->at;
}

static void link_subscription(
        struct tune_subscription **list, struct tune_subscription *subscription)
{
	subscription->at = list;
	subscription->next = *list;
	if (*list)
		(*list)->at = &subscription->next;
	*list = subscription;
}

/* To those who asked for what was settled already. */
static void tell_over(struct tune *tune)
{
	while (tune->over) {
		struct tune_subscription *first = tune->over, told = *first;
		bool naive = told.kernel.status == TUNE_NAIVE;
		unlink_subscription(first);
		free(first);
		told.notify(told.context, naive ? TUNE_FAILED : TUNE_FINISHED, &told.kernel,
		        naive ? NAIVE_WHY : NULL);
	}
}

/* Releases each before it is told: a callback may subscribe anew or end another subscription. */
static void tell_last(struct tune_subscription **list, enum tune_event event,
        const struct tune_kernel *kernel, const char *why)
{
	while (*list) {
		struct tune_subscription *first = *list, told = *first;
		unlink_subscription(first);
		free(first);
		told.notify(told.context, event, kernel, why);
	}
}

static void tell_all(struct job *job, enum tune_event event, const struct tune_kernel *kernel)
{
	struct tune *tune = job->tune;

	tune->next_told = job->subscriptions;
	while (tune->next_told) {
		struct tune_subscription *told = tune->next_told;
		tune->next_told = told->next;
		told->notify(told->context, event, kernel, NULL);
	}
}

void queue_tell(struct job *job, enum tune_event event, const char *why)
{
	struct tune_subscription *ending = NULL;
	struct tune_kernel kernel;

	kernel_of_job(job, &kernel);
	if (event == TUNE_FINISHED)
		kernel.status = TUNE_TUNED;
	if (event != TUNE_FINISHED && event != TUNE_FAILED) {
		tell_all(job, event, &kernel);
		return;
	}
	while (job->subscriptions) {
		struct tune_subscription *moved = job->subscriptions;
		unlink_subscription(moved);
		moved->job = NULL;
		link_subscription(&ending, moved);
	}
	tell_last(&ending, event, &kernel, why);
}

void queue_pump(void *context)
{
	struct tune *tune = context;
	struct job *job;

	tell_over(tune);
	for (job = tune->jobs; job && store_check_fd(tune->store) < 0; job = job->next)
		if (job->unsaved)
			remember(job);
	while ((job = next_job(tune)))
		job_start(job);
}

/* ---- Subscribing. */

static struct tune_subscription *subscribe(
        struct tune *tune, struct job *job, const struct tune_params *params)
{
	struct tune_subscription *subscription = calloc(1, sizeof *subscription);

	if (!subscription)
		return NULL;
	subscription->tune = tune;
	subscription->job = job;
	subscription->notify = params->notify;
	subscription->context = params->context;
	link_subscription(job ? &job->subscriptions : &tune->over, subscription);
	return subscription;
}

static int subscribe_tuned(struct tune *tune, const struct tune_kernel *kernel,
        const struct tune_params *params, struct tune_subscription **ret_subscription)
{
	struct tune_subscription *subscription = NULL;

	if (params->notify) {
		subscription = subscribe(tune, NULL, params);
		if (!subscription)
			return -ENOMEM;
		subscription->kernel = *kernel;
		queue_kick(tune);
	}
	if (ret_subscription)
		*ret_subscription = subscription;
	return 0;
}

/* The job that is there, or a new one. */
static int job_for(struct tune *tune, const struct kernel_id *id, enum tune_priority priority,
        struct job **ret_job, struct error *err)
{
	struct job *job = queue_find(tune, id);

	if (job) {
		raise_priority(job, priority);
	} else if (tune->job_count >= JOBS_MAX) {
		return error_set(err, -EAGAIN, "",
		        "%u kernels are already waiting to be tuned; try again later.", JOBS_MAX);
	} else {
		job = job_create(tune, id, priority);
		if (!job)
			return error_set(err, -ENOMEM, "", "Out of memory.");
	}
	job->cancelled = false;
	*ret_job = job;
	return 0;
}

static int join(struct job *job, const struct tune_params *params,
        struct tune_subscription **ret_subscription)
{
	struct tune_subscription *subscription = NULL;
	uint64_t budget_ns = params->budget_ns ? params->budget_ns
	                                       : job->tune->options.budget_s * 1000000000ull;

	job->pooled |= params->budget_ns && job->priority == TUNE_PREFETCH;
	if (job->budget_ns < budget_ns)
		job->budget_ns = budget_ns;
	if (!job->session)
		job->again |= params->again;
	if (params->notify)
		subscription = subscribe(job->tune, job, params);
	if (params->notify && !subscription)
		return -ENOMEM;
	job->wanted |= !params->notify;
	if (ret_subscription)
		*ret_subscription = subscription;
	queue_kick(job->tune);
	return 0;
}

static bool is_due_again(const struct store_kernel *naive)
{
	uint64_t wait_s = AGAIN_S, now_s = (uint64_t)time(NULL);

	for (uint32_t i = 1; i < naive->failures; i++)
		wait_s *= AGAIN_FACTOR;
	return naive->failures <= AGAIN_MAX && now_s >= naive->updated_s + wait_s;
}

/* A naive one whose search was cut short by a dying worker is tried again at once. */
static bool is_answered(const struct tune_kernel *kernel)
{
	return kernel->status == TUNE_TUNED ||
	       (kernel->status == TUNE_NAIVE && kernel->best.finished &&
	               !is_due_again(&kernel->best));
}

/* 0, or why nothing can be tuned here: whatever is known or predicted is served all the same. */
static int check_tunable(
        const struct tune *tune, const struct tune_device *device, struct error *err)
{
	if (!device->present)
		return error_set(err, -ENODEV, "device",
		        "%.120s is not there any more: what is known of it is served, but nothing "
		        "can be tuned",
		        device->name);
	if (store_is_closed(tune->store)) /* a candidate must be on the disk before its launch */
		return error_set(err, -EROFS, "",
		        "the state folder cannot be written, so nothing can be tuned; nnjitd's log "
		        "says why");
	return 0;
}

int tune_subscribe(struct tune *tune, const struct kernel_id *id, const struct tune_params *params,
        struct tune_subscription **ret_subscription, struct error *err)
{
	struct tune_kernel kernel;
	struct job *job = NULL;
	int code = tune_get(tune, id, &kernel, err);

	if (code)
		return code;
	if (!params->again && is_answered(&kernel))
		return subscribe_tuned(tune, &kernel, params, ret_subscription);
	code = check_tunable(tune, id->device, err);
	if (code)
		return code;
	code = job_for(tune, id, params->priority, &job, err);
	return code ? code : join(job, params, ret_subscription);
}

int tune_queue(struct tune *tune, const struct tune_kernel *kernel)
{
	static const struct tune_params params;
	struct job *job = NULL;

	if (is_answered(kernel) || check_tunable(tune, kernel->id.device, NULL))
		return 0;
	int code = job_for(tune, &kernel->id, params.priority, &job, NULL);
	return code ? code : join(job, &params, NULL);
}

static bool nearly_done(const struct job *job)
{
	const struct search *search = job->session ? job->session->search : NULL;

	return search && search_measured(search) * 4 >= search_goal(search) * 3;
}

void tune_unsubscribe(struct tune_subscription *subscription)
{
	if (!subscription)
		return;
	struct job *job = subscription->job;
	unlink_subscription(subscription);
	free(subscription);
	if (job && !job->subscriptions && !job->wanted && !nearly_done(job))
		job_cancel(job);
}

/* ---- After a restart, and at the end. */

/* One record: queued again, or dropped if it says nothing any more. Those of devices that are not
 * there wait in the store. */
static bool resume_one(
        void *context, const struct store_key *key, const char *op_text, uint32_t priority)
{
	struct tune *tune = context;
	struct device *device = device_of_class(tune, key->class);
	const struct tune_params params = {.priority = priority > TUNE_BACKGROUND
	                                                       ? TUNE_BACKGROUND
	                                                       : (enum tune_priority)priority};

	if (!device || !device->public.present)
		return true;
	struct kernel_id id = {.device = &device->public};
	kernel_key_read(key, &id);
	bool known = !op_parse(op_text, &id.op, NULL);
	id.audience = known ? key->op ^ op_key(&id.op) : 0;
	if (known && tune_subscribe(tune, &id, &params, NULL, NULL) == -EAGAIN)
		return false;
	struct job *job = known ? queue_find(tune, &id) : NULL;
	if (!job || job->key.driver != key->driver)
		store_delete_job(tune->store, key);
	return true;
}

void queue_resume(struct tune *tune)
{
	int code = store_each_job(tune->store, resume_one, tune);

	if (code)
		log_warning(
		        "the stored jobs cannot be read: %s; they are tuned when asked for again",
		        strerror(-code));
	if (tune->job_count)
		log_info("%u kernels to tune", tune->job_count);
	queue_kick(tune);
}

void queue_destroy(struct tune *tune)
{
	while (tune->over) {
		struct tune_subscription *first = tune->over;
		unlink_subscription(first);
		free(first);
	}
	while (tune->jobs) {
		struct job *job = tune->jobs;
		while (job->subscriptions) {
			struct tune_subscription *first = job->subscriptions;
			unlink_subscription(first);
			free(first);
		}
		job_abandon(job);
	}
}
