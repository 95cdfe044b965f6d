/* SPDX-License-Identifier: Apache-2.0
 *
 * Which elements of an output are compared with the reference, and what they must be. Operators
 * here are static.
 */
#pragma once

#include "nnjit.h"
#include "reference/reference.h"

#define SAMPLES_MAX   4096
#define SAMPLES_LEAST 64
#define SAMPLES_STEPS 2e7 /* of references, for all that is looked at of an operator together */

struct samples {
	uint32_t count;
	uint64_t *elements; /* ascending, owned */
	double *references; /* owned; NaN for what is no element of the output's rows, and for a
	                     * NaN, which a device need not keep */
	struct reference_rule rule; /* how far off a right kernel may be */
	/* Of an output whose rows lie apart: elements from one to the next, and of each the first
	 * so many. What lies between is to be left alone. pitch 0: there is nothing between. */
	uint64_t pitch, columns;
};
static inline bool samples_between_rows(const struct samples *samples, uint64_t element)
{
	return samples->pitch && element % samples->pitch >= samples->columns;
}

/* Chooses the elements: all of a small output; else corners, tile edges and random ones, as many as
 * their references can be computed in so many steps. -ENOMEM. */
int samples_choose(const struct op *op, uint64_t seed, double steps, struct samples *ret_samples);
/* Computes what they must be from the host's copies of the inputs, which are of that kind (entry of
 * the output unused). */
void samples_refer(struct samples *samples, const struct op *op, void *const buffers[],
        enum reference_special kind);
void samples_free(struct samples *samples);
