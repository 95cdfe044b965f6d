/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the log. Each message leaves in one write, so that lines of the daemon and of its workers
 * do not mix. Must never fail its caller: what cannot be written is dropped.
 */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024

static const struct {
	const char *name;
	int priority; /* as journald reads it from "<N>" */
} levels[] = {
#define ROW(id, name, priority) [LOG_LEVEL_##id] = {name, priority},
        LOG_EACH_LEVEL(ROW)
#undef ROW
};

static enum log_level threshold = LOG_LEVEL_INFO;
static bool to_journal;

/* systemd names the socket it gave us by device and inode in JOURNAL_STREAM (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return !fstat(STDERR_FILENO, &st) && st.st_dev == (dev_t)device &&
	       st.st_ino == (ino_t)inode;
}

void log_open(enum log_level level)
{
	threshold = level;
	to_journal = stderr_is_journal();
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (!strcmp(text, levels[i].name)) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int write_prefix(char *line, size_t bytes, enum log_level level)
{
	struct timespec now;
	struct tm tm;
	char time_text[32] = "";

	if (to_journal)
		return snprintf(line, bytes, "<%d>", levels[level].priority);
	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &tm))
		strftime(time_text, sizeof time_text, "%F %T", &tm);
	return snprintf(line, bytes, "%s.%03ld nnjitd[%d] %s: ", time_text, now.tv_nsec / 1000000,
	        (int)getpid(), levels[level].name);
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	va_list args;

	if (level > threshold)
		return;
	size_t at = (size_t)write_prefix(line, sizeof line, level);
	va_start(args, format);
	int wrote = vsnprintf(line + at, sizeof line - at - 1, format, args);
	va_end(args);
	if (wrote < 0)
		return;
	size_t end = at + (size_t)wrote;
	if (end > sizeof line - 2)
		end = sizeof line - 2;
	for (size_t i = at; i < end; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[end++] = '\n';
	ssize_t ignored = write(STDERR_FILENO, line, end);
	(void)ignored;
}
