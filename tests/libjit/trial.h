/* SPDX-License-Identifier: Apache-2.0
 *
 * One kernel tried out in full: run in the interpreter with given dimensions, every element of the
 * output compared with the reference. Whatever was not written is seen, and so is whatever was
 * written beside the output.
 */
#pragma once

#include "nnjit.h"
#include "reference/reference.h"

struct trial {
	struct op op;
	struct schedule schedule;
	uint32_t dims[OP_DYNAMIC_MAX];  /* of the dynamic dimensions */
	uint32_t subgroup;              /* invocations */
	uint64_t inputs;                /* the seed of their numbers */
	bool wild;                      /* indices are any numbers at all */
	enum reference_special special; /* infinities and the like among the numbers */
};

struct verdict {
	bool right;
	double error, tolerance; /* the worst element's, relative to the output's scale */
	uint64_t element;        /* the worst one: what is there, and what should be */
	double got, want;
	uint64_t turns; /* of the interpreter's loops */
	char text[160]; /* "right", or what is wrong, in a line */
};

struct verdict trial_run(struct nnjit *nnjit, const struct trial *trial);
