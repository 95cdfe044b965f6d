/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiling ahead: the pipeline of the next candidate is made on a second thread while the main
 * one times others. At most one candidate is on its way. Called from the main thread.
 */
#pragma once

#include "daemon/gpu/builder.h"

struct preparer;
int preparer_create(struct device *device, struct preparer **ret_preparer, struct error *err);
void preparer_destroy(struct preparer *preparer); /* waits; NULL is fine */

/* Begins to build the candidate, if there is a thread to be had; nothing else is on its way. The
 * workload must stay until it was taken or dropped. */
void preparer_begin(struct preparer *preparer, struct workload *workload, uint32_t candidate,
        const struct schedule *schedule);
bool preparer_has_begun(const struct preparer *preparer); /* and nobody took or dropped it */
/* Waits for what was begun, keeping the device at its pace, and hands it over. What builder_build
 * answered. */
int preparer_take(struct preparer *preparer, struct built **ret_built, struct error *err);
void preparer_drop(struct preparer *preparer); /* waits; NULL is fine, and so is nothing to drop */
