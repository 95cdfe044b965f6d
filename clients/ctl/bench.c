/* SPDX-License-Identifier: Apache-2.0
 *
 * bench and its research forms: `bench OP` asks the daemon to measure a kernel again; `bench space`
 * and `bench side` measure on their own, by a worker of their own, so that no method of research
 * stands on the port that pages reach.
 */
#include "clients/ctl/study.h"

#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* ---- bench OP. */

static int bench_again(const struct ctl *ctl)
{
	json_t *params = ask_params(ctl, METHOD_WATCH), *kernel;

	json_object_set_new(params, "again", json_true());
	int answer = watch(ctl, params, &kernel);
	if (answer)
		return answer;
	const json_t *timing = json_object_get(kernel, "timing");
	double tuned_ns = number_at(timing, "median_ns"),
	       baseline_ns = number_at(timing, "baseline_ns");
	double speedup = tuned_ns > 0 ? baseline_ns / tuned_ns : 0;
	if (ctl->json) {
		json_t *object = json_pack("{s:s,s:s,s:f,s:f,s:f,s:O}", "op", text_at(kernel, "op"),
		        "device", text_at(kernel, "device"), "tuned_ns", tuned_ns, "baseline_ns",
		        baseline_ns, "speedup", speedup, "kernel", kernel);
		print_json(object);
		json_decref(object);
	} else {
		print_kernel(ctl, kernel);
		if (baseline_ns <= 0)
			puts("  the default kernel is not legal on this device: no ratio");
	}
	json_decref(kernel);
	return CTL_DONE;
}

/* ---- What both forms of research share. */

typedef int experiment(const struct ctl *ctl, struct lab *lab, const char *op_text);

/* One operator, or with "-" those on standard input, a line each; the last failure is told. */
static int for_each_op(const struct ctl *ctl, const char *words, experiment *run)
{
	struct lab lab = {0};
	int answer = lab_open(ctl, &lab), failure = CTL_DONE;
	char line[OP_TEXT_BYTES];

	if (!answer && strcmp(words, "-"))
		answer = run(ctl, &lab, words);
	else if (!answer)
		while (!lab.broken && fgets(line, sizeof line, stdin)) {
			line[strcspn(line, "\n")] = '\0';
			int r = *line ? run(ctl, &lab, line) : CTL_DONE;
			failure = r ? r : failure;
		}
	lab_close(&lab);
	return answer ? answer : failure;
}

static double number_or(const char *text, double otherwise)
{
	return text ? strtod(text, NULL) : otherwise;
}

/* ---- bench space. */

static struct plan make_plan(const struct ctl *ctl)
{
	char *const *given = ctl->research;
	const char *sample = given[RESEARCH_SAMPLE];
	bool all = sample && !strcmp(sample, "all");

	return (struct plan){.sample = all ? UINT64_MAX : (uint64_t)number_or(sample, 200),
	        .seed = (uint64_t)number_or(given[RESEARCH_SEED], 1),
	        .climb = (uint32_t)number_or(given[RESEARCH_CLIMB], 0),
	        .trials = (uint32_t)number_or(given[RESEARCH_TRIALS], 50),
	        .budget_s = number_or(given[RESEARCH_BUDGET], 600)};
}

static int study_one(const struct ctl *ctl, struct lab *lab, const char *op_text)
{
	struct plan plan = make_plan(ctl);
	struct study study = {.ctl = ctl, .plan = &plan, .lab = lab, .asked = op_text};
	int answer = study_run(&study);

	if (!answer)
		study_print(&study);
	study_free(&study);
	return answer;
}

/* ---- bench side. */

#define SIDE_MAX     32
#define SIDE_SAMPLES 31

struct side {
	struct schedule schedule[SIDE_MAX];
	uint32_t slot[SIDE_MAX], count;
};

/* Those of --schedule, which stand behind semicolons. */
static int read_schedules(const char *text, struct side *ret_side)
{
	char one[SCHEDULE_TEXT_BYTES];
	struct error err = {0};

	for (const char *p = text; p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL) {
		snprintf(one, sizeof one, "%.*s", (int)strcspn(p, ";"), p);
		if (ret_side->count == SIDE_MAX)
			error_set(
			        &err, -E2BIG, "", "at most %d schedules go side by side", SIDE_MAX);
		else if (!schedule_parse(one, &ret_side->schedule[ret_side->count], &err))
			ret_side->count++;
		if (*err.text) {
			fprintf(stderr, "nnjitctl: %s\n", err.text);
			return CTL_USAGE;
		}
	}
	return CTL_DONE;
}

