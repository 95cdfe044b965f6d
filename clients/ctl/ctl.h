/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of nnjitctl share: what was asked for, how the daemon is reached, how things are
 * printed. Exit codes: CTL_DONE, CTL_FAILED (the daemon refused or is not there), CTL_USAGE.
 */
#pragma once

#include "protocol/protocol.h"

#include <jansson.h>

enum { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_INTERRUPTED = 130 };

/* What is asked of a model: an option each, handed on as the parameter `param`. */
enum setting {
	SETTING_MODEL,
	SETTING_BATCH,
	SETTING_SEQ,
	SETTING_TARGET_SEQ,
	SETTING_CACHE,
	SETTING_SIZES,
	SETTING_DYNAMIC,
	SETTING_DTYPE,
	SETTING_BUDGET,
	SETTING_RUNS,
	SETTING_CONSTANT,
	SETTING_COUNT
};
struct setting_info {
	const char *option, *param;
	bool number;
};
extern const struct setting_info settings[SETTING_COUNT]; /* main.c */

/* What research (bench space, bench side) is asked to do: an option each. */
enum research {
	RESEARCH_SAMPLE,
	RESEARCH_SEED,
	RESEARCH_CLIMB,
	RESEARCH_TRIALS,
	RESEARCH_BUDGET,
	RESEARCH_SCHEDULE,
	RESEARCH_PROFILE,
	RESEARCH_COUNT
};

struct ctl {
	uint16_t port;
	bool json;
	const char *device, *target, *output, *features; /* NULL: not given */
	char *settings[SETTING_COUNT];                   /* NULL: not given */
	char *research[RESEARCH_COUNT]; /* NULL: not given; several schedules behind semicolons */
	char *words; /* what follows the command, joined by single spaces; "" if nothing */
};

typedef int command(const struct ctl *ctl);
#define COMMAND(name, ...) command command_##name;
#include "clients/ctl/commands.def"

void usage(FILE *out); /* main.c */

/* ---- Reaching the daemon. Failures are printed here; the functions answer an exit code. */

/* Parameters for the method out of the command line: device, target, features where they are
 * given and the method takes them, and `op` if the command has words. A new reference. */
json_t *ask_params(const struct ctl *ctl, enum method method);
/* Calls a method over REST (http.c); `params` is taken over. */
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

/* ---- Printing (print.c). */
/* A bar with `done` of `of`, to stderr, at the beginning of the line. */
void print_bar(double done, double of);
void clear_line(void);                                         /* of stderr, a terminal */
void print_json(const json_t *value);                          /* to stdout, indented */
const char *text_at(const json_t *object, const char *member); /* "" if it is not there */
double number_at(const json_t *object, const char *member);    /* 0 if it is not there */
/* 1.23 ms and the like, into `text`, which is returned. */
#define TIME_TEXT_BYTES 24
const char *time_text(double ns, char text[static TIME_TEXT_BYTES]);
void print_kernel(const struct ctl *ctl, const json_t *kernel);
/* Rows of cells as aligned columns; numbers to the right (a column whose header starts with '>').
 */
struct table;
struct table *table_create(const char *const *headers, uint32_t columns);
void table_add(struct table *table, const char *cell); /* row after row, copied */
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(struct table *table); /* and frees it */
