/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the store: a state folder of the test's own under the system's temporary one, and
 * kernels to put there.
 */
#pragma once

#include "daemon/store/store.h"
#include "protocol/metrics.h"

extern char folder[64];
extern const struct store_key key_a;

void folder_make(void);
void folder_remove(void);
struct store *open_here(void);
/* A kernel whose numbers all follow from n. */
struct store_kernel kernel_make(const char *op, uint32_t n);
void kernel_same(const struct store_kernel *a, const struct store_kernel *b);

/* For store_each_kernel: counts up the uint32_t at `context`, at most to 5. */
bool count_kernel(void *context, const struct store_key *key, const struct store_kernel *kernel);

struct trials {
	uint32_t count;
	struct store_trial trial[64];
};
/* For store_each_trial: into the struct trials at `context`. */
bool collect(void *context, const struct store_trial *trial);
struct store_trial trial_make(uint32_t n, enum store_trial_state state);
