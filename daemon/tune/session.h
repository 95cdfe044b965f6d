/* SPDX-License-Identifier: Apache-2.0
 *
 * A session: a search over a job's kernel, driven against its device's worker. session.c is the
 * machine; the other files named here are what it stands on: each looks after a part of the struct
 * and calls nothing back. Lives from when the job's device is free until the job ends or is parked.
 */
#pragma once

#include "daemon/tune/job.h"
#include "search/search.h"

struct space;

#define ATTEMPTS_MAX SEARCH_CANDIDATES_MAX
#define NO_CANDIDATE UINT32_MAX /* as a candidate's number */

/* What the session waits for: one of the worker's answers, but in the last two. */
enum session_state {
	SESSION_OPENING,   /* the worker is started, the device opened and probed */
	SESSION_UNLOADING, /* what an earlier session left in the worker */
	SESSION_LOADING,   /* the operator's buffers and its reference */
	SESSION_BUILDING,  /* one candidate, `building` */
	SESSION_TIMING,    /* those in `timing`; behind them `building` may be begun ahead */
	SESSION_DROPPING,  /* built candidates that are of no more use */
	SESSION_REACHING,  /* how far out the finalist of a dynamic operator is right */
	SESSION_DECIDING,  /* nothing: what comes next is found out now */
	SESSION_OVER,      /* nothing any more: `outcome` */
};

enum session_news {
	SESSION_PROGRESS, /* a batch was measured */
	SESSION_IMPROVED, /* and another schedule is served now */
	/* The session is over: */
	SESSION_FINISHED,
	SESSION_FAILED, /* why says why */
	SESSION_CANCELLED,
	SESSION_PARKED, /* for a more urgent job */
};
/* After one of those that end it, the session may be destroyed from within. */
typedef void session_heard(struct job *job, enum session_news news, const char *why);

/* What this session knows of one candidate. */
struct attempt {
	struct schedule schedule;
	char text[SCHEDULE_TEXT_BYTES];
	double predicted_ns;
	bool coming;     /* the worker that runs now was told that it will probably be built */
	uint32_t builds; /* in the worker that runs now, side by side */
	bool right;      /* verified in this session */
	double pilot_ns;
	bool timed;      /* in this session */
	bool launched;   /* the store says so now: built, or being built, and not timed since */
	double batch_ns; /* median in the batch it was last timed in, `batches` then */
	uint32_t batch;
	struct store_trial trial; /* as stored; its schedule is empty while nothing is */
};

/* Some candidates, by number. */
struct batch {
	uint32_t candidate[SEARCH_BATCH_MAX], count;
};

struct session {
	struct job *job;
	session_heard *heard;
	enum session_state state;
	struct {
		enum session_news news;
		char why[300];
	} outcome; /* when over */

	struct search *search;    /* NULL until the device was ready once */
	uint32_t count, baseline; /* candidates, numbered as in the search; which is the baseline */
	struct attempt attempts[ATTEMPTS_MAX];

	struct batch asked; /* by the search, and not told to it yet */
	uint32_t samples;   /* of each */
	bool open;          /* the batch asked for last is not looked back on yet */
	struct batch timing;
	uint32_t building; /* in the worker's hands, beside those that are `coming` */
	uint32_t ahead;    /* built before it was asked for */
	uint32_t builds;   /* wanted of each candidate that is timed */
	bool finals;       /* the search is in its finals */
	bool alone;        /* the worker failed at timing several: one at a time now */
	uint32_t batches;  /* timed so far */
	uint32_t deaths;   /* of workers since one last answered about a candidate */
	struct {
		uint64_t begun_ns; /* what the worker does now */
		uint64_t build_ns; /* what a build has taken lately */
		uint64_t time_ns;  /* and what timing a batch took */
	} pace;
	bool wall_clock;
	double share;      /* of the operator that the worker has memory to try candidates on */
	char refusal[160]; /* why the last candidate was rejected */

	struct {
		uint32_t candidate; /* which was tried; NO_CANDIDATE: none yet */
		struct wire_reached found;
	} reach;
	struct {
		struct store_kernel kernel; /* schedule "" while there is none */
		struct schedule schedule;
		double predicted_ns;
		bool ours; /* measured in this session */
		bool anew; /* every schedule failed before: what was found then counts no more */
	} best;
};

