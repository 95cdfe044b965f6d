/* SPDX-License-Identifier: Apache-2.0
 *
 * nnjitctl: reads the command line, in any order, checks it against commands.def and options.def,
 * and calls one command. Must not know a method, nor an operator but through the tables.
 */
#include "clients/ctl/ctl.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "protocol/descriptors.h"

#include <config.h>
#include <ctype.h>
#include <getopt.h>
#include <locale.h>
#include <string.h>

enum takes { TAKES_NOTHING, TAKES_TEXT, TAKES_OP, TAKES_OP_OR_MODEL, TAKES_MODEL };

static const struct {
	const char *name, *arguments;
	enum takes takes;
	const char *doc;
	command *run;
} commands[] = {
#define COMMAND(name, arguments, takes, doc) {#name, arguments, TAKES_##takes, doc, command_##name},
#include "clients/ctl/commands.def"
};
#define COMMANDS (sizeof commands / sizeof *commands)

enum rule { RULE_LAST, RULE_ONCE, RULE_NUMBER, RULE_MANY };
enum scope { SCOPE_ANY, SCOPE_MODEL, SCOPE_TUNING };

static const struct {
	const char *name, *argument;
	enum rule rule;
	enum scope scope;
	const char *doc;
} options[OPTION_COUNT] = {
#define OPTION(id, name, argument, param, rule, scope, doc) \
	[OPTION_##id] = {name, argument, RULE_##rule, SCOPE_##scope, doc},
#include "clients/ctl/options.def"
};

static void print_options(FILE *out, bool of_models)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[32];
		if ((options[i].scope != SCOPE_ANY) != of_models)
			continue;
		snprintf(left, sizeof left, "--%s %s", options[i].name, options[i].argument);
		fprintf(out, "  %-20s %s\n", left, options[i].doc);
	}
}

static void usage(FILE *out)
{
	fputs("usage: nnjitctl [OPTION]... COMMAND [ARGUMENT]...\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++) {
		char left[40];
		snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].arguments);
		fprintf(out, "  %-20s %s\n", left, commands[i].doc);
	}
	fputs("\nOP is an operator and its fields: matmul m=256 n=256 k=256\n\n", out);
	print_options(out, false);
	fputs("  --again              tune: measure a tuned kernel once more\n"
	      "  --once               origins approve: until the daemon ends, not for good\n"
	      "  --json               print JSON\n"
	      "  --port N             the daemon's port (6174)\n"
	      "  --version, -h, --help\n\n"
	      "With --model NAME, or with models NAME:\n",
	        out);
	print_options(out, true);
	fputs("\nExit status: 0 done, 1 the daemon refused or is not there, 2 a wrong command "
	      "line,\n130 interrupted.\n",
	        out);
}

int command_help(const struct ctl *ctl)
{
	if (strcmp(ctl->words, "ops")) {
		usage(stdout);
		return CTL_DONE;
	}
	for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
		const struct op_field *field;
		printf("%s: %s\n", op_name(kind), op_doc(kind));
		for (uint32_t i = 0; (field = op_field(kind, i)); i++)
			printf("  %-10s %s%s\n", field->name, field->doc,
			        field->kind == FIELD_DIM && !field->initial ? " (required)" : "");
	}
	return CTL_DONE;
}

static int wrong(const char *what, const char *text)
{
	fprintf(stderr, "nnjitctl: %s '%s'; see `nnjitctl help`\n", what, text);
	return CTL_USAGE;
}

static bool is_number(const char *text)
{
	char *end;

	strtod(text, &end);
	return isdigit((unsigned char)*text) && !*end;
}

/* `more` behind what was given before, if anything was. */
static int append(char **text, char separator, const char *more)
{
	char *joined = NULL;

	if (asprintf(&joined, "%s%.*s%s", *text ? *text : "", *text ? 1 : 0, &separator, more) < 0)
		return CTL_FAILED;
	free(*text);
	*text = joined;
	return -1;
}

static int read_value(struct ctl *ctl, enum option_id id, const char *text)
{
	enum rule rule = options[id].rule;
	char **given = &ctl->given[id], what[64];

	snprintf(what, sizeof what, "--%s must be a number, not", options[id].name);
	if (rule == RULE_NUMBER && !is_number(text))
		return wrong(what, text);
	snprintf(what, sizeof what, "--%s was given already, and again as", options[id].name);
	if (*given && (rule == RULE_ONCE || rule == RULE_NUMBER))
		return wrong(what, text);
	if (rule == RULE_LAST)
		free(TAKE(*given));
	return append(given, ',', text);
}

static int read_port(const char *text, uint16_t *ret_port)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || port < 1 || port > 65535)
		return wrong("--port must be from 1 to 65535, not", text);
	*ret_port = (uint16_t)port;
	return 0;
}

