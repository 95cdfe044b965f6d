/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands about one kernel: tune, get, show.
 */
#include "clients/ctl/ctl.h"

#include "base/base64.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "protocol/artifact/artifact.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int command_tune(const struct ctl *ctl)
{
	json_t *kernel;

	if (ctl->given[OPTION_MODEL])
		return tune_model(ctl);
	json_t *params = ask_params(ctl, METHOD_WATCH);
	if (ctl->again)
		json_object_set_new(params, "again", json_true());
	int answer = watch(ctl, params, &kernel);
	if (answer)
		return answer;
	if (ctl->json)
		print_json(kernel);
	else
		print_kernel(kernel);
	json_decref(kernel);
	return CTL_DONE;
}

static int write_failed(const char *path)
{
	fprintf(stderr, "nnjitctl: cannot write %s: %s\n", path, strerror(errno));
	return CTL_FAILED;
}

static int write_bytes(const char *path, const char *bytes, size_t count)
{
	FILE *file = path ? fopen(path, "we") : stdout;

	if (!file)
		return write_failed(path);
	bool ok = fwrite(bytes, 1, count, file) == count;
	if (path)
		ok = !fclose(file) && ok;
	return ok ? CTL_DONE : write_failed(path ? path : "standard output");
}

static int write_code(const char *path, const json_t *kernel)
{
	AUTO(buffer_free) struct buffer words = {0};
	const char *code = text_at(kernel, "code");

	if (strcmp(text_at(kernel, "target"), "spirv"))
		return write_bytes(path, code, strlen(code));
	if (!path && isatty(STDOUT_FILENO)) {
		fputs("nnjitctl: SPIR-V is binary; name a file with -o\n", stderr);
		return CTL_USAGE;
	}
	if (base64_decode(&words, code)) {
		fputs("nnjitctl: the daemon's answer holds no SPIR-V\n", stderr);
		return CTL_FAILED;
	}
	return write_bytes(path, words.data, words.length);
}

int command_get(const struct ctl *ctl)
{
	json_t *kernel;
	int answer = ask(ctl, METHOD_KERNEL, ask_params(ctl, METHOD_KERNEL), &kernel);

	if (answer)
		return answer;
	if (!ctl->json || ctl->given[OPTION_OUTPUT])
		answer = write_code(ctl->given[OPTION_OUTPUT], kernel);
	if (ctl->json && !answer)
		print_json(kernel);
	json_decref(kernel);
	return answer;
}

static int by_median(const void *left, const void *right)
{
	double a = number_at(*(json_t *const *)left, "median_ns");
	double b = number_at(*(json_t *const *)right, "median_ns");

	if ((a > 0) != (b > 0)) /* what was not timed stands last */
		return a > 0 ? -1 : 1;
	return (a > b) - (a < b);
}

static void add_trial(struct table *table, const json_t *trial, const char *baseline)
{
	double median_ns = number_at(trial, "median_ns"),
	       pipeline_ns = number_at(trial, "pipeline_ns");
	char text[TIME_TEXT_BYTES];

	table_add(table, median_ns > 0 ? time_text(median_ns, text) : "");
	table_add(table, median_ns > 0 ? time_text(number_at(trial, "mad_ns"), text) : "");
	table_addf(table, "%.0f", number_at(trial, "samples"));
	table_add(table, pipeline_ns > 0 ? time_text(pipeline_ns, text) : "");
	table_add(table, text_at(trial, "state"));
	table_addf(table, "%s%s%s%s", text_at(trial, "schedule"),
	        strcmp(text_at(trial, "schedule"), baseline) ? "" : " (the default kernel)",
	        *text_at(trial, "why") ? ": " : "", text_at(trial, "why"));
}

static void print_trials(const json_t *object)
{
	static const char *const headers[] = {
	        ">MEDIAN", ">SPREAD", ">SAMPLES", ">COMPILE", "STATE", "SCHEDULE"};
	const json_t *array = json_object_get(object, "trials");
	size_t count = json_array_size(array);
	AUTO(free_pointer) const json_t **trials = malloc((count + 1) * sizeof *trials);

	if (!count || !trials) {
		puts("\nNo schedule was tried yet; `nnjitctl tune` tries them.");
		return;
	}
	for (size_t i = 0; i < count; i++)
		trials[i] = json_array_get(array, i);
	qsort(trials, count, sizeof *trials, by_median);
	struct table *table = table_create(headers, 6);
	for (size_t i = 0; i < count; i++)
		add_trial(table, trials[i], text_at(object, "baseline"));
	putchar('\n');
	table_print(table);
}

int command_show(const struct ctl *ctl)
{
	json_t *kernel, *trials;
	int answer = ask(ctl, METHOD_KERNEL, ask_params(ctl, METHOD_KERNEL), &kernel);

	if (answer)
		return answer;
	answer = ask(ctl, METHOD_TRIALS, ask_params(ctl, METHOD_TRIALS), &trials);
	if (answer) {
		json_decref(kernel);
		return answer;
	}
	if (ctl->json) {
		json_object_set(trials, "kernel", kernel);
		print_json(trials);
	} else {
		print_kernel(kernel);
		print_trials(trials);
	}
	json_decref(trials);
	json_decref(kernel);
	return CTL_DONE;
}
