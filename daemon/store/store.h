/* SPDX-License-Identifier: Apache-2.0
 *
 * What nnjitd remembers, in LMDB under the state folder. Records are versioned, little-endian,
 * checksummed, byte-exact across machines; a record that does not check out is reported as absent
 * and left in place. Writes are durable when the call returns (LMDB's default sync mode).
 * Schedules are stored, never code. Not thread-safe; never use a store across fork.
 */
#pragma once

#include "base/error.h"
#include "nnjit.h"

#include <jansson.h>

/* A store is a cache. One that is damaged, truncated or of a newer format is set aside in the
 * folder and begun anew; one that can only be read is read; where nothing can be read or written,
 * the store is empty and every write answers why. 0, or err says what is wrong with the folder:
 * -EBUSY, another process has it; -ENOTDIR, -EACCES and the like, the path; -ENOMEM. */
struct store;
int store_open(const char *state_dir, struct store **ret_store, struct error *err);
void store_close(struct store *store); /* NULL is fine */
/* What came of opening it, one sentence for the log; "" if there is nothing to say. Valid until the
 * store is settled. */
const char *store_notice(const struct store *store);
/* A store not left by store_close is checked whole first. A check that takes long goes on while the
 * store is empty and every write answers -EAGAIN: once this descriptor is readable, store_settle
 * opens what was checked. -1: no check is under way. */
int store_check_fd(const struct store *store);
/* Whether it takes nothing, whatever is put: it can only be read, or not be used at all. A full
 * disk may have room again, and a check ends: those do not count. */
bool store_is_closed(const struct store *store);
void store_settle(struct store *store);

/* Which kernel: op on device under a driver, for pages with these features. */
struct store_key {
	uint64_t class;    /* of device (device/class.h): equal cards share their results */
	uint64_t driver;   /* id, as the worker reports it */
	uint64_t op;       /* op_key */
	uint32_t features; /* enum feature bits the code may use */
};

/* The best schedule measured and verified so far. */
struct store_kernel {
	char op[OP_TEXT_BYTES]; /* canonical text: compare it, the key is a hash */
	char schedule[SCHEDULE_TEXT_BYTES];
	uint32_t generation;                   /* nnjit_generation it was measured with */
	bool finished;                         /* the search ended; otherwise it was interrupted */
	uint32_t measured, of;                 /* candidates */
	double median_ns, mad_ns, baseline_ns; /* baseline_ns 0: not legal here */
	uint32_t samples;
	bool wall_clock; /* timed without timestamp queries */
	double max_rel_err;
	uint32_t checked;    /* output elements compared */
	double share;        /* of the operator that it was tried on, as memory was short; 1: all */
	uint64_t updated_s;  /* Unix time */
	double pipeline_ns;  /* what the driver took to compile it; 0: not known */
	uint64_t code_bytes; /* of its SPIR-V; 0: not known */
	bool naive; /* every candidate failed: the plainest schedule there is, neither verified nor
	             * measured */
	/* Of a dynamic operator, once the search has ended: the greatest dimensions that were
	 * verified. 0: none was tried beyond what it is tuned as. */
	uint32_t reach[OP_DYNAMIC_MAX];
	uint32_t failures; /* of a naive one: searches in a row that ended so */
};
/* 0, or -ENOENT. Found under another driver only: 0 with *ret_stale true; of several drivers, the
 * one measured last. A record of another operator with the same key counts as absent. */
int store_get_kernel(struct store *store, const struct store_key *key, const char *op_text,
        struct store_kernel *ret_kernel, bool *ret_stale);
int store_put_kernel(
        struct store *store, const struct store_key *key, const struct store_kernel *kernel);
/* Calls each for every kernel of this operator on the key's device under its driver, whatever the
 * features, in the order of the keys, until it returns false. */
int store_each_variant(struct store *store, const struct store_key *key, const char *op_text,
        bool (*each)(void *context, const struct store_key *key, const struct store_kernel *kernel),
        void *context);
/* Calls each for every kernel until it returns false. */
int store_each_kernel(struct store *store,
        bool (*each)(void *context, const struct store_key *key, const struct store_kernel *kernel),
        void *context);

/* What became of a schedule: stored as its place in this list, shown by the name beside it.
 *   TIMED     right and measured
 *   WRONG     failed verification
 *   REFUSED   the driver would not build it
 *   LAUNCHED  written before launch: still so after a crash means poisoned
 *   POISONED  hung, crashed or lost the device; never tried again here */
