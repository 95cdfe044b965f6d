/* SPDX-License-Identifier: Apache-2.0
 *
 * Given schedules of one operator, timed side by side (`nnjit-lab side`).
 */
#pragma once

#include "tools/lab/lab.h"

#define SIDE_MAX 32

struct side {
	struct schedule schedule[SIDE_MAX];
	uint32_t slot[SIDE_MAX], count;
};

/* Reads schedules that stand behind semicolons. Failures are printed; an exit code. */
int side_read(const char *text, struct side *ret_side);
/* Builds, verifies and times them, and prints the times as text or JSON. Schedules that are not
 * right are told and left out of `side`. Failures are printed; an exit code. */
int side_run(struct lab *lab, const char *op_text, bool json, struct side *side);
