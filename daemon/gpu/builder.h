/* SPDX-License-Identifier: Apache-2.0
 *
 * From a candidate's schedule to a pipeline on the device: generated, validated, compiled, and not
 * yet launched.
 */
#pragma once

#include "daemon/gpu/fault.h"
#include "daemon/gpu/trial.h"
#include "daemon/gpu/validate.h"
#include "nnjit.h"

/* What candidates are built with; one a thread. */
struct builder {
	struct device *device;     /* borrowed */
	struct workload *workload; /* borrowed; NULL where no operator is loaded */
	struct nnjit *nnjit;
	struct validator *validator;
};
int builder_create(struct device *device, struct builder **ret_builder, struct error *err);
void builder_destroy(struct builder *builder); /* NULL is fine */

/* A candidate whose pipeline is made, or that was refused before a driver saw it. */
struct built {
	struct workload *workload; /* borrowed */
	enum fault fault;          /* what a test has it suffer */
	struct trial *trial;       /* its launches; no runs yet */
	struct verdict verdict;    /* so far; `why` is not "" if it was refused */
};
void built_free(struct built *built); /* NULL is fine */

/* On any thread that no other shares the builder with: it submits nothing. `candidate` is the
 * number by which tests plant faults. ANSWER_DRIVER: the driver refused it. */
int builder_build(struct builder *builder, uint32_t candidate, const struct schedule *schedule,
        struct built **ret_built, struct error *err);
/* The same without planted faults. */
int builder_build_here(struct builder *builder, const struct schedule *schedule,
        struct built **ret_built, struct error *err);
/* The same for code that somebody else made, `kernel` saying what nnjit_generate would;
 * builder->nnjit is not used. */
int builder_build_kernel(struct builder *builder, const struct kernel *kernel,
        struct built **ret_built, struct error *err);
