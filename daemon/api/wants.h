/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/api: requests that are about many operators, a list's or a model's, with what is
 * known of each.
 */
#pragma once

#include "daemon/api/handler.h"
#include "protocol/models/model.h"

#define WANTS_MAX 512 /* operators of one request */

struct wanted {
	struct want want;
	uint64_t times;              /* run in a forward pass; 1 of a list */
	char name[MODEL_NAME_BYTES]; /* in the model; "" of a list */
	struct tune_kernel kernel;   /* as known when it was read */
	bool refused;                /* nothing of it fits the device; `why` says so */
	struct error why;
	uint64_t budget_ns; /* 0: the daemon's own */
};
struct wants {
	struct model *model; /* NULL: a list */
	struct wanted *items;
	uint32_t count, refused;
};

/* The request's model with its inputs, sizes and types set; NULL in *ret_model if it names none. */
int wants_model(
        const struct request *request, struct model **ret_model, struct problem *ret_problem);
/* What the parameters `model` or `ops` ask for. An operator whose tensors are larger than the
 * device's bindings may be is taken apart (parts.h). In a list whatever is wrong with one operator
 * refuses all; of a model those that do not fit the device are marked. */
int wants_read(const struct request *request, struct wants *ret_wants, struct problem *ret_problem);
void wants_free(struct wants *wants);
bool wanted_open(const struct wanted *wanted); /* there is something to tune */
/* Gives each operator that is not tuned its part of the budget: as much as its part of what tuning
 * may still win (runs of it times what lies between its time and the roofline), and at least enough
 * to measure a few schedules. runs: how often all of it will be run; nothing gets more time than it
 * could save then; 0: no matter. */
void wants_share(struct wants *wants, uint64_t budget_ns, double runs);

/* The items' indices, the least budgets first: what those take too much, as each must measure
 * something, is then taken from those that have most. */
void wants_order(const struct wants *wants, uint32_t ret_order[static WANTS_MAX]);

/* What one run takes, by the kernels that engines ship and by the best known: measured, or else
 * predicted. */
double wanted_default_ns(const struct wanted *wanted);
double wanted_tuned_ns(const struct wanted *wanted);
