/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a failing trial smaller while it still fails: dimensions towards 1, options towards what
 * they initially are. The schedule stays.
 */
#pragma once

#include "trial.h"

typedef bool shrink_fails(void *context, const struct trial *trial);

/* Changes *trial into a smaller one for which `fails` answers true, as it did for *trial. */
void shrink(struct trial *trial, shrink_fails *fails, void *context);
