/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's log: one line a message on stderr, saying who, what, why and what happens next.
 * Only rooms of the daemon log; libraries return their errors. Under journald each line carries
 * its priority. The level is the process's one mutable global.
 */
#pragma once

/* The levels: the name of each, and syslog's priority of it. */
#define LOG_EACH_LEVEL(LEVEL)                  \
	LEVEL(ERROR, "error", LOG_ERR)         \
	LEVEL(WARNING, "warning", LOG_WARNING) \
	LEVEL(INFO, "info", LOG_INFO)          \
	LEVEL(DEBUG, "debug", LOG_DEBUG)
enum log_level {
#define VALUE(id, name, priority) LOG_LEVEL_##id,
	LOG_EACH_LEVEL(VALUE)
#undef VALUE
};

/* Before the first message; detects whether stderr is the journal. */
void log_open(enum log_level level);
/* "error", "warning", "info", "debug"; -EINVAL for anything else. */
int log_level_parse(const char *text, enum log_level *ret_level);

/* One line, without a newline of its own; newlines within become spaces. */
__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *format, ...);
#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
