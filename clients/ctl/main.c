/* SPDX-License-Identifier: Apache-2.0
 *
 * nnjitctl: the command line of nnjitd. Reads the command line, in any order, and calls one
 * command. Knows the operators only through the tables, and a GPU not at all.
 */
#include "clients/ctl/ctl.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <config.h>
#include <ctype.h>
#include <getopt.h>
#include <locale.h>
#include <string.h>

static const struct {
	const char *name, *arguments, *doc;
	command *run;
} commands[] = {
#define COMMAND(name, arguments, doc) {#name, arguments, doc, command_##name},
#include "clients/ctl/commands.def"
};
#define COMMANDS (sizeof commands / sizeof *commands)

const struct setting_info settings[SETTING_COUNT] = {
        [SETTING_MODEL] = {"model", "model", false},
        [SETTING_BATCH] = {"batch", "batch", true},
        [SETTING_SEQ] = {"seq", "seq", true},
        [SETTING_TARGET_SEQ] = {"target-seq", "target_seq", true},
        [SETTING_CACHE] = {"cache", "cache", true},
        [SETTING_SIZES] = {"size", "sizes", false},
        [SETTING_DYNAMIC] = {"dynamic", "dynamic", false},
        [SETTING_DTYPE] = {"dtype", "dtype", false},
        [SETTING_BUDGET] = {"budget", "budget_s", true},
        [SETTING_RUNS] = {"runs", "runs", true},
        [SETTING_CONSTANT] = {"constant", "constant", false},
};

