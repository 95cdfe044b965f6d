/* SPDX-License-Identifier: Apache-2.0
 *
 * A candidate that is loaded: built once, or twice. A processor's code may happen to lie so that it
 * takes 1.1 to 2 times as long; of two builds a sample is the better one's.
 */
#pragma once

#include "daemon/gpu/trial.h"

/* Zeroed: not loaded. */
struct twins {
	struct trial *first, *second; /* owned; second: NULL unless it was built twice */
};
void twins_free(struct twins *twins); /* zeroed is fine, and what it is afterwards */

/* Takes over what came of building it once more, in place of an earlier second build. NULL, for
 * what is not right, takes the first along. */
void twins_join(struct twins *twins, struct trial *second);

/* One sample. */
int twins_time(const struct twins *twins, double *ret_ns, struct error *err);
int twins_size_again(struct twins *twins, struct error *err); /* trial_size_again of both */
