/* SPDX-License-Identifier: Apache-2.0
 *
 * One GPU worker process: started when first called. Calls are answered in the order they were
 * made, each within a deadline that counts from when the worker is done with the one before. A
 * worker that dies, breaks the protocol or misses a deadline is killed and reaped; the first call
 * under way is then answered WORKER_LOST, those behind it are forgotten, and the next call starts a
 * new process. Knows the protocol's framing, not its meaning.
 */
#pragma once

#include "protocol/wire/message.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct worker;

int worker_create(struct loop *loop, const char *path, struct worker **ret_worker); /* -ENOMEM */
/* Kills the process. Calls under way are never answered. NULL is fine. */
void worker_destroy(struct worker *worker);

enum worker_answer {
	WORKER_OK,
	WORKER_ERROR, /* the worker lives and says no */
	WORKER_LOST,  /* it died or was killed; whatever it had open is gone */
};
/* Valid within the callback. */
struct worker_reply {
	enum worker_answer answer;
	const json_t *ok;          /* WORKER_OK: the answer's object */
	enum wire_failure failure; /* WORKER_ERROR: which */
	const char *text;          /* WORKER_ERROR, WORKER_LOST: a sentence */
	bool asked_to_end; /* WORKER_LOST: somebody ended it politely (SIGTERM) or it never ran */
};
typedef void worker_done(void *context, const struct worker_reply *reply);

#define WORKER_CALLS_MAX 4 /* under way at a time */
/* Takes over the reference to `request` (NULL: out of memory, answered as lost). `done` is called
 * at most once, from the loop, never from within; it may call again, stop or destroy the worker. It
 * is not called if a call made earlier is answered WORKER_LOST, or the worker is stopped. */
void worker_call(struct worker *worker, json_t *request, uint64_t deadline_ns, worker_done *done,
        void *context);

/* Ends the process, tidily if it can; it is killed if it does not go. Calls under way are never
 * answered. */
void worker_stop(struct worker *worker);
bool worker_runs(const struct worker *worker);
uint32_t worker_starts(const struct worker *worker); /* processes started so far */
