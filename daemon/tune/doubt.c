/* SPDX-License-Identifier: Apache-2.0
 *
 * What is measured of a device may be half of what it can do: the machine was busy, the device was
 * cold. So the facts are doubted until quiet probes agree; they are measured again when the device
 * has nothing to do, and of every rate the better is kept. A kernel faster than they allow raises
 * the doubt anew. Must not ask a worker. Invariant: how sure the facts are is stored with them.
 */
#include "cost/roofline.h"
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/state.h"
#include "protocol/wire/wire.h"

#include <math.h>

#define SURE        2            /* quiet probes that agree */
#define BUSY        0.15         /* of the processors, that others took meanwhile: not quiet */
#define BETTER      1.1          /* times a rate: more than noise */
#define FASTER      0.9          /* of the least time that the facts allow: they are wrong */
#define PAUSE_NS    60000000000u /* until the next probe, doubled from one to the next */
#define PAUSES_MAX  10           /* so often */
#define SURE_MEMBER "sure"

/* Of two measurements of a fact, which is kept. What is no rate comes from the later one. */
static const enum kept {
	LATER,
	HIGHER,
	LOWER
} kept[FACT_COUNT] = {
        [FACT_fma_gflops] = HIGHER,
        [FACT_memory_gbps] = HIGHER,
        [FACT_workgroup_gbps] = HIGHER,
        [FACT_fma16_gflops] = HIGHER,
        [FACT_dot4_gops] = HIGHER,
        [FACT_launch_ns] = LOWER,
        [FACT_barrier_ns] = LOWER,
};

static double better_of(enum kept which, double before, double later)
{
	if (which == LATER || !(before > 0) || !(later > 0))
		return later > 0 || which == LATER ? later : before;
	return which == HIGHER ? fmax(before, later) : fmin(before, later);
}

bool doubt_merge(const struct facts *before, struct facts *facts)
{
	bool better = facts->fma_gflops > BETTER * before->fma_gflops ||
	              facts->memory_gbps > BETTER * before->memory_gbps;
	bool worse = facts->fma_gflops * BETTER < before->fma_gflops ||
	             facts->memory_gbps * BETTER < before->memory_gbps;
	struct facts merged = worse && !better ? *before : *facts;

	for (uint32_t i = 0; i < FACT_COUNT; i++)
		if (kept[i] != LATER)
			fact_set(&merged, (enum fact)i,
			        better_of(kept[i], fact_value(before, (enum fact)i),
			                fact_value(facts, (enum fact)i)));
	*facts = merged;
	return better;
}

static json_int_t sureness(const struct device *device)
{
	return json_integer_value(
	        json_object_get(json_object_get(device->object, "facts"), SURE_MEMBER));
}

static bool measured_today(const struct facts *facts)
{
	return facts->fma_gflops > 0 && facts->version == FACTS_VERSION;
}

json_t *doubt_settle(struct device *device, const struct wire_probed *probed)
{
	const struct facts *before = &device->public.facts;
	struct facts facts = probed->facts;
	bool quiet = !probed->facts.cpu || probed->busy < BUSY, better = true;
	json_int_t sure = sureness(device);

	if (measured_today(before))
		better = doubt_merge(before, &facts);
	sure = !quiet ? (better ? 0 : sure) : better ? 1 : sure + 1;
	json_t *object = wire_facts_json(&facts);
	if (object)
		json_object_set_new(object, SURE_MEMBER, json_integer(sure < SURE ? sure : SURE));
	device->doubt_ns = loop_now_ns() + ((uint64_t)PAUSE_NS << device->probes);
	device->probes += device->probes < PAUSES_MAX;
	if (!quiet)
		log_info("device %s: was probed while others took %.0f%% of the processors; it "
		         "is probed again when it is idle",
		        device->public.name, 100 * probed->busy);
	return object;
}

bool doubt_lasts(const struct device *device)
{
	return measured_today(&device->public.facts) && sureness(device) < SURE &&
	       !device->probe_failed && loop_now_ns() >= device->doubt_ns;
}

void doubt_raise(struct device *device, const struct op *op, double ns)
{
	json_t *facts = json_object_get(device->object, "facts");
	double least_ns = roofline_ns(op, &device->public.facts);

	if (!(ns > 0 && ns < FASTER * least_ns) || !json_is_object(facts) || !sureness(device))
		return;
	json_object_set_new(facts, SURE_MEMBER, json_integer(0));
	device->doubt_ns = 0;
	device->probes = 0;
	log_info("device %s: a kernel takes %.0f%% of the least time that its facts allow; it is "
	         "probed again when it is idle",
	        device->public.name, 100 * ns / least_ns);
}
