/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices: known from the store at once, then listed by a worker, then probed one by one where
 * facts are missing for the driver of today. A crash while listing or probing costs a worker and
 * is tried again a few times. Must not know jobs. Invariant: `devices` is ordered best first and
 * a device, once known, keeps its address.
 */
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/queue.h"
#include "daemon/tune/state.h"
#include "device/class.h"
#include "protocol/wire/message.h"
#include "protocol/wire/wire.h"

#include <errno.h>
#include <string.h>

#define S_NS       1000000000ull
#define LIST_NS    (30 * S_NS)
#define OPEN_NS    (30 * S_NS)
#define PROBE_NS   (60 * S_NS)
#define LIST_TRIES 3

/* ---- One device. */

static uint32_t rank_of(const char *kind)
{
	static const char *const kinds[] = {"discrete", "integrated", "virtual", "cpu"};
	uint32_t rank = 0;

	while (rank < sizeof kinds / sizeof *kinds && (!kind || strcmp(kind, kinds[rank])))
		rank++;
	return rank;
}

/* Kernels are for pages: a page has no more than WebGPU's defaults unless it asks, but subgroups
 * are the device's own. */
static struct limits limits_for_pages(const struct limits *device)
{
	struct limits limits = limits_meet(device, &limits_web_default);

	limits.features = device->features;
	limits.subgroup_min = device->subgroup_min;
	limits.subgroup_max = device->subgroup_max;
	memcpy(limits.matrices, device->matrices, sizeof limits.matrices);
	return limits;
}

/* Those that an older probe measured do until they are measured again. */
static bool has_facts(const struct device *device)
{
	const struct facts *facts = &device->public.facts;

	return facts->fma_gflops > 0 && facts->version == FACTS_VERSION;
}

static void set_facts(struct device *device, const json_t *facts)
{
	const struct correction *correction = device->public.facts.correction;

	wire_facts_parse(facts, &device->public.facts);
	device->public.facts.cpu = device->rank == rank_of("cpu");
	/* It corrects predictions from facts: without them, from the next probe on again. */
	device->public.facts.correction = json_is_object(facts) ? correction : NULL;
}

/* Takes over what a worker said of the device: `said` is read from `object`, which is copied. Facts
 * that it leaves out stay, unless the driver is another one than they were measured with. 0 or
 * -ENOMEM. */
static int device_learn(struct device *device, const struct wire_device *said, const json_t *object)
{
	struct tune_device *public = &device->public;
	json_t *copy = json_deep_copy(object), *facts = json_object_get(copy, "facts");

	if (!copy)
		return -ENOMEM;
	if (!json_is_object(facts) && device->object && public->driver == said->driver.id)
		json_object_set(copy, "facts", json_object_get(device->object, "facts"));
	json_decref(device->object);
	public->object = device->object = copy;
	public->driver = said->driver.id;
	snprintf(public->name, sizeof public->name, "%s", said->name);
	public->limits = limits_for_pages(&said->limits);
	public->own = said->limits;
	device->rank = rank_of(said->kind);
	public->class = device_class(said->vendor_id, said->device_id, &said->limits);
	json_object_set_new(copy, "class", wire_hex(public->class));
	set_facts(device, json_object_get(copy, "facts"));
	return 0;
}

/* While the store is checked it takes nothing: devices_recall keeps them then. */
static void device_keep(struct device *device)
{
	int code = store_put_device(device->tune->store, device->public.id, device->object);

	if (code && code != -EAGAIN)
		log_warning("device %s: cannot be stored: %s; it is probed again at the next start",
		        device->public.name, strerror(-code));
}

static void device_free(struct device *device)
{
	if (!device)
		return;
	worker_destroy(device->worker);
	loop_timer_destroy(device->idle);
	json_decref(device->object);
	free(device);
}

/* A worker runs and has it open. */
static bool is_open(const struct device *device)
{
	return worker_runs(device->worker) && device->opened == worker_starts(device->worker);
}

static void probe_again(struct device *device);

static void idle_too_long(void *context)
{
	struct device *device = context;

	if (device->job || device->readied || device->probing)
		return;
	if (doubt_lasts(device) && is_open(device)) {
		probe_again(device);
		return;
	}
	worker_stop(device->worker);
	device->loaded = false;
}

static struct device *device_add(struct tune *tune, uint64_t id)
{
	struct device *device = NULL;

	if (tune->device_count < DEVICES_MAX)
		device = calloc(1, sizeof *device);
	if (!device)
		return NULL;
	device->tune = tune;
	device->public.id = id;
	if (worker_create(tune->loop, tune->options.worker, &device->worker) ||
	        loop_timer_create(tune->loop, idle_too_long, device, &device->idle)) {
		device_free(device);
		return NULL;
	}
	tune->devices[tune->device_count++] = device;
	return device;
}

