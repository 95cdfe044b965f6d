/* SPDX-License-Identifier: Apache-2.0
 *
 * A job: that a kernel is to be tuned, for whom and how urgently. Many wait at a time, so a job is
 * small; all that tuning needs is in the session that it owns while its device works for it.
 * Invariant: a job has a session exactly while it is its device's job.
 */
#pragma once

#include "daemon/tune/state.h"

struct session;

struct job {
	struct job *next;
	struct tune *tune;
	struct device *device;
	struct kernel_id id; /* its features are some of the device's */
	char text[OP_TEXT_BYTES];
	struct store_key key;
	enum tune_priority priority;
	uint64_t sequence;   /* age */
	uint64_t budget_ns;  /* for all its sessions together */
	uint64_t spent_ns;   /* by the sessions before this one */
	uint64_t started_ns; /* this session; 0: it waits */
	bool pooled;         /* its budget is a part of one for many: budget.c */
	bool wanted;    /* goes on though nobody waits: queued so, or taken up after a restart */
	bool again;     /* remembered times do not count */
	bool cancelled; /* nobody waits any more: its session ends at the next step */
	bool cautious;  /* its worker died while it built ahead: one thing at a time from now on */
	bool unsaved;   /* the store does not have it, or not with this priority */
	struct tune_subscription *subscriptions;
	struct session *session; /* NULL while it waits */
};
_Static_assert(sizeof(struct job) < 4096, "a job that waits is small: see struct session");

void job_start(struct job *job);   /* its device is free */
void job_cancel(struct job *job);  /* nobody waits any more */
void job_abandon(struct job *job); /* the daemon stops: undoes what a crash must not look like */
void job_free(struct job *job);

/* ---- budget.c */
void budget_take(struct job *job);  /* at its start: what others left */
void budget_leave(struct job *job); /* at its end: what it left */
uint64_t budget_spent_ns(const struct job *job);
uint64_t budget_screening_ns(const struct job *job); /* so much of it at most */
