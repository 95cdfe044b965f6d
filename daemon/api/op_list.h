/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/api: the operators that one request is about, a list's or a model's, with what is
 * known of each.
 */
#pragma once

#include "daemon/api/handler.h"
#include "protocol/models/model.h"

#define OP_LIST_MAX 512 /* operators of one request */

struct op_entry {
	struct kernel_id id;
	char text[OP_TEXT_BYTES];
	uint64_t times;              /* run in a forward pass; 1 of a list */
	char name[MODEL_NAME_BYTES]; /* in the model; "" of a list */
	struct tune_kernel kernel;   /* as known when it was read */
	bool refused;                /* nothing of it fits the device; `why` says so */
	struct error why;
	uint64_t budget_ns; /* 0: the daemon's own */
};
struct op_list {
	struct model *model;     /* NULL: a list */
	struct plan_params want; /* what the operators have in common */
	struct op_entry *entries;
	uint32_t count, refused;
};

/* What the parameters `model` or `ops` ask for. An operator whose tensors are larger than the
 * device's bindings may be is taken apart. In a list whatever is wrong with one operator refuses
 * all; of a model those that do not fit the device are marked. */
int op_list_read(
        const struct request *request, struct op_list *ret_list, struct problem *ret_problem);
void op_list_free(struct op_list *list);

/* ---- Time (op_budget.c). */
bool op_entry_open(const struct op_entry *entry); /* there is something to tune */
/* What one run takes, by the kernels that engines ship and by the best known: measured, or else
 * predicted. */
double op_entry_default_ns(const struct op_entry *entry);
double op_entry_tuned_ns(const struct op_entry *entry);
/* Gives each operator that is not tuned its part of the budget: as much as its part of what tuning
 * may still win (runs of it times what lies between its time and the roofline), and at least enough
 * to measure a few schedules. runs: how often all of it will be run; nothing gets more time than it
 * could save then; 0: no matter. */
void op_list_budget(struct op_list *list, uint64_t budget_ns, double runs);
/* The entries' indices, the least budgets first: what those take too much, as each must measure
 * something, is then taken from those that have most. */
void op_list_order(const struct op_list *list, uint32_t ret_order[static OP_LIST_MAX]);
