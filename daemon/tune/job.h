/* SPDX-License-Identifier: Apache-2.0
 *
 * One job: a search over a kernel's space, driven against a worker. State shared by job.c (the
 * steps), trial.c (what is written down of each candidate) and best.c (what is served meanwhile).
 */
#pragma once

#include "daemon/tune/state.h"
#include "search/search.h"
#include "space/space.h"

#define ATTEMPTS_MAX SEARCH_CANDIDATES_MAX
#define NO_CANDIDATE UINT32_MAX /* as a candidate's number */

/* What this session knows of one candidate. */
struct attempt {
	struct schedule schedule;
	char text[SCHEDULE_TEXT_BYTES];
	double predicted_ns;
	bool built; /* in the worker that runs now */
	bool twin;  /* and once more beside it */
	bool right; /* verified in this session */
	double pilot_ns;
	bool timed;      /* in this session */
	double batch_ns; /* median in the batch it was last timed in, `batches` then */
	uint32_t batch;
	struct store_trial trial; /* as stored; its schedule is empty while nothing is */
};

struct job {
	struct job *next;
	struct tune *tune;
	struct device *device;
	struct kernel_id id; /* its features are some of the device's */
	char text[OP_TEXT_BYTES];
	struct store_key key;
	enum tune_priority priority;
	uint64_t sequence; /* age */
	uint64_t budget_ns, spent_ns, started_ns;
	uint64_t build_ns, build_begun_ns; /* what a build has taken lately */
	uint64_t time_ns, time_begun_ns;   /* and what timing a batch took */
	bool shared;                       /* its budget is a part of one for many */
	bool wanted; /* goes on though nobody waits: queued so, or taken up after a restart */
	bool again;  /* remembered times do not count */
	bool cancelled;
	bool unsaved; /* the store does not have it, or not with this priority */
	struct tune_subscription *subscriptions;

	bool running;
	struct search *search;
	uint32_t count, baseline; /* candidates; the number of the baseline */
	struct attempt attempts[ATTEMPTS_MAX];
	uint32_t batch[SEARCH_BATCH_MAX], batch_count, samples;
	uint32_t launched; /* the candidate in the worker's hands while it builds */
	uint32_t ahead;    /* the candidate that the worker compiles while it times others */
	bool cautious;     /* the worker died meanwhile: nothing is compiled ahead any more */
	uint32_t deaths;   /* since the worker last answered about a candidate */
	bool alone;        /* the worker died while timing several: one at a time now */
	uint32_t batches;  /* timed so far */
	uint32_t timing[SEARCH_BATCH_MAX], timing_count; /* in the worker's hands */
	bool finals, twins; /* the search is in its finals; whose candidates are built twice */
	bool wall_clock;
	double share;      /* of the operator that the worker tries candidates on */
	char refusal[160]; /* why the last candidate was rejected */

	struct store_kernel best; /* schedule "" while there is none */
	struct schedule best_schedule;
	bool best_is_ours; /* measured in this session */
};

/* ---- job.c */
void job_start(struct job *job);   /* its device is free */
void job_cancel(struct job *job);  /* nobody waits any more */
void job_abandon(struct job *job); /* the daemon stops: undoes what a crash must not look like */
void job_free(struct job *job);
void job_next(struct job *job); /* the batch is told */
uint64_t job_elapsed_ns(const struct job *job);
uint64_t job_screening_ns(const struct job *job); /* so much of the budget at most */
void job_fail(struct job *job, const char *why);  /* frees the job */
/* An error after which the worker's device is of no use any more. */
bool device_lost(const struct worker_reply *reply);
/* Whether the worker is gone; then the job is on its way again, or over and freed. */
bool job_lost_worker(struct job *job, const struct worker_reply *reply);

/* ---- measure.c */
void job_measure(struct job *job); /* `batch`, then job_next */
void job_time(struct job *job);    /* what is built of it */

/* ---- ahead.c */
/* Lets the worker compile what comes next, where that is worth it; then job_time. */
void ahead_begin(struct job *job);
/* The worker is gone, or refused: the candidate was not at fault as far as one can tell. */
void ahead_undo(struct job *job);
/* Another candidate is to be built: lets go of it, then job_measure. */
void ahead_drop(struct job *job);

/* ---- budget.c */
void budget_take(struct job *job);  /* at its start: what others left */
void budget_leave(struct job *job); /* at its end: what it left */

/* ---- candidates.c */
/* The job's candidates in the order they are screened, and a search over them. 0 or -ENOMEM. */
int candidates_take(struct job *job, const struct space *space);
void candidates_expand(struct job *job); /* by the leader's neighbours, when the search asks */

/* ---- transfer.c */
/* The best schedules of the nearest shapes of the same operator tuned on this device under this
 * driver, nearest first, as far as they are legal for the job. Returns how many. */
#define TRANSFER_MAX 2
uint32_t transfer_schedules(const struct job *job, struct schedule ret_schedules[TRANSFER_MAX]);

/* ---- trial.c */
/* Reads what is known of the candidates from number `first` on and tells the search. */
int trials_remember(struct job *job, uint32_t first);
/* Durable before it returns: the worker may have the candidate now. */
int trial_launch(struct job *job, uint32_t candidate);
void trial_take_back(struct job *job, uint32_t candidate); /* it was not launched after all */
/* The candidate is out of the search; also written down. */
void trial_reject(
        struct job *job, uint32_t candidate, enum store_trial_state state, const char *why);
void trials_undo_launch(struct job *job); /* of what the worker holds: none was at fault */
void trials_timed(struct job *job);       /* writes down the medians of those just timed */
void trials_settled(struct job *job);     /* and of all, once the finals have compared the best */

/* ---- best.c */
void best_start(struct job *job); /* what the store has from an earlier run */
/* After a batch. Whether another schedule is served now. */
bool best_update(struct job *job);
int best_finish(struct job *job); /* 0, or -ENOENT if nothing was ever measured */
/* Nothing could be measured: the plainest schedule is served, and marked. finished: every candidate
 * failed; else the search was cut short. */
void best_naive(struct job *job, bool finished);
