/* SPDX-License-Identifier: Apache-2.0
 *
 * What an operator is served as: one kernel; in parts, where its tensors are larger than the
 * device's bindings may be; or, with an input that stays the same from run to run, in the faster of
 * two ways, one of which lays that input out anew. A plan is read once, from the operator itself.
 * What is known of its kernels is looked up whenever the plan is asked for its JSON.
 */
#pragma once

#include "daemon/tune/tune.h"
#include "protocol/artifact/artifact.h"
#include "protocol/protocol.h"

/* Serves plans: the tuner, the store, the generator, and the answers that are ready as text. */
struct plans;
int plans_create(struct tune *tune, struct store *store, struct plans **ret_plans); /* -ENOMEM */
void plans_destroy(struct plans *plans); /* NULL is fine; tune and store stay the caller's */

struct plan_params {         /* zero but for id: WGSL, run as often as can be, for everybody */
	struct kernel_id id; /* features, tier: those that whoever asks has */
	enum target target;
	uint64_t binding_bytes; /* that its bindings may have; 0: what every page's may */
	bool again;             /* it is measured anew: not what others' tuning gave */
	double runs;            /* how often the operator will be run; 0: as often as can be */
	const char *constant;   /* an input that stays the same; NULL: none */
	const char *origin;     /* whose reports may settle near-ties; NULL: nobody's */
};

/*  plan.kernels   different operators, at most PLAN_KERNELS_MAX
 *       ^
 *  plan.steps     in order: which kernel, how often, on which part of which buffers
 *       ^
 *  plan.ways      runs of steps, each of which computes the operator; the faster one is served
 *
 *  whole:     kernels [operator]                              ways [0]
 *  in parts:  kernels [most parts, last part]                 ways [0 3 times, 1]
 *  laid out:  kernels [operator, other layout, preparation]   ways [0] [2 once, 1]
 */
#define PLAN_KERNELS_MAX 12
#define PLAN_WAYS_MAX    2
#define PLAN_STEPS_MAX   (OP_WAY_STEPS_MAX + PLAN_WAYS_MAX)
struct plan_kernel {
	struct kernel_id id; /* features, tier: of the stored kernel that serves, else as asked */
	double runs;         /* that its schedule is chosen for; 0: as often as can be */
	bool tuned;          /* on its own behalf: not for what runs once */
};
struct plan_way {
	uint32_t first, count; /* of plan.steps */
	uint64_t scratch_bytes;
};
struct plan {
	struct plan_params params; /* constant NULL; origin borrowed until the plan's end */
	uint32_t kernel_count, step_count, way_count;
	struct plan_kernel kernels[PLAN_KERNELS_MAX];
	struct artifact_step steps[PLAN_STEPS_MAX]; /* kernel: index in plan.kernels */
	struct plan_way ways[PLAN_WAYS_MAX];
};

/* 0 or a problem_code. */
int plan_read(struct plans *plans, const struct plan_params *params, struct plan *ret_plan,
        struct problem *ret_problem);
bool plan_is_whole(const struct plan *plan);    /* the operator itself, and nothing else */
bool plan_is_in_parts(const struct plan *plan); /* all of its kernels are needed */
uint32_t plan_tuned(const struct plan *plan);   /* kernels to tune: the first so many */
/* The step with which a way ends, which runs in every run. */
const struct artifact_step *plan_last(const struct plan *plan, uint32_t way);
/* How often a kernel runs in a run of the operator. */
uint32_t plan_runs_of(const struct plan *plan, uint32_t kernel);

/* What is known of it now: 0 with a new reference, or a problem_code. */
int plan_json(struct plans *plans, const struct plan *plan, json_t **ret_object,
        struct problem *ret_problem);
/* The same, and queues the tuning of what is not tuned. */
int plan_answer(struct plans *plans, const struct plan *plan, json_t **ret_object,
        struct problem *ret_problem);
/* plan_read and plan_answer as text, from the cache where it is there. Lent until the next call. */
int plan_text(struct plans *plans, const struct plan_params *params, const char **ret_text,
        size_t *ret_length, struct problem *ret_problem);

/* As plan_json, of a whole one whose kernel the tuner has just told. */
int plan_told_json(struct plans *plans, const struct plan *plan, const struct tune_kernel *kernel,
        json_t **ret_object, struct problem *ret_problem);

/* ---- Near-ties (settle.c). */
/* The kernel and those within a few percent of it, an artifact each, fastest first; of an operator
 * in parts none. */
int leaders_json(struct plans *plans, const struct plan_params *params, json_t **ret_array,
        struct problem *ret_problem);
/* How far a page's report can be believed, 0 to 1: little of few ticks of its clock. */
double report_weight(const struct store_report *report);

/* ---- One kernel. */
/* Puts the features and tier of the stored kernel that serves a page with id's in their place: one
 * tuning for all pages. */
void kernel_share(struct store *store, struct kernel_id *id);
enum artifact_status kernel_status(enum tune_status status);
/* What tune_get and tune_subscribe answer, as a problem; `field` names the parameter at fault. */
int kernel_problem(
        int answer, const struct error *err, const char *field, struct problem *ret_problem);
