/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiling ahead: the pipeline of the next candidate is made on a second thread while the main
 * one times others. At most one candidate is on its way or ready. Called from the main thread.
 */
#pragma once

#include "daemon/gpu/trial.h"

struct preparer;
int preparer_create(struct preparer **ret_preparer); /* 0 or -ENOMEM */
void preparer_destroy(struct preparer *preparer);    /* waits; NULL is fine */

/* Begins, in place of what was prepared before, for which it waits. The device and the workload
 * must stay until it was taken or dropped. */
int preparer_start(struct preparer *preparer, struct device *device, struct workload *workload,
        uint32_t candidate, const struct schedule *schedule, struct error *err);
/* Waits for the candidate and hands it over; *ret_attempt is NULL where it is not what is prepared.
 * What trial_make answered. */
int preparer_take(struct preparer *preparer, uint32_t candidate, const struct schedule *schedule,
        struct attempt **ret_attempt, struct error *err);
void preparer_drop(struct preparer *preparer); /* waits */
/* Drops it if it is this candidate. */
void preparer_drop_one(struct preparer *preparer, uint32_t candidate);
