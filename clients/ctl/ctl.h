/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of nnjitctl share: what was asked for, and how the daemon is reached. Exit codes:
 * CTL_DONE, CTL_FAILED (the daemon refused or is not there), CTL_USAGE, CTL_INTERRUPTED.
 */
#pragma once

#include "clients/ctl/print.h"
#include "protocol/protocol.h"

enum { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_INTERRUPTED = 130 };

enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "clients/ctl/options.def"
	OPTION_COUNT
};

struct ctl {
	uint16_t port;
	bool json, again, once;
	char *given[OPTION_COUNT]; /* NULL: not given */
	char *words; /* what follows the command, joined by single spaces; "" if nothing */
};

typedef int command(const struct ctl *ctl); /* an exit code */
#define COMMAND(name, ...) command command_##name;
#include "clients/ctl/commands.def"

/* ---- Reaching the daemon. Failures are printed here; the functions answer an exit code. */

/* The method's parameters: `op` if the command has words, and of the options given those that the
 * method takes. A new reference. */
json_t *ask_params(const struct ctl *ctl, enum method method);
/* Calls a method over REST (http.c): over the owner's socket where only the owner may call it, else
 * over the port. `params` is taken over. */
int ask(const struct ctl *ctl, enum method method, json_t *params, json_t **ret_result);
/* Calls a method over the WebSocket (follow.c) and hands each message that follows to `hear`, until
 * that answers an exit code; -1: go on. message NULL: a second has passed without any. A refusal
 * or the end of the connection ends it too; Ctrl-C cancels what was asked. */
typedef int follow_hear(void *context, const json_t *message);
int follow(const struct ctl *ctl, enum method method, json_t *params, follow_hear *hear,
        void *context);
/* Tunes a kernel (watch.c), showing progress on a terminal, until it is over. */
int watch(const struct ctl *ctl, json_t *params, json_t **ret_kernel);
/* Tunes a model (model.c). */
int tune_model(const struct ctl *ctl);
/* Prints a problem object as `nnjitctl: detail [code]`. */
int refused(const json_t *problem);
int unreachable(const struct ctl *ctl, const char *why);