#define STORE_EACH_TRIAL_STATE(STATE) \
	STATE(TIMED, "timed")         \
	STATE(WRONG, "wrong")         \
	STATE(REFUSED, "refused")     \
	STATE(LAUNCHED, "launched")   \
	STATE(POISONED, "poisoned")
enum store_trial_state {
#define VALUE(name, text) STORE_TRIAL_##name,
	STORE_EACH_TRIAL_STATE(VALUE)
#undef VALUE
	        STORE_TRIAL_STATES
};
const char *store_trial_state_name(enum store_trial_state state);

/* Trials of one kernel: one a schedule tried, so that a search resumes and `show` can explain.
 * Those of another nnjit_generation are kept but not shown: they timed other code. */
struct store_trial {
	char schedule[SCHEDULE_TEXT_BYTES];
	enum store_trial_state state;
	char why[160]; /* "" for timed */
	double median_ns, mad_ns, pipeline_ns;
	uint32_t samples;
	uint64_t code_bytes; /* 0: not known */
	double max_rel_err;  /* of a timed one, as it was verified */
	uint32_t checked;    /* output elements compared; 0: not known */
};
int store_put_trial(
        struct store *store, const struct store_key *key, const struct store_trial *trial);
/* Several at once: all or none, one wait for the disk. -EINVAL: too many. */
#define STORE_PUT_TRIALS_MAX 128
int store_put_trials(struct store *store, const struct store_key *key,
        const struct store_trial *trials, uint32_t count);
/* As if it had never been tried. 0 also when absent. */
int store_delete_trial(struct store *store, const struct store_key *key, const char *schedule);
int store_each_trial(struct store *store, const struct store_key *key,
        bool (*each)(void *context, const struct store_trial *trial), void *context);

/* Devices as JSON objects (the worker's, facts included), by id. */
int store_put_device(struct store *store, uint64_t device, const json_t *object);
int store_each_device(struct store *store,
        bool (*each)(void *context, uint64_t device, const json_t *object), void *context);

/* Jobs that a restart must take up again: op text by key, with priority. */
int store_put_job(
        struct store *store, const struct store_key *key, const char *op_text, uint32_t priority);
int store_delete_job(struct store *store, const struct store_key *key); /* 0 also when absent */
int store_each_job(struct store *store,
        bool (*each)(
                void *context, const struct store_key *key, const char *op_text, uint32_t priority),
        void *context);

/* What pages of one origin measured of one kernel: apart from our trials, and an origin's apart
 * from another's. */
#define STORE_ORIGIN_BYTES       256
#define STORE_REPORTS_MAX        8 /* schedules of one kernel; the one heard of longest ago goes */
#define STORE_ORIGIN_KERNELS_MAX 256   /* of one origin; likewise */
#define STORE_REPORT_RECORDS_MAX 16384 /* of all; the origin with most gives one up */
struct store_report {
	char schedule[SCHEDULE_TEXT_BYTES];
	double median_ns;        /* of one dispatch, as last told */
	double span_ns;          /* what one sample lasted: several dispatches */
	double quantum_ns;       /* the page's clock moves in steps of this; 0: fine */
	uint32_t samples, count; /* of the last report; reports so far */
	uint64_t heard;          /* rank among the record's rows */
};
struct store_reports {
	char origin[STORE_ORIGIN_BYTES]; /* "" for what is no page */
	char op[OP_TEXT_BYTES];
	uint32_t generation, count;
	uint64_t heard; /* Unix time */
	struct store_report rows[STORE_REPORTS_MAX];
};
/* 0, or -ENOENT: none, or of other code. */
int store_get_reports(struct store *store, const char *origin, const struct store_key *key,
        const char *op_text, struct store_reports *ret_reports);
int store_put_reports(
        struct store *store, const struct store_key *key, const struct store_reports *reports);

/* What the device's owner decided about an origin, for good. */
struct store_origin {
	bool approved;      /* else denied */
	uint64_t decided_s; /* Unix time */
};
int store_put_origin(struct store *store, const char *origin, const struct store_origin *value);
int store_delete_origin(struct store *store, const char *origin); /* 0 also when absent */
int store_each_origin(struct store *store,
        bool (*each)(void *context, const char *origin, const struct store_origin *value),
        void *context);

/* Sets the gauges of this room: bytes used, and entries. */
struct metrics;
int store_count(struct store *store, struct metrics *metrics);
