/* SPDX-License-Identifier: Apache-2.0
 *
 * Which elements of an output are compared with the reference, and what they must be.
 */
#pragma once

#include "nnjit.h"

#define SAMPLES_MAX   4096
#define SAMPLES_LEAST 64

struct samples {
	uint32_t count;
	uint64_t *elements; /* ascending, owned */
	double *references; /* owned */
	double scale;       /* what errors are relative to */
	double tolerance;   /* the largest relative error of a right kernel */
};

/* Chooses the elements: all of a small output; else corners, tile edges and random ones, as many as
 * can be computed in a fraction of a second. -ENOMEM. */
int samples_choose(const struct op *op, const struct tensor *output, uint64_t seed,
        struct samples *ret_samples);
/* Computes what they must be from the host's copies of the inputs (entry of the output unused). */
void samples_refer(struct samples *samples, const struct op *op, void *const buffers[]);
void samples_free(struct samples *samples);

/* A number in [-1, 1) that depends on nothing but its arguments. */
float samples_input(uint64_t seed, uint64_t index);
