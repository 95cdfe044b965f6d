/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share: the tuner, its devices and its jobs. Nobody outside includes
 * it. A device lives as long as the tuner; a job until it ends; both are only touched on the loop.
 */
#pragma once

#include "cost/calibrate.h"
#include "daemon/tune/tune.h"
#include "daemon/tune/worker.h"
#include "protocol/metrics.h"

#define DEVICES_MAX   16
#define JOBS_MAX      512 /* queued, all devices together */
#define PREDICTED_MAX 512 /* predicted answers remembered */
#define DEATHS_MAX    3   /* of a worker, one after the other without an answer in between */

struct job;
struct device;

/* failure NULL: the worker runs, has the device open, and the device's facts are known. */
typedef void device_readied(void *context, const struct worker_reply *failure);

struct device {
	struct tune_device public; /* what tune.h lends: device_of leads back */
	struct tune *tune;
	json_t *object;
	struct correction correction; /* of its predictions, where its facts say so */
	uint32_t rank;                /* by kind, less is better */
	struct worker *worker;
	uint32_t opened;   /* worker_starts() of the process that has the device open */
	bool probe_failed; /* in this run: not tried again, facts stay unknown */
	bool probing;      /* once more, while nothing else is to be done */
	uint32_t probes;   /* in this run, and when the next one may be: doubt.c's */
	uint64_t doubt_ns;
	bool loaded;     /* the worker holds an operator's buffers */
	struct job *job; /* running here */
	struct loop_timer *idle;
	device_readied *readied;
	void *readied_context;
};

struct predicted {
	bool valid;
	uint64_t driver; /* the device's, then */
	struct kernel_id id;
	uint32_t of;
	struct schedule schedule;
	double predicted_ns;
};

struct tune {
	struct loop *loop;
	struct store *store;
	struct metrics *metrics;
	struct tune_options options;

	struct device *devices[DEVICES_MAX]; /* best first */
	uint32_t device_count;
	struct worker *lister; /* during the first enumeration */
	uint32_t lister_tries;
	bool listed;     /* a worker has listed them, or cannot */
	bool enumerated; /* and they are probed */
	struct {
		bool overdue; /* nobody waits any longer */
		struct loop_timer *timer;
		void (*told)(void *context); /* once they are settled; NULL: nobody waits */
		void *context;
	} settling;

	int64_t spare_ns; /* in the pool of budgets: left for the next job, or taken too much */
	struct job *jobs; /* queued and running, most urgent first */
	uint32_t job_count;
	uint64_t job_sequence;
	struct tune_subscription *over; /* subscriptions to what was tuned already, to be told */
	struct tune_subscription *next_told; /* where the telling under way goes on */
	struct loop_timer *pump; /* starts jobs and tells `over`, never from within a caller */

	struct predicted predicted[PREDICTED_MAX];
	uint64_t version;
	char boot[40]; /* this boot of the machine; "" where it cannot be known */
};

/* ---- devices.c */
int devices_start(struct tune *tune);   /* from the store, then by a worker's enumeration */
void devices_recall(struct tune *tune); /* the store can be read only now */
void devices_stop(struct tune *tune);
struct device *device_by_id(const struct tune *tune, uint64_t id);       /* or NULL */
struct device *device_of_class(const struct tune *tune, uint64_t class); /* the best, or NULL */
static inline struct device *device_of(const struct tune_device *public)
{
	return (struct device *)((uintptr_t) public - offsetof(struct device, public));
}
void device_ready(struct device *device, device_readied *done, void *context);
void device_rest(struct device *device); /* no job follows: stops the worker after a while */

/* ---- doubt.c */
struct wire_probed;
/* Takes into *facts, just measured, what was better before. True: it is better by more than noise.
 */
bool doubt_merge(const struct facts *before, struct facts *facts);
/* The facts to keep after a probe, as JSON and with how sure they are; NULL: out of memory. */
json_t *doubt_settle(struct device *device, const struct wire_probed *probed);
bool doubt_lasts(const struct device *device); /* a probe is due once the device is idle */
void doubt_raise(struct device *device, const struct op *op, double ns); /* a kernel took so long */

/* ---- settling.c */
int settling_start(struct tune *tune);
void settling_end(struct tune *tune); /* the first enumeration has ended */
void settling_stop(struct tune *tune);

/* ---- calibrate.c */
void device_calibrate(struct device *device); /* its predictions learn from its trials, anew */

/* ---- known.c */
/* What the store knows, if its schedule can still be used: 0 with status and schedule, or -ENOENT.
 */
int kernel_stored(struct tune *tune, const struct kernel_id *id, struct tune_kernel *ret_kernel);
void kernel_of_job(const struct job *job, struct tune_kernel *ret_kernel);
void kernels_changed(struct tune *tune); /* counts the version up */
