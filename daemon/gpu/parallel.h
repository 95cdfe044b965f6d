/* SPDX-License-Identifier: Apache-2.0
 *
 * Work of the host on all processors: references and inputs, which the device would wait for.
 */
#pragma once

#include <stdint.h>

/* The numbers from `from` to before `to`. Called on several threads at once. */
typedef void parallel_work(void *context, uint64_t from, uint64_t to);

/* Does the numbers below `count`, in stretches of `grain`, and returns when all are done. */
void parallel_run(uint64_t count, uint64_t grain, parallel_work *work, void *context);
