/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the threads of a driver run that computes on the processor.
 */
#pragma once

/* Binds each thread of this process but the caller to one of the processors that the process may
 * use, in turn. Left to itself the kernel at times puts two threads of a driver's pool side by side
 * on one processor and leaves them there for seconds, and every kernel takes twice as long. */
void threads_spread(void);
