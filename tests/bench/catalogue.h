/* SPDX-License-Identifier: Apache-2.0
 *
 * Every artifact of the catalogue: the test rows of every operator in all their variants, and the
 * shapes that models have, each in every schedule of its space on a GPU with all features and on a
 * processor as pages find it.
 */
#pragma once

#include "nnjit.h"

struct catalogue_kernel {
	struct op op;
	struct schedule schedule;
};

struct catalogue_space {
	struct op op;
	uint32_t count;      /* candidates */
	double enumerate_us; /* what listing them takes: the median of three */
};

struct catalogue {
	struct catalogue_kernel *kernels;
	size_t kernel_count, kernel_room;
	struct catalogue_space *spaces;
	size_t space_count, space_room;
};

/* Fills *ret_catalogue; ends the program, with a sentence, where an operator has no space. */
void catalogue_collect(struct catalogue *ret_catalogue);
void catalogue_free(struct catalogue *catalogue);
