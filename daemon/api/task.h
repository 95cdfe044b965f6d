/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/api: what a peer waits for. A watch and a prefetch are both a task: an id, and a
 * subscription for each of its kernels.
 */
#pragma once

#include "daemon/api/handler.h"

struct task;
struct task_kernel {
	struct task *task;
	struct tune_subscription *subscription; /* NULL: over */
	char op[OP_TEXT_BYTES];
};
/* What the tuner says of one kernel. It may end the task, or the peer. */
typedef void task_notice(struct task *task, const struct task_kernel *of, enum tune_event what,
        const struct tune_kernel *kernel, const char *why);
struct task {
	struct api_peer *peer;
	struct task *next;
	json_int_t id;
	task_notice *notice;
	struct plan *plan;     /* of a watch; owned */
	uint32_t count;        /* kernels in all */
	uint32_t done, failed; /* of them */
	uint32_t waiting;      /* subscribed so far */
	struct task_kernel kernels[];
};

/* For the peer and the id of the request. 0, or a problem_code. */
int task_create(const struct request *request, uint32_t count, struct task **ret_task,
        struct problem *ret_problem);
/* Subscribes the task to one more kernel, at most `count`; params' notify and context are the
 * task's own. `field` names the parameter at fault. */
int task_wait(struct task *task, const struct kernel_id *id, const struct tune_params *params,
        const char *field, struct problem *ret_problem);
/* Silently. */
void task_end(struct task *task);
void tasks_end(struct api_peer *peer);                              /* all of them */
struct task *task_find(const struct api_peer *peer, json_int_t id); /* NULL: there is none */

/* ---- Messages. */
json_t *task_event(const struct task *task, const char *name);
json_t *task_failure(const char *why); /* `why` NULL: not known */
