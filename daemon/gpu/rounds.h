/* SPDX-License-Identifier: Apache-2.0
 *
 * Timing candidates against each other, in interleaved rounds, so that a drifting clock hits all
 * alike. A round behind which the device is not at its working clock is taken again.
 */
#pragma once

#include "daemon/gpu/twins.h"

struct rounds {
	struct device *device;
	struct twins *const *candidates; /* all loaded */
	uint32_t count, samples;         /* candidates; samples wanted of each */
	double *ns;                      /* `samples` rows of `count`, filled */
	/* Called between samples, when the device is idle; or NULL. */
	void (*between)(void *context);
	void *context;
	/* Set: rows that were filled. Fewer than asked for when the candidates are so slow that
	 * more would take over about 20 s. */
	uint32_t done;
	uint32_t again; /* rows that may still be taken again; rounds.c's */
};
int rounds_time(struct rounds *rounds, struct error *err);
