/* SPDX-License-Identifier: Apache-2.0
 *
 * nnjit-lab: experiments on a device of this machine, without the daemon. Reads the command line
 * and runs one experiment on each operator. Generates no kernel: the worker does.
 */
#include "tools/lab/side.h"
#include "tools/lab/study.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

enum experiment { EXPERIMENT_ANY, EXPERIMENT_SPACE, EXPERIMENT_SIDE };
enum rule { RULE_WORD, RULE_COUNT, RULE_SAMPLE, RULE_MANY };
enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "tools/lab/options.def"
	OPTION_COUNT
};

static const struct {
	const char *name, *argument;
	enum rule rule;
	enum experiment experiment;
	const char *doc;
} options[OPTION_COUNT] = {
#define OPTION(id, name, argument, rule, experiment, doc) \
	[OPTION_##id] = {name, argument, RULE_##rule, EXPERIMENT_##experiment, doc},
#include "tools/lab/options.def"
};

struct asked {
	char *given[OPTION_COUNT]; /* NULL: not given; several values behind semicolons */
	bool json;
};

typedef int run_one(const struct asked *asked, struct lab *lab, const char *op_text);
static run_one space_one, side_one;

static const struct {
	const char *name, *doc;
	enum experiment experiment;
	run_one *run;
} experiments[] = {
        {"space", "where lite space, search and prediction fall in the full space",
                EXPERIMENT_SPACE, space_one},
        {"side", "the schedules given, side by side", EXPERIMENT_SIDE, side_one},
};
#define EXPERIMENTS (sizeof experiments / sizeof *experiments)

static void usage(FILE *out)
{
	fputs("usage: nnjit-lab [OPTION]... EXPERIMENT OP...\n\n", out);
	for (size_t i = 0; i < EXPERIMENTS; i++)
		fprintf(out, "  %-8s %s\n", experiments[i].name, experiments[i].doc);
	fputs("\nOP is an operator and its fields: matmul m=256 n=256 k=256\n"
	      "-: operators are read from standard input, one a line\n\n",
	        out);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[32];
		snprintf(left, sizeof left, "--%s %s", options[i].name, options[i].argument);
		fprintf(out, "  %-18s %s%s\n", left,
		        options[i].experiment == EXPERIMENT_SPACE  ? "space: "
		        : options[i].experiment == EXPERIMENT_SIDE ? "side: "
		                                                   : "",
		        options[i].doc);
	}
	fputs("  --json             print JSON\n  -h, --help\n\n"
	      "Exit status: 0 done, 1 failed, 2 a wrong command line.\n",
	        out);
}

static int wrong(const char *what, const char *text)
{
	fprintf(stderr, "nnjit-lab: %s '%s'; see `nnjit-lab --help`\n", what, text);
	return LAB_USAGE;
}

/* ---- The experiments. */

static double number_or(const struct asked *asked, enum option_id id, double otherwise)
{
	return asked->given[id] ? strtod(asked->given[id], NULL) : otherwise;
}

static struct plan make_plan(const struct asked *asked)
{
	const char *sample = asked->given[OPTION_SAMPLE];
	bool all = sample && !strcmp(sample, "all");

	return (struct plan){
	        .sample = all ? UINT64_MAX : (uint64_t)number_or(asked, OPTION_SAMPLE, 200),
	        .seed = (uint64_t)number_or(asked, OPTION_SEED, 1),
	        .climb = (uint32_t)number_or(asked, OPTION_CLIMB, 0),
	        .trials = (uint32_t)number_or(asked, OPTION_TRIALS, 50),
	        .budget_s = number_or(asked, OPTION_BUDGET, 600)};
}

static int space_one(const struct asked *asked, struct lab *lab, const char *op_text)
{
	struct plan plan = make_plan(asked);
	struct study study = {.plan = &plan, .lab = lab, .asked = op_text};
	int answer = study_run(&study);

	if (!answer)
		study_print(&study, asked->json);
	study_free(&study);
	return answer;
}

static int side_one(const struct asked *asked, struct lab *lab, const char *op_text)
{
	struct side side;
	int answer = side_read(asked->given[OPTION_SCHEDULE], &side);

	return answer ? answer : side_run(lab, op_text, asked->json, &side);
}