struct device *device_by_id(const struct tune *tune, uint64_t id)
{
	for (uint32_t i = 0; i < tune->device_count; i++)
		if (tune->devices[i]->public.id == id)
			return tune->devices[i];
	return NULL;
}

struct device *device_of_class(const struct tune *tune, uint64_t class)
{
	for (uint32_t i = 0; i < tune->device_count; i++)
		if (tune->devices[i]->public.class == class)
			return tune->devices[i];
	return NULL;
}

/* Present ones first, then by kind, then the faster; the id makes it a total order. */
static int better(const void *a, const void *b)
{
	const struct device *x = *(struct device *const *)a, *y = *(struct device *const *)b;
	double fx = x->public.facts.fma_gflops, fy = y->public.facts.fma_gflops;

	if (x->public.present != y->public.present)
		return x->public.present ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (fx != fy)
		return fx > fy ? -1 : 1;
	return x->public.id < y->public.id ? -1 : x->public.id > y->public.id;
}

static void devices_changed(struct tune *tune)
{
	qsort(tune->devices, tune->device_count, sizeof tune->devices[0], better);
	memset(tune->predicted, 0, sizeof tune->predicted);
	kernels_changed(tune);
}

/* ---- A device made ready: its worker running, the device open, its facts known. */

static void readied(struct device *device, const struct worker_reply *failure)
{
	device_readied *done = device->readied;

	device->readied = NULL;
	done(device->readied_context, failure);
}

/* Whether facts came. */
static bool take_probe(struct device *device, const struct worker_reply *reply)
{
	struct wire_probed said;

	if (reply->answer != WORKER_OK || wire_read_probed(reply->ok, &said, NULL))
		return false;
	json_t *facts = doubt_settle(device, &said);
	if (!facts)
		return false;
	json_object_set_new(device->object, "facts", facts);
	set_facts(device, facts);
	device_keep(device);
	device_calibrate(device);
	devices_changed(device->tune);
	log_info("device %s: %.1f GFLOP/s, %.1f GB/s, %.1f us a launch", device->public.name,
	        device->public.facts.fma_gflops, device->public.facts.memory_gbps,
	        device->public.facts.launch_ns / 1e3);
	return true;
}

static void probed(void *context, const struct worker_reply *reply)
{
	struct device *device = context;

	if (reply->answer == WORKER_LOST) {
		readied(device, reply);
		return;
	}
	bool taken = take_probe(device, reply);
	device->probe_failed = !has_facts(device);
	if (!taken)
		log_warning(
		        "device %s: cannot be probed: %s; schedules are ordered without its facts",
		        device->public.name, reply->text ? reply->text : "no facts came");
	readied(device, NULL);
}

static void probe(struct device *device)
{
	if (has_facts(device) || device->probe_failed)
		readied(device, NULL);
	else
		worker_call(device->worker, wire_write_probe(&(struct wire_probe){}), PROBE_NS,
		        probed, device);
}

static void opened(void *context, const struct worker_reply *reply)
{
	struct device *device = context;

	if (reply->answer != WORKER_OK) {
		readied(device, reply);
		return;
	}
	uint64_t driver = device->public.driver;
	struct wire_device said;
	device->opened = worker_starts(device->worker);
	device->loaded = false;
	if (!wire_read_device(reply->ok, &said, NULL) && !device_learn(device, &said, reply->ok) &&
	        device->public.driver != driver) {
		log_info("device %s: has a new driver; its kernels are stale and measured again",
		        device->public.name);
		device->probe_failed = false;
		device_keep(device);
		devices_changed(device->tune);
	}
	probe(device);
}

/* The facts stay as they are where the worker has no better ones. Who waits meanwhile goes on. */
static void probed_again(void *context, const struct worker_reply *reply)
{
	struct device *device = context;

	device->probing = false;
	if (!take_probe(device, reply))
		device->probe_failed = true;
	if (device->readied)
		device_ready(device, device->readied, device->readied_context);
	else
		device_rest(device);
}

static void probe_again(struct device *device)
{
	device->probing = true;
	worker_call(device->worker, wire_write_probe(&(struct wire_probe){}), PROBE_NS,
	        probed_again, device);
}

void device_ready(struct device *device, device_readied *done, void *context)
{
	device->readied = done;
	device->readied_context = context;
	loop_timer_stop(device->idle);
	if (device->probing)
		return;
	if (is_open(device)) {
		probe(device);
		return;
	}
	const struct wire_open request = {device->public.id, WIRE_WEB};
	worker_call(device->worker, wire_write_open(&request), OPEN_NS, opened, device);
}

void device_rest(struct device *device)
{
	loop_timer_set(device->idle, device->tune->options.idle_s * S_NS);
}

/* ---- The enumeration after start. */

static void enumeration_done(struct tune *tune)
{
	tune->enumerated = true;
	kernels_changed(tune);
	queue_resume(tune);
	settling_end(tune);
}

static void probe_next(struct tune *tune);