void usage(FILE *out)
{
	fputs("usage: nnjitctl [OPTION]... COMMAND [ARGUMENT]...\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++) {
		char left[40];
		snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].arguments);
		fprintf(out, "  %-20s %s\n", left, commands[i].doc);
	}
	fputs("\nResearch, by a worker of its own and without the daemon:\n"
	      "  bench space OP...    where lite space, search and prediction fall in the full "
	      "space\n"
	      "  bench side OP...     the schedules given, side by side\n"
	      "\nOP is an operator and its fields: matmul m=256 n=256 k=256\n\n"
	      "  --device TEXT        a device's id, or a part of its name, any case\n"
	      "  --target TARGET      wgsl (default) or spirv\n"
	      "  --features LIST      what the code may use: subgroups, all or none (default)\n"
	      "  -o, --output FILE    where get writes the code\n"
	      "  --json               print JSON\n"
	      "  --model NAME         tune all operators of a model; its inputs follow\n"
	      "  --batch N, --seq N, --target-seq N, --cache N\n"
	      "                       inputs; target-seq: positions of a decoder, cache: past "
	      "ones\n"
	      "  --size NAME=N        another value of an input or a size, any number of times\n"
	      "  --dynamic LIST       inputs not known before run time: seq,cache\n"
	      "  --dtype TYPE         f32 (default), f16, or weights of 4 bits: q4, q4f16\n"
	      "  --budget SECONDS     for all of the model\n"
	      "  --runs N             how often it will be run: compiling counts once\n"
	      "  --constant NAME      an input that stays the same: it may be laid out anew, once\n"
	      "  --sample N|all, --seed N\n"
	      "                       bench space: schedules of the full space to measure (200)\n"
	      "  --climb N            bench space: then so many neighbours of the best (0)\n"
	      "  --trials N           bench space: candidates that the search may measure (50)\n"
	      "  --budget-s SECONDS   bench space: for one operator (600)\n"
	      "  --schedule TEXT      bench side: one of the schedules; several times\n"
	      "  --profile NAME       both: web (default), as pages run kernels, or native\n"
	      "  --port N             the daemon's port (6174)\n"
	      "  --version, -h, --help\n\n"
	      "Exit status: 0 done, 1 the daemon refused or is not there, 2 a wrong command "
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

/* What is given several times is joined, as --size may be; other settings may not. */
static int read_setting(struct ctl *ctl, enum setting setting, const char *text)
{
	char what[64];

	snprintf(what, sizeof what, "--%s must be a number, not", settings[setting].option);
	if (settings[setting].number && !is_number(text))
		return wrong(what, text);
	snprintf(what, sizeof what, "--%s was given already, and again as",
	        settings[setting].option);
	if (ctl->settings[setting] && setting != SETTING_SIZES)
		return wrong(what, text);
	return append(&ctl->settings[setting], ',', text);
}

static const struct {
	const char *option;
	bool number;
} research[RESEARCH_COUNT] = {
        [RESEARCH_SAMPLE] = {"sample", true},
        [RESEARCH_SEED] = {"seed", true},
        [RESEARCH_CLIMB] = {"climb", true},
        [RESEARCH_TRIALS] = {"trials", true},
        [RESEARCH_BUDGET] = {"budget-s", true},
        [RESEARCH_SCHEDULE] = {"schedule", false},
        [RESEARCH_PROFILE] = {"profile", false},
};

static int read_research(struct ctl *ctl, enum research what, const char *text)
{
	char rule[48];

	snprintf(rule, sizeof rule, "--%s must be a number, not", research[what].option);
	if (research[what].number && !is_number(text) &&
	        (what != RESEARCH_SAMPLE || strcmp(text, "all")))
		return wrong(rule, text);
	if (what != RESEARCH_SCHEDULE && ctl->research[what])
		return wrong("given a second time as", text);
	return append(&ctl->research[what], ';', text);
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

enum {
	KEY_DEVICE = 256,
	KEY_TARGET,
	KEY_FEATURES,
	KEY_JSON,
	KEY_PORT,
	KEY_VERSION,
	KEY_SETTING,
	KEY_RESEARCH = KEY_SETTING + SETTING_COUNT
};

#define SETTING(name, setting)                                                 \
	{                                                                      \
		name, required_argument, NULL, KEY_SETTING + SETTING_##setting \
	}
#define RESEARCH(name, what)                                                  \
	{                                                                     \
		name, required_argument, NULL, KEY_RESEARCH + RESEARCH_##what \
	}
static const struct option long_options[] = {
        {"device", required_argument, NULL, KEY_DEVICE},
        {"target", required_argument, NULL, KEY_TARGET},
        {"features", required_argument, NULL, KEY_FEATURES},
        {"output", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, KEY_JSON},
        {"port", required_argument, NULL, KEY_PORT},
        {"version", no_argument, NULL, KEY_VERSION},
        {"help", no_argument, NULL, 'h'},
        SETTING("model", MODEL),
        SETTING("batch", BATCH),
        SETTING("seq", SEQ),
        SETTING("target-seq", TARGET_SEQ),
        SETTING("cache", CACHE),
        SETTING("size", SIZES),
        SETTING("dynamic", DYNAMIC),
        SETTING("dtype", DTYPE),
        SETTING("budget", BUDGET),
        SETTING("runs", RUNS),
        SETTING("constant", CONSTANT),
        RESEARCH("sample", SAMPLE),
        RESEARCH("seed", SEED),
        RESEARCH("climb", CLIMB),
        RESEARCH("trials", TRIALS),
        RESEARCH("budget-s", BUDGET),
        RESEARCH("schedule", SCHEDULE),
        RESEARCH("profile", PROFILE),
        {0},
};

/* -1: go on; otherwise the exit code. */
static int read_option(struct ctl *ctl, int key)
{
	switch (key) {
	case KEY_DEVICE:
		ctl->device = optarg;
		return -1;
	case KEY_TARGET:
		ctl->target = optarg;
		return -1;
	case KEY_FEATURES:
		ctl->features = optarg;
		return -1;
	case 'o':
		ctl->output = optarg;
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
		if (key >= KEY_SETTING && key < KEY_SETTING + SETTING_COUNT)
			return read_setting(ctl, (enum setting)(key - KEY_SETTING), optarg);
		if (key >= KEY_RESEARCH && key < KEY_RESEARCH + RESEARCH_COUNT)
			return read_research(ctl, (enum research)(key - KEY_RESEARCH), optarg);
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

/* Settings belong to a model, and a model to few commands. */
static int check_settings(const struct ctl *ctl, const char *name)
{
	bool tune = !strcmp(name, "tune"), models = !strcmp(name, "models");
	const char *model = ctl->settings[SETTING_MODEL];

	if (model && !tune)
		return wrong("--model is for tune, not for", name);
	if (model && *ctl->words)
		return wrong("with --model no operator is given, as was", ctl->words);
	for (uint32_t i = SETTING_MODEL + 1; i < SETTING_COUNT; i++) {
		char what[64];
		snprintf(what, sizeof what, "--%s needs --model NAME; it was given as",
		        settings[i].option);
		bool known = model || i == SETTING_RUNS ||
		             (models && *ctl->words && i != SETTING_BUDGET);
		if (ctl->settings[i] && !known)
			return wrong(what, ctl->settings[i]);
	}
	for (uint32_t i = 0; i < RESEARCH_COUNT; i++)
		if (ctl->research[i] && strcmp(name, "bench"))
			return wrong("options of bench space and bench side are not for", name);
	return 0;
}

static int run(struct ctl *ctl, const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name))
			continue;
		bool needs_op = !strcmp(commands[i].arguments, "OP...");
		int answer = check_settings(ctl, name);
		if (answer)
			return answer;
		if (needs_op && !*ctl->words && !ctl->settings[SETTING_MODEL]) {
			fprintf(stderr,
			        "nnjitctl: %s needs an operator, such as: "
			        "nnjitctl %s matmul m=256 n=256 k=256\n",
			        name, name);
			return CTL_USAGE;
		}
		if (!*commands[i].arguments && *ctl->words)
			return wrong("this command takes no argument, but was given", ctl->words);
		return commands[i].run(ctl);
	}
	return wrong("there is no command", name);
}

static void ctl_free(struct ctl *ctl)
{
	free(ctl->words);
	for (uint32_t i = 0; i < SETTING_COUNT; i++)
		free(ctl->settings[i]);
	for (uint32_t i = 0; i < RESEARCH_COUNT; i++)
		free(ctl->research[i]);
}

int main(int argc, char **argv)
{
	AUTO(ctl_free) struct ctl ctl = {.port = PROTOCOL_PORT};
	int key;

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