/* One operator, or with "-" those on standard input, a line each; the last failure is told. */
static int for_each_op(const struct asked *asked, const char *words, run_one *run)
{
	struct lab_options lab_options = {.device = asked->given[OPTION_DEVICE],
	        .features = asked->given[OPTION_FEATURES],
	        .profile = asked->given[OPTION_PROFILE]};
	struct lab lab = {0};
	int answer = lab_open(&lab_options, &lab), failure = LAB_DONE;
	char line[OP_TEXT_BYTES];

	if (!answer && strcmp(words, "-"))
		answer = run(asked, &lab, words);
	else if (!answer)
		while (!lab.broken && fgets(line, sizeof line, stdin)) {
			line[strcspn(line, "\n")] = '\0';
			int r = *line ? run(asked, &lab, line) : LAB_DONE;
			failure = r ? r : failure;
		}
	lab_close(&lab);
	return answer ? answer : failure;
}

/* ---- The command line. */

static bool is_number(const char *text)
{
	char *end;

	strtod(text, &end);
	return isdigit((unsigned char)*text) && !*end;
}

static int read_option(struct asked *asked, enum option_id id, const char *text)
{
	enum rule rule = options[id].rule;
	char what[48], *joined = NULL, **given = &asked->given[id];

	snprintf(what, sizeof what, "--%s must be a number, not", options[id].name);
	if ((rule == RULE_COUNT || rule == RULE_SAMPLE) && !is_number(text) &&
	        (rule == RULE_COUNT || strcmp(text, "all")))
		return wrong(what, text);
	snprintf(what, sizeof what, "--%s was given already, and again as", options[id].name);
	if (*given && rule != RULE_MANY)
		return wrong(what, text);
	if (asprintf(&joined, "%s%s%s", *given ? *given : "", *given ? ";" : "", text) < 0)
		return LAB_FAILED;
	free(*given);
	*given = joined;
	return LAB_DONE;
}

static int check_options(const struct asked *asked, enum experiment experiment, const char *name)
{
	char what[48];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		snprintf(what, sizeof what, "--%s does not belong to", options[i].name);
		if (asked->given[i] && options[i].experiment != EXPERIMENT_ANY &&
		        options[i].experiment != experiment)
			return wrong(what, name);
	}
	if (experiment == EXPERIMENT_SIDE && !asked->given[OPTION_SCHEDULE])
		return wrong("schedules (--schedule TEXT) are needed by", name);
	return LAB_DONE;
}

static int run(const struct asked *asked, const char *name, const char *words)
{
	for (size_t i = 0; i < EXPERIMENTS; i++) {
		if (strcmp(experiments[i].name, name))
			continue;
		if (!*words)
			return wrong("an operator, or - for standard input, is needed by", name);
		int answer = check_options(asked, experiments[i].experiment, name);
		return answer ? answer : for_each_op(asked, words, experiments[i].run);
	}
	return wrong("there is no experiment", name);
}

enum { KEY_JSON = 256, KEY_OPTION };
static const struct option long_options[] = {
#define OPTION(id, name, ...) {name, required_argument, NULL, KEY_OPTION + OPTION_##id},
#include "tools/lab/options.def"
        {"json", no_argument, NULL, KEY_JSON},
        {"help", no_argument, NULL, 'h'},
        {0},
};

/* -1: go on; otherwise the exit code. */
static int read_all(struct asked *asked, int argc, char **argv)
{
	int key, answer = LAB_DONE;

	while (!answer && (key = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (key == 'h') {
			usage(stdout);
			return LAB_DONE;
		}
		if (key == KEY_JSON)
			asked->json = true;
		else if (key >= KEY_OPTION)
			answer = read_option(asked, (enum option_id)(key - KEY_OPTION), optarg);
		else
			return LAB_USAGE; /* getopt has said what is wrong */
	}
	if (!answer && optind == argc) {
		usage(stderr);
		return LAB_USAGE;
	}
	return answer ? answer : -1;
}

static void asked_free(struct asked *asked)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		free(asked->given[i]);
}

int main(int argc, char **argv)
{
	AUTO(asked_free) struct asked asked = {.json = false};
	AUTO(buffer_free) struct buffer words = {0};
	int answer = read_all(&asked, argc, argv);

	if (answer >= 0)
		return answer;
	buffer_puts(&words, "");
	for (int i = optind + 1; i < argc; i++)
		buffer_printf(&words, "%s%s", i > optind + 1 ? " " : "", argv[i]);
	if (words.failed)
		return LAB_FAILED;
	answer = run(&asked, argv[optind], words.data);
	if (fflush(stdout) || ferror(stdout)) {
		perror("nnjit-lab: standard output");
		return LAB_FAILED;
	}
	return answer;
}
