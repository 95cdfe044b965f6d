/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire protocol's requests (protocol/wire.h), answered in order.
 */
#pragma once

/* Serves `fd` until the other end hangs up. The process's exit status. */
int serve(int fd);
