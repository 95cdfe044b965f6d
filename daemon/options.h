/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's options: defaults, then the configuration file, then the command line. Each is a
 * row of options.def.
 */
#pragma once

#include "base/error.h"
#include "daemon/log.h"
#include "daemon/tune/tune.h"

#include <stdint.h>

struct options {
#define OPTION_daemon(member) member
#define OPTION_tune(member)
#define TEXT(part, field, ...)   OPTION_##part(const char *field;)
#define LIST(part, field, ...)   OPTION_##part(const char *field;)
#define NUMBER(part, field, ...) OPTION_##part(uint64_t field;)
#include "daemon/options.def"
	struct tune_options tune;
	enum log_level level; /* log_level, read */
};

enum options_answer {
	OPTIONS_HELP = 1, /* the usage was asked for: options_help */
	OPTIONS_VERSION,
};
/* 0 with every field set, texts owned by the options; an options_answer; -EINVAL, -ENOMEM or what
 * reading the configuration file gave, with err. options_free in every case but a negative one. */
int options_parse(int argc, char **argv, struct options *ret_options, struct error *err);
void options_free(struct options *options);
void options_help(FILE *out);
