/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads options.def's rows from the configuration file and the command line, and finds the
 * defaults that depend on where the program stands. Opens nothing but the configuration file;
 * whether a path is usable is found out by who uses it.
 */
#include "daemon/options.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct row {
	const char *name, *argument, *doc;
	size_t offset;
	enum { ROW_TEXT, ROW_LIST, ROW_NUMBER } kind;
	uint64_t initial, min, max;
};
static const struct row rows[] = {
#define OPTION_daemon(field) field
#define OPTION_tune(field)   tune.field
#define TEXT(part, field, name, argument, doc) \
	{name, argument, doc, offsetof(struct options, OPTION_##part(field)), ROW_TEXT, 0, 0, 0},
#define LIST(part, field, name, argument, doc) \
	{name, argument, doc, offsetof(struct options, OPTION_##part(field)), ROW_LIST, 0, 0, 0},
#define NUMBER(part, field, name, argument, initial, min, max, doc)                                \
	{name, argument, doc, offsetof(struct options, OPTION_##part(field)), ROW_NUMBER, initial, \
	        min, max},
#include "daemon/options.def"
};
#define ROWS (sizeof rows / sizeof *rows)

static uint64_t *number_slot(struct options *options, const struct row *row)
{
	return (uint64_t *)(void *)((char *)options + row->offset);
}

/* Takes over `text`. */
static void set_text(struct options *options, const struct row *row, char *text)
{
	const char **slot = (const char **)(void *)((char *)options + row->offset);

	free((char *)(uintptr_t)*slot);
	*slot = text;
}

/* A list's value goes behind those given before, another text replaces its own. */
static char *joined(struct options *options, const struct row *row, const char *value)
{
	const char *before = *(const char **)(void *)((char *)options + row->offset);
	char *text = NULL;

	if (row->kind == ROW_TEXT || !before)
		return strdup(value);
	return asprintf(&text, "%s %s", before, value) < 0 ? NULL : text;
}

/* `where` says who set it: "--port", or "FILE:LINE: port". */
static int set(struct options *options, const struct row *row, const char *value, const char *where,
        struct error *err)
{
	if (row->kind != ROW_NUMBER) {
		char *copy = *value ? joined(options, row, value) : NULL;
		if (!copy)
			return error_set(err, *value ? -ENOMEM : -EINVAL, row->name,
			        "%s needs a value that is not empty", where);
		set_text(options, row, copy);
		return 0;
	}
	char *end;
	errno = 0;
	unsigned long long number = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno || number < row->min ||
	        number > row->max)
		return error_set(err, -EINVAL, row->name,
		        "%s must be a whole number from %llu to %llu, not '%.40s'", where,
		        (unsigned long long)row->min, (unsigned long long)row->max, value);
	*number_slot(options, row) = number;
	return 0;
}

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int read_line(
        struct options *options, const char *path, unsigned number, char *line, struct error *err)
{
	char where[200];
	char *key = trim(line), *equals = strchr(key, '=');

	if (!*key || *key == '#')
		return 0;
	if (!equals)
		return error_set(
		        err, -EINVAL, "config", "%.120s:%u: expected `name = value`", path, number);
	*equals = '\0';
	key = trim(key);
	snprintf(where, sizeof where, "%.120s:%u: %.40s", path, number, key);
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].name, key))
			return set(options, &rows[i], trim(equals + 1), where, err);
	return error_set(err, -EINVAL, "config",
	        "%s: there is no such option; `nnjitd --help` lists them", where);
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static int read_config(struct options *options, const char *path, bool required, struct error *err)
{
	AUTO(close_file) FILE *file = fopen(path, "re");
	AUTO(free_pointer) char *line = NULL;
	size_t capacity = 0;

	if (!file && errno == ENOENT && !required)
		return 0;
	if (!file)
		return error_set(err, -errno, "config",
		        "cannot read the configuration file %.120s: %s", path, strerror(errno));
	for (unsigned number = 1; getline(&line, &capacity, file) >= 0; number++) {
		int r = read_line(options, path, number, line, err);
		if (r)
			return r;
	}
	return !ferror(file) ? 0
	                     : error_set(err, -EIO, "config",
	                               "cannot read the configuration file %.120s: is it a folder?",
	                               path);
}

enum { KEY_HELP = 256, KEY_VERSION, KEY_CONFIG };
#define LONG_OPTIONS (ROWS + 4)

static void fill_long_options(struct option long_options[static LONG_OPTIONS])
{
	size_t n = 0;

	for (; n < ROWS; n++)
		long_options[n] = (struct option){rows[n].name, required_argument, NULL, (int)n};
	long_options[n++] = (struct option){"config", required_argument, NULL, KEY_CONFIG};
	long_options[n++] = (struct option){"help", no_argument, NULL, KEY_HELP};
	long_options[n++] = (struct option){"version", no_argument, NULL, KEY_VERSION};
	long_options[n] = (struct option){0};
}

/* One walk over the command line: the first only looks for what comes before everything else
 * (*ret_config), the second (ret_config NULL) sets the rows. */
static int walk(
        int argc, char **argv, struct options *options, const char **ret_config, struct error *err)
{
	struct option long_options[LONG_OPTIONS];
	int key;

	fill_long_options(long_options);
	optind = 0;
	opterr = 0;
	while ((key = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (key == 'h' || key == KEY_HELP)
			return OPTIONS_HELP;
		if (key == KEY_VERSION)
			return OPTIONS_VERSION;
		if (key == '?' || key == ':')
			return error_set(err, -EINVAL, "", "%.60s: %s; see `nnjitd --help`",
			        argv[optind - 1],
			        key == ':' ? "a value must follow" : "there is no such option");
		if (key == KEY_CONFIG && ret_config)
			*ret_config = optarg;
		if (key == KEY_CONFIG || ret_config)
			continue;
		char where[64];
		snprintf(where, sizeof where, "--%s", rows[key].name);
		int r = set(options, &rows[key], optarg, where, err);
		if (r)
			return r;
	}
	if (optind < argc)
		return error_set(err, -EINVAL, "", "'%.60s' is not an option; see `nnjitd --help`",
		        argv[optind]);
	return 0;
}

/* The folder of this executable, without a slash at its end. */
static char *program_dir(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

	if (length <= 0)
		return NULL;
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return strdup(path);
}

static char *join(const char *dir, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* dir/beside if that is there, otherwise a copy of `installed`. */
static char *beside_or_installed(const char *beside, int mode, const char *installed)
{
	AUTO(free_pointer) char *dir = program_dir();
	AUTO(free_pointer) char *path = dir ? join(dir, beside) : NULL;

	if (path && !access(path, mode))
		return TAKE(path);
	return strdup(installed);
}

/* An empty variable is as one that is not set. */
static const char *set_variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *default_state_dir(void)
{
	const char *given = set_variable("STATE_DIRECTORY");
	const char *state = set_variable("XDG_STATE_HOME"), *home = set_variable("HOME");

	if (given) /* systemd separates several by colons */
		return strndup(given, strcspn(given, ":"));
	if (geteuid() == 0)
		return strdup("/var/lib/nnjit");
	if (state && *state == '/')
		return join(state, "nnjit");
	return home ? join(home, ".local/state/nnjit") : NULL;
}

/* In the folder that systemd makes for the unit, which others may enter, else in the store's. */
static char *default_socket(const struct options *options)
{
	const char *given = getenv("RUNTIME_DIRECTORY");
	AUTO(free_pointer) char *dir = given && *given ? strndup(given, strcspn(given, ":")) : NULL;

	return join(dir ? dir : options->state_dir, "nnjitd.sock");
}

static int set_defaults(struct options *options, struct error *err)
{
	if (!options->state_dir)
		options->state_dir = default_state_dir();
	if (!options->state_dir)
		return error_set(err, -EINVAL, "state-dir",
		        "HOME is not set, so there is no default state folder; give --state-dir");
	if (!options->socket)
		options->socket = default_socket(options);
	if (!options->tune.worker)
		options->tune.worker = beside_or_installed(
		        "nnjit-gpu", X_OK, PROGRAMDIR "/nnjit-gpu");
	if (!options->page_dir)
		options->page_dir = beside_or_installed(
		        "clients/web", R_OK | X_OK, PKGDATADIR "/web");
	if (!options->models_dir)
		options->models_dir = beside_or_installed(
		        "protocol/models", R_OK | X_OK, PKGDATADIR "/models");
	if (!options->log_level)
		options->log_level = strdup("info");
	if (!options->socket || !options->tune.worker || !options->page_dir ||
	        !options->models_dir || !options->log_level)
		return error_set(err, -ENOMEM, "", "out of memory");
	if (log_level_parse(options->log_level, &options->level))
		return error_set(err, -EINVAL, "log-level",
		        "log-level must be error, warning, info or debug, not '%.40s'",
		        options->log_level);
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options, struct error *err)
{
	AUTO(options_free) struct options options = {0};
	const char *config = NULL;

	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].kind == ROW_NUMBER)
			*number_slot(&options, &rows[i]) = rows[i].initial;
	int r = walk(argc, argv, &options, &config, err);
	if (r)
		return r;
	r = read_config(&options, config ? config : SYSCONFDIR "/nnjit/nnjitd.conf", config, err);
	if (r)
		return r;
	r = walk(argc, argv, &options, NULL, err);
	if (!r)
		r = set_defaults(&options, err);
	if (r)
		return r;
	*ret_options = options;
	options = (struct options){0};
	return 0;
}

void options_free(struct options *options)
{
	if (!options)
		return;
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].kind != ROW_NUMBER)
			set_text(options, &rows[i], NULL);
	*options = (struct options){0};
}

void options_help(FILE *out)
{
	fputs("usage: nnjitd [OPTION]...\n"
	      "Tunes kernels for this machine's GPUs and serves them to pages and programs.\n\n",
	        out);
	for (size_t i = 0; i < ROWS; i++) {
		char left[40];
		snprintf(left, sizeof left, "--%s %s", rows[i].name, rows[i].argument);
		fprintf(out, "  %-22s %s", left, rows[i].doc);
		if (rows[i].kind == ROW_NUMBER)
			fprintf(out, " (%llu)", (unsigned long long)rows[i].initial);
		fputc('\n', out);
	}
	fputs("  --config FILE          a file of lines `name = value`, with the names above "
	      "(" SYSCONFDIR "/nnjit/nnjitd.conf if it exists)\n"
	      "  --version              print the version and exit\n"
	      "  -h, --help             print this and exit\n",
	        out);
}
