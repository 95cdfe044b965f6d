/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiling ahead: the pipelines of the next candidates are made on other threads while the main
 * one verifies and times. Called from the main thread.
 */
#pragma once

#include "daemon/gpu/builder.h"

#define PREPARED_MAX 4 /* candidates on their way, or ready and not asked for yet */

struct preparer;
int preparer_create(struct device *device, struct preparer **ret_preparer, struct error *err);
void preparer_destroy(struct preparer *preparer); /* waits; NULL is fine */

/* Begins to build the candidate, unless that was begun before. Of those that are ready one may have
 * to go for it. False: there is no place or no thread for it. The workload must stay until it was
 * taken or dropped. */
bool preparer_begin(struct preparer *preparer, struct workload *workload, uint32_t candidate,
        const struct schedule *schedule);
bool preparer_has(const struct preparer *preparer, uint32_t candidate); /* begun, and not taken */
/* Waits for what was begun, keeping the device at its pace, and hands it over. What builder_build
 * answered. */
int preparer_take(
        struct preparer *preparer, uint32_t candidate, struct built **ret_built, struct error *err);
void preparer_drop(struct preparer *preparer); /* all; waits; NULL is fine */