/* -ENOMEM. */
int session_create(struct job *job, session_heard *heard, struct session **ret_session);
void session_start(struct session *session); /* may end, and so destroy, it */
/* Takes back what is written down of candidates that the worker still holds. NULL is fine. */
void session_destroy(struct session *session);

/* ---- candidates.c */
/* The candidates in the order they are screened, and a search over them. 0 or -ENOMEM. */
int candidates_take(struct session *session, const struct space *space);
void candidates_expand(struct session *session); /* by a leader's neighbours, if it is asked for */

/* ---- reach.c */
/* Whether the one that is going to be the best is still to be tried further out. */
bool reach_wanted(const struct session *session, uint32_t *ret_candidate);
struct wire_reach reach_ask(struct session *session, uint32_t candidate);
void reach_take(struct session *session, const struct worker_reply *reply);
/* Into the kernel that the candidate becomes. */
void reach_keep(const struct session *session, uint32_t candidate, struct store_kernel *kernel);

/* ---- transfer.c */
/* The best schedules of the nearest shapes of the same operator tuned on this device under this
 * driver, nearest first, as far as they are legal for the job. Returns how many. */
#define TRANSFER_MAX 2
uint32_t transfer_schedules(const struct job *job, struct schedule ret_schedules[TRANSFER_MAX]);

/* ---- batch.c */
bool batch_has(const struct batch *batch, uint32_t candidate);
void batch_remove(struct batch *batch, uint32_t candidate);
void batch_prepare(struct session *session);              /* before each look at what is asked */
uint32_t batch_unbuilt(const struct session *session);    /* the first, or NO_CANDIDATE */
void batch_choose_timing(struct session *session);        /* of what is asked and built */
uint32_t batch_next_ahead(const struct session *session); /* worth a build meanwhile; or none */
/* Those behind it that are worth compiling meanwhile and that the worker was not told of. */
#define COMING_MAX 2
uint32_t batch_coming(const struct session *session, uint32_t ret_candidates[COMING_MAX]);
/* The candidate is out: recorded, told to the search, no longer asked for. */
void batch_reject(
        struct session *session, uint32_t candidate, enum store_trial_state state, const char *why);
/* Of a candidate that was built: out, or ready to be timed. */
void batch_take_verdict(
        struct session *session, uint32_t candidate, const struct wire_built *verdict);
/* Of those in `timing`: tells the search, records; who has no times is out. Frees the samples. */
void batch_take_times(struct session *session, struct wire_timed *timed);
/* They could not be timed: one alone is out; which of several is at fault shows one by one. */
void batch_refuse_times(struct session *session, const char *why);
/* Built ones that will not be needed again; from now on they do not count as built. */
struct wire_candidates batch_losers(struct session *session);

/* ---- journal.c */
/* Reads what is known of the candidates from number `first` on and tells the search. */
int journal_recall(struct session *session, uint32_t first);
/* Durable before it returns: the worker may have the candidate now. */
int journal_launch(struct session *session, uint32_t candidate);
/* The worker died: whoever it was alone with is poisoned. Of one that is timed and others that are
 * built meanwhile nobody can tell, nor of several that are timed. */
void journal_blame(struct session *session, const struct worker_reply *reply);
void journal_take_back(struct session *session, uint32_t candidate); /* it was not launched */
void journal_take_back_all(
        struct session *session); /* of all that is launched: none was at fault */
/* The candidate is out of the search; also written down. */
void journal_reject(
        struct session *session, uint32_t candidate, enum store_trial_state state, const char *why);
void journal_times(struct session *session);  /* the medians of those just timed */
void journal_finals(struct session *session); /* of all, once the finals have compared the best */

/* ---- best.c */
void best_start(struct session *session); /* what the store has from an earlier run */
/* After a batch. Whether another schedule is served now. */
bool best_update(struct session *session);
/* Which best_finish takes; count where nothing of this session can be taken. */
uint32_t best_candidate(const struct session *session);
int best_finish(struct session *session); /* 0, or -ENOENT if nothing was ever measured */
/* Nothing could be measured: the plainest schedule is served, and marked. finished: every candidate
 * failed; else the search was cut short. */
void best_naive(struct session *session, bool finished);