static void probe_done(void *context, const struct worker_reply *failure)
{
	struct device *device = context;

	if (failure) {
		device->probe_failed = true;
		log_warning(
		        "device %s: cannot be probed: %s; schedules are ordered without its facts",
		        device->public.name, failure->text);
	}
	device_rest(device);
	probe_next(device->tune);
}

/* One after the other: devices that share the processor would disturb each other. */
static void probe_next(struct tune *tune)
{
	for (uint32_t i = 0; i < tune->device_count; i++) {
		struct device *device = tune->devices[i];
		if (!device->public.present || has_facts(device) || device->probe_failed)
			continue;
		device_ready(device, probe_done, device);
		return;
	}
	enumeration_done(tune);
}

static void learn_listed(struct tune *tune, const json_t *object)
{
	struct device *device;
	struct wire_device said;
	struct error err;

	if (wire_read_device(object, &said, &err)) {
		log_warning("a device cannot be taken up: %s", err.text);
		return;
	}
	device = device_by_id(tune, said.id);
	if (!device)
		device = device_add(tune, said.id);
	if (!device || device_learn(device, &said, object)) {
		log_warning("a device cannot be taken up: there are too many or no memory");
		return;
	}
	device->public.present = true;
	device_keep(device);
}

/* What was measured of them is known first. */
static void go_on_listed(struct tune *tune)
{
	tune->listed = true;
	if (store_check_fd(tune->store) < 0)
		probe_next(tune);
	else
		settling_end(tune); /* kernels are predicted while the store is checked */
}

static void list_again(struct tune *tune, const char *why);

static void listed(void *context, const struct worker_reply *reply)
{
	struct tune *tune = context;
	struct wire_listed said;
	struct error err;
	json_t *object;
	size_t i;

	if (reply->answer != WORKER_OK || wire_read_listed(reply->ok, &said, &err)) {
		list_again(tune, reply->answer != WORKER_OK ? reply->text : err.text);
		return;
	}
	for (i = 0; i < tune->device_count; i++)
		tune->devices[i]->public.present = false;
	json_array_foreach(said.devices, i, object) learn_listed(tune, object);
	if (!json_array_size(said.devices))
		log_warning("no GPU device was found; kernels are only served for devices already "
		            "known");
	worker_stop(tune->lister);
	devices_changed(tune);
	go_on_listed(tune);
}

static void list(struct tune *tune)
{
	tune->lister_tries++;
	worker_call(tune->lister, wire_write_list(&(struct wire_list){}), LIST_NS, listed, tune);
}

static void list_again(struct tune *tune, const char *why)
{
	bool again = tune->lister_tries < LIST_TRIES;

	log_warning("the devices cannot be listed: %s; %s", why,
	        again ? "trying again" : "going on with those known from before");
	if (again)
		list(tune);
	else
		go_on_listed(tune);
}

/* The enumeration was sooner: what it said stands, and the facts are the store's. */
static void take_facts(struct device *device, const struct wire_device *said, const json_t *object)
{
	json_t *facts = json_object_get(object, "facts");

	if (has_facts(device) || !json_is_object(facts) || said->driver.id != device->public.driver)
		return;
	json_object_set(device->object, "facts", facts);
	set_facts(device, facts);
}

static bool learn_stored(void *context, uint64_t id, const json_t *object)
{
	struct tune *tune = context;
	struct wire_device said;

	if (wire_read_device(object, &said, NULL)) /* found again by the enumeration, or gone */
		return true;
	struct device *device = device_by_id(tune, id);
	if (device) {
		take_facts(device, &said, object);
		return true;
	}
	device = device_add(tune, id);
	if (device && !device_learn(device, &said, object))
		device->public.present = !tune->listed; /* until the enumeration says otherwise */
	return device != NULL;
}

static void learn_all_stored(struct tune *tune)
{
	int code = store_each_device(tune->store, learn_stored, tune);

	if (code)
		log_warning("the stored devices cannot be read: %s; they are probed anew",
		        strerror(-code));
	for (uint32_t i = 0; i < tune->device_count; i++)
		device_calibrate(tune->devices[i]);
	devices_changed(tune);
}

void devices_recall(struct tune *tune)
{
	learn_all_stored(tune);
	for (uint32_t i = 0; i < tune->device_count; i++)
		if (tune->devices[i]->public.present)
			device_keep(tune->devices[i]);
	if (tune->listed)
		probe_next(tune);
}

int devices_start(struct tune *tune)
{
	int code;

	learn_all_stored(tune);
	code = worker_create(tune->loop, tune->options.worker, &tune->lister);
	if (!code)
		code = settling_start(tune);
	if (!code)
		list(tune);
	return code;
}

void devices_stop(struct tune *tune)
{
	settling_stop(tune);
	worker_destroy(tune->lister);
	for (uint32_t i = 0; i < tune->device_count; i++)
		device_free(tune->devices[i]);
	tune->device_count = 0;
}
