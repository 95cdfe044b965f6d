/* SPDX-License-Identifier: Apache-2.0
 *
 * The tuner: knows the devices, answers what is known of a kernel now, and improves it by jobs
 * that drive a worker process through a search. Shares one job among all who ask for the same
 * kernel. Runs on the loop; nothing here blocks on a GPU.
 */
#pragma once

#include "nnjit.h"
#include "daemon/store/store.h"
#include "base/error.h"

#include <jansson.h>

struct loop;
struct metrics;
struct tune;

/* The rows of options.def that are the tuner's. A number that is 0 is its row's default. */
struct tune_options {
#define OPTION_daemon(member)
#define OPTION_tune(member)      member
#define TEXT(part, field, ...)   OPTION_##part(const char *field;)
#define LIST(part, field, ...)   OPTION_##part(const char *field;)
#define NUMBER(part, field, ...) OPTION_##part(uint64_t field;)
#include "daemon/options.def"
};
/* What is lent, the options' texts too, must outlive the tuner. -ENOMEM, -EIO. */
int tune_create(struct loop *loop, struct store *store, struct metrics *metrics,
        const struct tune_options *options, struct tune **ret_tune);
void tune_destroy(struct tune *tune); /* stops workers; unfinished jobs stay in the store */

/* The check that the store was under is over: what it has is taken up now. */
void tune_store_settled(struct tune *tune);

/* ---- Devices. Known from the store at once, refreshed by a worker's enumeration after start. */
struct tune_device {
	uint64_t id, class; /* this card; its kind with these limits, which keys are of */
	uint64_t driver;
	char name[128];
	bool present;         /* seen in this run's enumeration (or not enumerated yet) */
	struct limits limits; /* of a page that asked for no more: met with limits_web_default, but
	                       * for features and subgroup sizes, which are the device's */
	struct limits own;    /* the device's, all of them */
	struct facts facts;
	const json_t *object; /* as the API shows it */
};
uint32_t tune_device_count(const struct tune *tune);
const struct tune_device *tune_device(const struct tune *tune, uint32_t index); /* best first */
/* The first enumeration has ended; while the store is checked, without what it has of the devices.
 */
bool tune_enumerated(const struct tune *tune);
/* Whether requests about devices can be answered: the first enumeration has ended, or takes longer
 * than anybody should wait for it. Before that nobody knows which device is the best. */
#define TUNE_SETTLES_S 30
bool tune_settled(const struct tune *tune);
/* Calls back once, on the loop, when that has come true. One at a time; NULL: nobody waits. */
void tune_when_settled(struct tune *tune, void (*settled)(void *context), void *context);
/* Why there is none: the positive answers of tune_find_device. */
enum tune_no_device {
	TUNE_NO_DEVICE = 1, /* none at all, or none yet */
	TUNE_UNKNOWN_DEVICE,
	TUNE_AMBIGUOUS_DEVICE,
};
/* By id or by a unique part of the name, any case; NULL text: the best device. 0, or a
 * tune_no_device and err saying what to do. */
int tune_find_device(const struct tune *tune, const char *text,
        const struct tune_device **ret_device, struct error *err);

/* ---- Kernels. */
/* How much is known of a kernel. NAIVE: every candidate failed here, so it is the plainest
 * schedule, not verified. */
#define TUNE_EACH_STATUS(STATUS) \
	STATUS(PREDICTED)        \
	STATUS(TUNING)           \
	STATUS(TUNED)            \
	STATUS(STALE)            \
	STATUS(NAIVE)
enum tune_status {
#define VALUE(name) TUNE_##name,
	TUNE_EACH_STATUS(VALUE)
#undef VALUE
};
/* Which kernel: what jobs, subscriptions and the store's records are of. */
struct kernel_id {
	const struct tune_device *device;
	struct op op;
	uint32_t features; /* enum feature bits that its code may use; those beyond the device's
	                    * make no difference */
	uint32_t tier;     /* what it may ask of a workgroup (device/tier.h) */
	uint64_t audience; /* who alone shares what is known of it, as a hash; 0: everybody */
};
/* What its schedules must keep to. A binding of an operator that no page's default holds may have
 * what the device allows: whoever asks for one has such bindings (daemon/kernel). */
struct limits tune_limits(const struct kernel_id *id);
/* A record's key has both; an id without device and operator is read back from it. */
void kernel_key_read(const struct store_key *key, struct kernel_id *id);
struct store_key kernel_key(const struct kernel_id *id); /* of its records in the store */
struct tune_kernel {
	struct kernel_id id; /* its features are some of the device's */
	struct schedule schedule;
	enum tune_status status;
	uint32_t measured, of;
	double predicted_ns;
	/* What each dynamic dimension may be with this schedule: what was verified, or, while
	 * nothing is, what the device's limits allow. */
	uint32_t most[OP_DYNAMIC_MAX];
	struct store_kernel best; /* zero but for texts while predicted */
};
/* Times the fastest: as close to it as this is a near-tie, which something else decides. */
#define TUNE_TIE 1.03
/* What is known now: stored, in tuning, or predicted; no job is started. 0; -ERANGE and err where
 * no schedule is legal on this device; -ENOMEM. */
int tune_get(struct tune *tune, const struct kernel_id *id, struct tune_kernel *ret_kernel,
        struct error *err);
/* Of a kernel that was measured, the schedule that costs least to compile once and run `runs`
 * times, among those measured and verified, in place of the one that runs fastest. */
void tune_for_runs(struct tune *tune, double runs, struct tune_kernel *kernel);
/* Counts up whenever any tune_get could answer differently: for caches. */
uint64_t tune_version(const struct tune *tune);

enum tune_priority { TUNE_INTERACTIVE, TUNE_PREFETCH, TUNE_BACKGROUND };
enum tune_event { TUNE_IMPROVED, TUNE_PROGRESS, TUNE_FINISHED, TUNE_FAILED };
/* Called on the loop, never from within tune_subscribe. After FINISHED or FAILED the subscription
 * is over and already released. `why` is NULL but for FAILED. */
typedef void tune_notify(
        void *context, enum tune_event event, const struct tune_kernel *kernel, const char *why);
struct tune_subscription;
struct tune_params { /* zero: interactive, with the default budget, only the job queued */
	enum tune_priority priority;
	uint64_t budget_ns;  /* 0: the default */
	bool again;          /* measure it although it is tuned */
	tune_notify *notify; /* NULL: just queue the job */
	void *context;       /* for notify */
};
/* Makes sure the kernel is being tuned (joins the job that does, raising its priority if need be)
 * and tells of its progress. A kernel already tuned gives FINISHED at once unless `again`, one that
 * is naive FAILED. *ret_subscription is NULL without `notify`; ret_subscription may be NULL then.
 * 0; -ERANGE, -ENOMEM, -EAGAIN (queue full), -ENODEV (the device is not
 * present), -EROFS (the store takes nothing). */
int tune_subscribe(struct tune *tune, const struct kernel_id *id, const struct tune_params *params,
        struct tune_subscription **ret_subscription, struct error *err);
/* Queues the tuning of a kernel as tune_get told it, for nobody in particular; of one that is tuned
 * nothing. The same failures. */
int tune_queue(struct tune *tune, const struct tune_kernel *kernel);
/* Stops the telling; the job goes on only if somebody else waits or it is nearly done. */
void tune_unsubscribe(struct tune_subscription *subscription); /* NULL is fine */

/* Sets the gauges of this room; its counters are counted as things happen. */
void tune_count(struct tune *tune);
