/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/kernel: what its files share.
 */
#pragma once

#include "base/buffer.h"
#include "daemon/kernel/plan.h"

struct text_cache;
struct plans {
	struct tune *tune;
	struct store *store;
	struct nnjit *nnjit;
	struct text_cache *cache;
	struct buffer text; /* the answer written last: what plan_text lends */
};

/* What a plan is served as now: one kernel, or a way of several steps. It points into itself: it is
 * filled where it stays. */
struct served {
	struct tune_kernel known[PLAN_KERNELS_MAX]; /* of each of the plan's kernels */
	struct artifact whole;                      /* with its status */
	uint32_t kernel_count;                      /* of the way: those that it takes */
	struct artifact kernels[PLAN_KERNELS_MAX];
	uint32_t step_count; /* 0: the operator is one of the kernels, and the only one */
	struct artifact_step steps[PLAN_STEPS_MAX];
	uint64_t scratch_bytes;
};

/* ---- serve.c */
int serve(struct plans *plans, const struct plan *plan, struct served *ret_served,
        struct problem *ret_problem);
/* Queues the tuning of what is not tuned. The answer is good without it, so a full queue only means
 * that it stays as it is. */
void serve_queue(struct plans *plans, const struct plan *plan, const struct served *served);
/* Appends the answer, its numbers with so many digits. */
int served_write(struct plans *plans, const struct served *served, int digits, struct buffer *text,
        struct problem *ret_problem);
/* What the tuner knows of one kernel now, chosen for its runs. 0 or a problem_code. */
int known_read(struct plans *plans, const struct plan_kernel *of, struct tune_kernel *ret_kernel,
        struct problem *ret_problem);
/* Its artifact. */
int known_json(struct plans *plans, const struct tune_kernel *kernel, enum target target,
        json_t **ret_object, struct problem *ret_problem);

/* ---- choose.c */
/* The way that is faster by what is known of each of the plan's kernels. */
uint32_t choose_way(
        const struct plan *plan, const struct tune_kernel known[static PLAN_KERNELS_MAX]);
/* Whether trying on may change the choice. */
bool choice_is_open(
        const struct plan *plan, const struct tune_kernel known[static PLAN_KERNELS_MAX]);

/* ---- settle.c */
/* Puts the leader in the kernel's place that the origin's own reports prefer; false if that is the
 * kernel itself. `origin` NULL: nobody's. */
bool settle(struct store *store, const char *origin, struct tune_kernel *kernel);
