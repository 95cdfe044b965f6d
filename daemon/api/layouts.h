/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/api: an operator with an input that stays the same from run to run, so that the
 * kernel may be one that wants it laid out anew. Both ways are operators like any other: tuned,
 * stored and shared as such; whichever is faster here is served.
 */
#pragma once

#include "daemon/api/handler.h"

#define LAYOUTS 2

struct layouts {
	struct want want[LAYOUTS]; /* as asked; with the input laid out anew */
	struct want preparation;   /* what lays it out */
	char input[16];
};

/* What the parameter `constant` allows. *ret_layouts is NULL where it is not given, or there is no
 * other way; the caller frees it. */
int layouts_read(const struct request *request, const struct want *want,
        struct layouts **ret_layouts, struct problem *ret_problem);
/* The kernel of the better way as known now, for `origin` (kernel_served); the other way's says in
 * `prepare` what is to be done to the input, once. */
int layouts_json(struct api *api, const char *origin, const struct layouts *layouts,
        json_t **ret_object, struct problem *ret_problem);
