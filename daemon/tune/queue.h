/* SPDX-License-Identifier: Apache-2.0
 *
 * The jobs and those who wait for them: at most one job a kernel, most urgent first, started from
 * the loop when their device is free.
 */
#pragma once

#include "daemon/tune/state.h"

struct tune_subscription {
	struct tune_subscription *next, **at; /* at: the pointer that points here */
	struct tune *tune;
	struct job *job;           /* NULL: the kernel was tuned already */
	struct tune_kernel kernel; /* what is known then */
	tune_notify *notify;
	void *context;
};

struct job *queue_find(const struct tune *tune, const struct kernel_id *id); /* or NULL */
void queue_kick(struct tune *tune);   /* something may be startable: looked at from the loop */
void queue_resume(struct tune *tune); /* takes up the store's jobs and starts the first ones */
void queue_pump(void *tune);
/* A queued job of the same device that should go before this one. */
bool queue_overtaken(const struct job *job);
void queue_remove(struct job *job);
int queue_forget(const struct job *job); /* takes it off the store: 0, or as store_delete_job */
/* Tells all who wait for the job; FINISHED and FAILED release them. */
void queue_tell(struct job *job, enum tune_event event, const char *why);
void queue_destroy(struct tune *tune);