/* Those that are not right are told, and left out. */
static int build_all(struct lab *lab, struct side *side)
{
	char why[GPU_WHY_BYTES], text[SCHEDULE_TEXT_BYTES];
	uint32_t count = 0;

	for (uint32_t i = 0; i < side->count; i++) {
		const struct schedule schedule = side->schedule[i];
		if (lab_build(lab, count, &schedule, why) && lab_twin(lab, count, why)) {
			side->slot[count] = count;
			side->schedule[count++] = schedule;
			continue;
		}
		schedule_print(&schedule, text);
		fprintf(stderr, "nnjitctl: %s: %s\n", text, why);
	}
	side->count = count;
	return count ? CTL_DONE : CTL_FAILED;
}

static void print_side(const struct ctl *ctl, const struct lab *lab, const struct side *side,
        double ns[], uint32_t rounds)
{
	json_t *times = json_array();

	for (uint32_t i = 0; i < side->count; i++) {
		char text[SCHEDULE_TEXT_BYTES], time[TIME_TEXT_BYTES];
		double typical_ns = lab_typical(ns + i * SIDE_SAMPLES, rounds);
		schedule_print(&side->schedule[i], text);
		if (ctl->json)
			json_array_append_new(
			        times, json_pack("{s:s, s:f}", "schedule", text, "ns", typical_ns));
		else
			printf("%10s  %s\n", time_text(typical_ns, time), text);
	}
	json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "op", lab->op_text, "device",
	        lab->device, "device_name", lab->name, "times", times);
	if (ctl->json)
		print_json(object);
	json_decref(object);
}

static int side_one(const struct ctl *ctl, struct lab *lab, const char *op_text)
{
	double ns[SIDE_MAX * SIDE_SAMPLES];
	struct side side = {.count = 0};
	int answer = read_schedules(ctl->research[RESEARCH_SCHEDULE], &side);

	if (!answer)
		answer = lab_load(lab, op_text);
	if (!answer)
		answer = build_all(lab, &side);
	if (answer)
		return answer;
	uint32_t rounds = lab_time(lab, side.slot, side.count, SIDE_SAMPLES, ns);
	if (!rounds) {
		fprintf(stderr, "nnjitctl: %s: %s\n", lab->op_text, lab->why);
		return CTL_FAILED;
	}
	print_side(ctl, lab, &side, ns, rounds);
	return CTL_DONE;
}

/* ---- Which of them. */

static bool takes(const char *words, const char *form, const char **ret_rest)
{
	size_t length = strlen(form);

	if (strncmp(words, form, length) || (words[length] && words[length] != ' '))
		return false;
	*ret_rest = words + length + strspn(words + length, " ");
	return true;
}

static int misused(const char *what)
{
	fprintf(stderr, "nnjitctl: %s; see `nnjitctl help`\n", what);
	return CTL_USAGE;
}

int command_bench(const struct ctl *ctl)
{
	const char *schedules = ctl->research[RESEARCH_SCHEDULE], *rest = "";
	bool space = takes(ctl->words, "space", &rest), side = takes(ctl->words, "side", &rest);

	if ((space || side) && !*rest)
		return misused(
		        "bench space and bench side need an operator, or - for standard input");
	if (side && !schedules)
		return misused("bench side needs schedules: --schedule TEXT");
	for (uint32_t i = 0; i < RESEARCH_COUNT; i++)
		if (ctl->research[i] && (i == RESEARCH_SCHEDULE         ? !side
		                                : i == RESEARCH_PROFILE ? !side && !space
		                                                        : !space))
			return misused("--schedule belongs to bench side, --profile to both forms "
			               "of research, and --sample, --seed, --climb, --trials and "
			               "--budget-s to bench space");
	if (space)
		return for_each_op(ctl, rest, study_one);
	return side ? for_each_op(ctl, rest, side_one) : bench_again(ctl);
}