enum { KEY_AGAIN = 256, KEY_ONCE, KEY_JSON, KEY_PORT, KEY_VERSION, KEY_OPTION };
static const struct option long_options[] = {
#define OPTION(id, name, ...) {name, required_argument, NULL, KEY_OPTION + OPTION_##id},
#include "clients/ctl/options.def"
        {"again", no_argument, NULL, KEY_AGAIN},
        {"once", no_argument, NULL, KEY_ONCE},
        {"json", no_argument, NULL, KEY_JSON},
        {"port", required_argument, NULL, KEY_PORT},
        {"version", no_argument, NULL, KEY_VERSION},
        {"help", no_argument, NULL, 'h'},
        {0},
};

/* -1: go on; otherwise the exit code. */
static int read_option(struct ctl *ctl, int key)
{
	switch (key) {
	case 'o':
		return read_value(ctl, OPTION_OUTPUT, optarg);
	case KEY_AGAIN:
		ctl->again = true;
		return -1;
	case KEY_ONCE:
		ctl->once = true;
		return -1;
	case KEY_JSON:
		ctl->json = true;
		return -1;
	case KEY_PORT:
		return read_port(optarg, &ctl->port) ? CTL_USAGE : -1;
	case KEY_VERSION:
		puts("nnjitctl " PACKAGE_VERSION);
		return CTL_DONE;
	case 'h':
		usage(stdout);
		return CTL_DONE;
	default:
		if (key >= KEY_OPTION && key < KEY_OPTION + OPTION_COUNT)
			return read_value(ctl, (enum option_id)(key - KEY_OPTION), optarg);
		fputs("see `nnjitctl help`\n", stderr); /* getopt has said what is wrong */
		return CTL_USAGE;
	}
}

static char *join(char **words, int count)
{
	struct buffer text = {0};

	buffer_puts(&text, "");
	for (int i = 0; i < count; i++) {
		if (i)
			buffer_putc(&text, ' ');
		buffer_puts(&text, words[i]);
	}
	return text.data;
}

/* Which options of a model may stand here: with tune --model all, with models NAME most. */
static int check_options(const struct ctl *ctl, enum takes takes, const char *name)
{
	const char *model = ctl->given[OPTION_MODEL];
	bool named = takes == TAKES_MODEL && *ctl->words;

	if (model && takes != TAKES_OP_OR_MODEL)
		return wrong("--model is for tune, not for", name);
	if (model && *ctl->words)
		return wrong("with --model no operator is given, as was", ctl->words);
	if (ctl->again && (model || takes != TAKES_OP_OR_MODEL))
		return wrong("--again is for tune and one operator, not for", model ? model : name);
	for (uint32_t i = 0; i < OPTION_COUNT; i++) {
		char what[64];
		snprintf(what, sizeof what, "--%s needs --model NAME; it was given as",
		        options[i].name);
		bool known = options[i].scope == SCOPE_ANY || model ||
		             (named && options[i].scope == SCOPE_MODEL);
		if (ctl->given[i] && !known)
			return wrong(what, ctl->given[i]);
	}
	return 0;
}

static int check_words(const struct ctl *ctl, enum takes takes, const char *name)
{
	bool needs_op = takes == TAKES_OP ||
	                (takes == TAKES_OP_OR_MODEL && !ctl->given[OPTION_MODEL]);

	if (needs_op && !*ctl->words) {
		fprintf(stderr,
		        "nnjitctl: %s needs an operator, such as: "
		        "nnjitctl %s matmul m=256 n=256 k=256\n",
		        name, name);
		return CTL_USAGE;
	}
	if (takes == TAKES_NOTHING && *ctl->words)
		return wrong("this command takes no argument, but was given", ctl->words);
	return 0;
}

static int run(struct ctl *ctl, const char *name)
{
	if (!strcmp(name, "bench")) { /* answers until 1.0 */
		ctl->again = true;
		name = "tune";
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name))
			continue;
		int answer = check_options(ctl, commands[i].takes, name);
		if (!answer)
			answer = check_words(ctl, commands[i].takes, name);
		return answer ? answer : commands[i].run(ctl);
	}
	return wrong("there is no command", name);
}

static void ctl_free(struct ctl *ctl)
{
	free(ctl->words);
	for (uint32_t i = 0; i < OPTION_COUNT; i++)
		free(ctl->given[i]);
}

int main(int argc, char **argv)
{
	AUTO(ctl_free) struct ctl ctl = {.port = PROTOCOL_PORT};
	int key;

	if (descriptors_secure())
		return CTL_FAILED;
	setlocale(LC_CTYPE, "");
	while ((key = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1) {
		int answer = read_option(&ctl, key);
		if (answer >= 0)
			return answer;
	}
	if (optind == argc) {
		usage(stderr);
		return CTL_USAGE;
	}
	ctl.words = join(argv + optind + 1, argc - optind - 1);
	if (!ctl.words)
		return CTL_FAILED;
	int answer = run(&ctl, argv[optind]);
	if (fflush(stdout) || ferror(stdout)) {
		perror("nnjitctl: standard output");
		return CTL_FAILED;
	}
	return answer;
}
