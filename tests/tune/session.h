/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the tuner share: a tuner with the real worker on a real device (the processor's
 * one where there is one), and what it told.
 */
#pragma once

#include "daemon/loop/loop.h"
#include "daemon/tune/tune.h"
#include "protocol/metrics.h"

#include <check.h>

#define S_NS     1000000000ull
#define STALL_NS 100000000ull /* what health may take */
#define SMALL    "matmul m=24 n=20 k=12"
#define LONGER   "matmul m=144 n=120 k=96" /* so long that no launch is as long as it */

/* One tuner on one loop, and what it told. */
struct session {
	struct loop *loop;
	struct store *store;
	struct tune *tune;
	struct metrics metrics;
	struct loop_timer *tick, *limit;
	uint64_t last_ns, last_wait_ns, stall_ns;
	bool (*done)(void);
	uint32_t told[TUNE_FAILED + 1];
	char why[300];
	struct tune_kernel last;
	bool late; /* the time limit passed */
	bool subscribing;
};
extern struct session now;
extern char worker_path[4096];

/* Runs the suite; skips (77) where there is no worker or no device. */
int session_main(Suite *suite);
void folder_make(void); /* a state folder; no faults planted */
void folder_remove(void);

/* Stores opened in between hold facts as an older probe left them: 1 GFLOP/s, 1 GB/s. */
void facts_outdate(void);
/* The same as today's probe, sure by so much, would have left them with these rates. */
void facts_claim(double gflops, double gbps, int sure);
void facts_restore(void);

const struct metrics *counted(void); /* the gauges as they are now */
void begin(uint64_t budget_ns);
void begin_with(const char *path, uint64_t budget_ns); /* that worker */
void begin_brief(void); /* searches of 12 candidates, however slow the machine is */
void end(void);
void run_for(bool (*done)(void), uint64_t limit_ns); /* until done() or the limit */
void run_until(bool (*done)(void));                  /* asserts that it comes */
bool enumerated(void);
bool over(void);      /* the kernel asked for last */
bool begun(void);     /* something was told */
bool under_way(void); /* some of it is measured */
bool idle(void);

const struct tune_device *device(void);
struct op op_of(const char *text);
/* Its notices go to `now`. */
struct tune_subscription *ask(const char *text, bool again);
struct tune_kernel known_of(const char *text);
struct store_key key_of(const char *text);

/* The trials in the store. */
struct tally {
	uint32_t count, by_state[STORE_TRIAL_STATES];
	char poisoned[SCHEDULE_TEXT_BYTES], why[160];
};
struct tally tally(const char *text);
uint32_t stored_jobs(void);
