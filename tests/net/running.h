/* SPDX-License-Identifier: Apache-2.0
 *
 * An nnjitd that the tests of one Check case share, and assertions about it.
 */
#pragma once

#include "tests/net/client.h"

#define RUNNING_SPACE  (1 << 17)
#define RUNNING_MANY   200 /* clients at a time */
#define RUNNING_SLOW_S 8   /* by then the daemon has given up a client that sends nothing */

extern struct client_daemon running;
extern char running_space[RUNNING_SPACE]; /* for one answer */

/* Ends the program with 77 where there is no nnjitd to test. */
void running_or_skip(void);
void running_start(void);
void running_start_with(const char *const *more);
void running_stop(void);   /* asserts that it ended cleanly */
void running_health(void); /* asserts that it answers */
int running_connect(void);
int running_ws(void);
void running_send(int fd, const char *text); /* %P stands for the port */
