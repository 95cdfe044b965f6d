/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon as a whole: everything it is made of, started in order and stopped in the opposite
 * one.
 */
#pragma once

struct options;

/* Runs until SIGTERM or SIGINT. 0 after a clean end, negative errno (already logged) otherwise. */
int daemon_run(const struct options *options);
